"""Who attended which event: a warehouse table becomes relations between contacts and ``custom_objects.event``.

``make demo`` runs it against the sandbox. It needs two connections: ``ghl_default`` (HighLevel) and ``warehouse`` (SQL).
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

DATA = Path(__file__).parent / "data"


@dag(schedule=None, catchup=False, tags=["ghl", "example"], doc_md=__doc__)
def ghl_attendance() -> None:
    """Create the association, load the table, then load a file of late entries, most of which are bad."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="attended",
        first_object_key="contact",
        first_object_label="Attendee",
        second_object_key="custom_objects.event",
        second_object_label="Event",
    )
    table = BulkCreateRelationsOperator(
        task_id="load_attendance",
        association_key="attended",
        sql="SELECT attendance_id, contact_id, event_id FROM attendance ORDER BY attendance_id",
        source_conn_id="warehouse",
        first_record_column="contact_id",
        second_record_column="event_id",
        # Which side each column is: HighLevel may store the association the other way round.
        first_object_key="contact",
        second_object_key="custom_objects.event",
        row_key_column="attendance_id",
        min_rows=1,
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
        # The file is known to be bad: let the task be green, and read what is wrong in its results.
        failure_tolerance=0.9,
    )
    association >> table >> late


ghl_attendance()
