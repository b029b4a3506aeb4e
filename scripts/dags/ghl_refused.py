"""A load whose task is red: most of its rows are bad, and none may fail (``failure_tolerance`` is 0 by default).

Its log says why. It is not tried again although it has retries left, since the rows would be refused again. What became of each
row is in its XCom ``results`` all the same.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from airflow.sdk import dag

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

FILE = Path(__file__).resolve().parents[2] / "example_dags" / "data" / "late_entries.csv"


@dag(
    schedule="@once",
    catchup=False,
    tags=["ghl", "make up"],
    default_args={"retries": 2, "retry_delay": timedelta(seconds=10)},
    doc_md=__doc__,
)
def ghl_refused() -> None:
    """Create the association, then load a file of which most rows are bad."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="came_late",
        first_object_key="contact",
        first_object_label="Attendee",
        second_object_key="custom_objects.event",
        second_object_label="Event",
    )
    load = BulkCreateRelationsOperator(
        task_id="load_late_entries",
        association_key="came_late",
        path=str(FILE),
        first_record_column="contact_id",
        second_record_column="event_id",
        first_object_key="contact",
        second_object_key="custom_objects.event",
        row_key_column="attendance_id",
    )
    association >> load


ghl_refused()
