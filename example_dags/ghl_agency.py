"""An agency's sub-accounts, each with its own token and its own limits: one load for each, and one load for all of them.

It needs one connection, ``ghl_agency``: the agency's OAuth app (``client_id``, ``client_secret``, ``refresh_token``) and its
``company_id``. ``make demo-agency`` runs it against the sandbox.
"""

from __future__ import annotations

from pathlib import Path

from airflow.sdk import dag

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.locations import ListLocationsOperator
from airflow_provider_ghl.operators.relations import BulkCreateRelationsOperator

DATA = Path(__file__).parent / "data" / "agency"
COLUMNS = {
    "first_record_column": "contact_id",
    "second_record_column": "course_id",
    # Which side each column is: a sub-account of HighLevel's may store the association the other way round.
    "first_object_key": "contact",
    "second_object_key": "custom_objects.course",
    "row_key_column": "enrolment_id",
}
#: What Airflow's UI calls a mapped task, in place of its number.
SUB_ACCOUNT = "{{ task.location_id }}"


def with_file(location: dict[str, str]) -> dict[str, str]:
    """What the load of one sub-account needs to be told."""
    return {**location, "path": str(DATA / "enrolments" / f"{location['location_id']}.csv")}


@dag(schedule=None, catchup=False, tags=["ghl", "example"], default_args={"ghl_conn_id": "ghl_agency"}, doc_md=__doc__)
def ghl_agency() -> None:
    """Create the association in every sub-account; load a file into each; then one table into all of them."""
    locations = ListLocationsOperator(task_id="list_locations")
    associations = CreateAssociationOperator.partial(
        task_id="create_association",
        map_index_template=SUB_ACCOUNT,
        key="takes",
        first_object_key="contact",
        first_object_label="Student",
        second_object_key="custom_objects.course",
        second_object_label="Course",
    ).expand_kwargs(locations.output)
    # A task for each sub-account: on as many workers as there are, and each is green or red by itself.
    each = BulkCreateRelationsOperator.partial(
        task_id="load_enrolments",
        map_index_template=SUB_ACCOUNT,
        association_key="takes",
        trigger_rule="all_done",  # one that has no association must not hold up the others
        **COLUMNS,
    ).expand_kwargs(locations.output.map(with_file))
    # One task for all: the table says whose each row is, and the sub-accounts are loaded side by side.
    late = BulkCreateRelationsOperator(
        task_id="load_late_enrolments",
        association_key="takes",
        location_column="location_id",
        path=str(DATA / "late_enrolments.csv"),
        trigger_rule="all_done",
        failure_tolerance=0.9,  # the table is known to be bad: let the task be green, and read what is wrong in its results
        **COLUMNS,
    )
    associations >> each >> late


ghl_agency()
