"""``rows`` is data, not a template.

A plain template field would evaluate ``{{ }}`` in cells, take 8 s for 20,000 rows, and put rows into the serialised DAG and the
rendered-fields table. Outside ``template_fields``, an XComArg would not make its task an upstream task. So rows are wrapped in
an object that Airflow resolves without looking into it. Only this file and that of keys use Airflow's internal
``ResolveMixin``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions._internal.mixins import ResolveMixin

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["Rows", "RowsArgument"]


class Rows:
    """Rows at run time. Their text shows only how many there are."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        if not isinstance(self.value, Sized):
            return "rows"
        count = len(self.value)
        return f"{count:,} row{'s' * (count != 1)}"

    __repr__ = __str__


class RowsArgument(ResolveMixin):
    """Rows as the DAG's author gave them: data, or an XComArg of data. The text is constant, so the serialised DAG is too."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """The tasks that the rows come from."""
        return self.value.iter_references() if isinstance(self.value, ResolveMixin) else ()

    def resolve(self, context: Context) -> Rows:
        """The rows. Their cells are not evaluated."""
        return Rows(self.value.resolve(context) if isinstance(self.value, ResolveMixin) else self.value)

    def __str__(self) -> str:
        return "rows"

    __repr__ = __str__
