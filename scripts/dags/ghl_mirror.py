"""A mirror of a table that is another one each morning: trigger it again, and see what it deletes.

Each run is a morning: its table lacks three of the sixty rows, other ones each time. The first run is the baseline.
"""

from __future__ import annotations

import random

from airflow.sdk import dag, get_current_context, task

from airflow_provider_ghl.operators.associations import CreateAssociationOperator
from airflow_provider_ghl.operators.relations import SyncRelationsOperator

STUDENTS, TEACHERS, LEFT_OUT = 20, 3, 3
ROWS = [
    {"student_id": f"StudentStudentStu{student:03d}", "teacher_id": f"TeacherTeacherTea{teacher:03d}"}
    for student in range(STUDENTS)
    for teacher in range(TEACHERS)
]


@dag(schedule="@once", catchup=False, tags=["ghl", "make up"], doc_md=__doc__)
def ghl_mirror() -> None:
    """Create the association, read this morning's table, mirror it."""
    association = CreateAssociationOperator(
        task_id="create_association",
        key="mirrored_teacher",
        first_object_key="contact",
        first_object_label="Student",
        second_object_key="contact",
        second_object_label="Teacher",
    )

    @task
    def read_table() -> list[dict[str, str]]:
        """This morning's rows."""
        left_out = random.Random(get_current_context()["run_id"]).sample(range(len(ROWS)), LEFT_OUT)
        return [row for number, row in enumerate(ROWS) if number not in left_out]

    mirror = SyncRelationsOperator(
        task_id="mirror_teachers",
        association_key="mirrored_teacher",
        rows=read_table(),
        first_record_column="student_id",
        second_record_column="teacher_id",
        first_object_key="contact",
        first_object_label="Student",
    )
    association >> mirror


ghl_mirror()
