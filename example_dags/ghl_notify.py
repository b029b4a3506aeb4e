"""A load that fails, and tells people why: a notifier posts its account to a chat.

It needs the connection ``ghl_default`` (HighLevel). With a connection ``chat``, whose password is the address of an incoming
webhook (Slack, Google Chat, Mattermost and others take ``{"text": …}``), the text is posted. Without one it is in the task's
log alone. It has counts, reasons and a link, and no people's data.
"""

from __future__ import annotations

from pathlib import Path

import requests
from airflow.sdk import BaseHook, BaseNotifier, Context, dag
from airflow.sdk.exceptions import AirflowNotFoundException

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator
from airflow_provider_ghl.operators.report import load_report

DATA = Path(__file__).parent / "data"


class ChatNotifier(BaseNotifier):
    """Posts how a load went."""

    template_fields = ("chat_conn_id",)

    def __init__(self, chat_conn_id: str = "chat") -> None:
        super().__init__()
        self.chat_conn_id = chat_conn_id

    def notify(self, context: Context) -> None:
        """Post it. That a chat is away is no reason to fail."""
        text = load_report(context)
        self.log.info("%s", text)
        try:
            address = BaseHook.get_connection(self.chat_conn_id).password
            answer = requests.post(str(address), json={"text": text}, timeout=10)
            self.log.info("The chat answered %s", answer.status_code)
        except AirflowNotFoundException:
            self.log.info("There is no connection %s: nobody was told", self.chat_conn_id)
        except requests.RequestException as error:
            # Its text has the address, which is a secret.
            self.log.warning("The chat was not reached (%s)", type(error).__name__)


@dag(
    schedule=None,
    catchup=False,
    tags=["ghl", "example"],
    doc_md=__doc__,
    default_args={"on_failure_callback": ChatNotifier()},
)
def ghl_notify() -> None:
    """Load a file of late entries, most of which are bad."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="attended",
        first_object_key="contact",
        first_object_label="Attendee",
        second_object_key="custom_objects.event",
        second_object_label="Event",
    )
    late = BulkCreateRelationsOperator(
        task_id="load_late_entries",
        association_key="attended",
        path=str(DATA / "late_entries.csv"),
        first_record_column="contact_id",
        second_record_column="event_id",
        first_object_key="contact",
        second_object_key="custom_objects.event",
        row_key_column="attendance_id",
    )
    association >> late


ghl_notify()
