"""Guards: with more to be deleted than they allow, nothing is deleted. One that cannot be computed trips."""

from __future__ import annotations

from fractions import Fraction

from airflow_provider_ghl.exceptions import GuardTripped

__all__ = ["check_guards"]


def check_guards(planned: int, in_scope: int, max_deletes: int | None, max_share: float | None) -> None:
    """Check what is to be deleted, of all locations together.

    :param in_scope: how many relations are owned by the parents that stand in the table.
    :raises GuardTripped: it is more than a guard allows. Shares are compared exactly.
    """
    if not planned:
        return
    nothing = "nothing was deleted"
    if max_deletes is not None and planned > max_deletes:
        raise GuardTripped(f"{planned:,} relations would be deleted, more than max_deletes={max_deletes:,} allows: {nothing}")
    if max_share is not None and planned > Fraction(str(max_share)) * in_scope:
        raise GuardTripped(
            f"{planned:,} of {in_scope:,} relations ({planned / max(in_scope, 1):.1%}) would be deleted, more than "
            f"max_delete_share={max_share} allows: {nothing}"
        )
