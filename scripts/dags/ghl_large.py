"""A load that runs for half an hour: its log shows how far it is, and how fast.

Interrupt it (mark the task as failed and clear it, or press Ctrl-C in the terminal and start again): the next try goes on where
this one was. ``make up`` writes its file and sets its connection.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

FILE = Path(__file__).resolve().parents[2] / ".demo" / "policies.csv"


@dag(
    schedule="@once",
    catchup=False,
    tags=["ghl", "make up"],
    default_args={"ghl_conn_id": "ghl_large", "retries": 5, "retry_delay": timedelta(seconds=10)},
    doc_md=__doc__,
)
def ghl_large() -> None:
    """Create the association, then load 20,000 rows."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="covers",
        first_object_key="custom_objects.policy",
        first_object_label="Policy",
        second_object_key="custom_objects.vehicle",
        second_object_label="Vehicle",
    )
    load = BulkCreateRelationsOperator(
        task_id="load_policies",
        association_key="covers",
        path=str(FILE),
        first_record_column="policy_id",
        second_record_column="vehicle_id",
        first_object_key="custom_objects.policy",
        second_object_key="custom_objects.vehicle",
        row_key_column="line_id",
        failure_tolerance=0.01,
    )
    association >> load


ghl_large()
