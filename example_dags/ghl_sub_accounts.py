"""One load a sub-account: every file in ``data/sub_accounts`` goes through the HighLevel connection that bears its name.

``north.csv`` needs the connection ``ghl_north``, ``south.csv`` needs ``ghl_south``: each with the token and the location id of
its sub-account. A sub-account whose load fails is red by itself; the others go on.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag, task

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

FILES = Path(__file__).parent / "data" / "sub_accounts"


@dag(schedule=None, catchup=False, tags=["ghl", "example"], doc_md=__doc__)
def ghl_sub_accounts() -> None:
    """Create the association in every sub-account, then load its file."""

    @task
    def list_files() -> list[dict[str, str]]:
        return [{"ghl_conn_id": f"ghl_{path.stem}", "path": str(path)} for path in sorted(FILES.glob("*.csv"))]

    files = list_files()
    associations = CreateAssociationOperator.partial(
        task_id="create_association",
        map_index_template="{{ task.ghl_conn_id }}",
        key="enrolled",
        first_object_key="contact",
        first_object_label="Student",
        second_object_key="custom_objects.course",
        second_object_label="Course",
    ).expand(ghl_conn_id=files.map(lambda file: file["ghl_conn_id"]))
    loads = BulkCreateRelationsOperator.partial(
        task_id="load_enrolments",
        # Airflow's UI shows the file's name in place of a number.
        map_index_template="{{ task.path.rpartition('/')[2] }}",
        association_key="enrolled",
        first_record_column="contact_id",
        second_record_column="course_id",
        # Which side each column is: HighLevel may store the association the other way round.
        first_object_key="contact",
        second_object_key="custom_objects.course",
        row_key_column="enrolment_id",
    ).expand_kwargs(files)
    associations >> loads


ghl_sub_accounts()
