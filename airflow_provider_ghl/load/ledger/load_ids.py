"""What a load's id says: which task instance it is of."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["SEVERAL", "LoadId", "dag_id_of"]

#: Noted as the location of a load with several.
SEVERAL = "several"


class LoadId(NamedTuple):
    """The parts of a load's id. An id of another form has empty parts, as far as they are missing.

    :param map_index: -1 where the task is not mapped.
    """

    dag_id: str
    run_id: str
    task_id: str
    map_index: int

    @classmethod
    def parse(cls, load_id: str) -> LoadId:
        """Take an id apart. Neither a DAG's id nor a task's has a slash; a run's id may."""
        dag_id, _, rest = load_id.partition("/")
        head, _, last = rest.rpartition("/")
        if not _is_int(last):
            head, last = rest, "-1"
        run_id, _, task_id = head.rpartition("/")
        return cls(dag_id, run_id, task_id, int(last))


def dag_id_of(load_id: str) -> str:
    """The DAG that a load is of: the part of its id before the first slash."""
    return load_id.partition("/")[0]


def _is_int(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) <= 9
