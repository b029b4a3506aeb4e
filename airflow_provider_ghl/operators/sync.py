"""The operator that keeps HighLevel's relations equal to a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.operators.base import choice, given, number_or_none
from airflow_provider_ghl.operators.bulk import BulkCreateRelationsOperator

if TYPE_CHECKING:
    from airflow_provider_ghl.load.spec import MirrorSpec

__all__ = ["SyncRelationsOperator"]

_PARENTS = {"first": 0, "second": 1, "association": None}


class SyncRelationsOperator(BulkCreateRelationsOperator):
    """Makes the relations of a table's parents exactly those that the table names: what is missing is created, then what left
    the table is deleted.

    All arguments of :class:`BulkCreateRelationsOperator` are the same. Deletes come last, when every row has its outcome. A row
    that is ``invalid``, ``unresolved``, ``failed`` or ``not_attempted`` keeps all relations of its parent; one whose parent is
    not known keeps those of its whole sub-account. A parent that does not stand in the table keeps everything. Nothing is
    deleted where the source is empty, ends early or fails, or where the load is stopped.

    **The first run deletes nothing**: what the table names then is the baseline. So it is where the ledger is new, or was told
    to forget. What the table of another task names is kept as well.

    The summary has ``deletes`` as well, a dict with ``planned``, ``deleted``, ``already_gone``, ``kept``, ``rejected``,
    ``failed``, ``not_attempted``; and ``baseline``: whether it was the first run in a sub-account. ``results`` has a dict
    for each relation that was to be deleted, after the rows. With ``plan_only`` the summary has ``plan_id``.

    :param parent: whose relations become exactly the table's: the records in the ``first`` or the ``second`` column, or those
        of the whole ``association``.
    :param owned: what may be deleted. ``ledger``: what loads of this ledger made. ``all``: everything, also what people made by
        hand; each parent's relations are read from HighLevel.
    :param max_deletes: with more than that to be deleted, over all sub-accounts, nothing is deleted, and the task is red.
        ``None``: no limit.
    :param max_delete_share: the same, as a share (0 to 1) of what is owned by the parents in the table.
    :param apply_plan: the ``plan_id`` of a run with ``plan_only`` (templated): exactly that is done. If the table or HighLevel
        has changed since, nothing is done, and the task is red.
    """

    template_fields: Sequence[str] = (*BulkCreateRelationsOperator.template_fields, "apply_plan")

    def __init__(
        self,
        *,
        parent: str = "first",
        owned: str = "ledger",
        max_deletes: int | None = 100,
        max_delete_share: float | None = 0.1,
        apply_plan: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.parent = choice("parent", parent, *_PARENTS)
        self.owned = choice("owned", owned, "ledger", "all")
        self.max_deletes = number_or_none("max_deletes", max_deletes, least=0)
        self.max_delete_share = _share("max_delete_share", max_delete_share)
        self.apply_plan = apply_plan
        if self.parent == "association" and self.owned == "all":
            raise ConfigurationError(
                "owned='all' needs parent='first' or 'second': HighLevel lists what a record has, not what an association has"
            )

    def mirror(self) -> MirrorSpec:
        """What is to be deleted."""
        from airflow_provider_ghl.load.spec import MirrorSpec, Owned

        return MirrorSpec(
            parent=_PARENTS[self.parent],
            owned=Owned(self.owned),
            max_deletes=self.max_deletes,
            max_delete_share=self.max_delete_share,
            apply_plan=given(self.apply_plan),
        )


def _share(name: str, value: float | None) -> float | None:
    """Return the value if it is a share.

    :raises ConfigurationError: it is not.
    """
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if value is not None and not (is_number and 0 <= value <= 1):
        raise ConfigurationError(f"{name} must be a number from 0 to 1, or None, not {value!r}")
    return value
