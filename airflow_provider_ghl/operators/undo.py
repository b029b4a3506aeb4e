"""The operator that takes a load back."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow_provider_ghl.operators.asset_events import add_to_asset_events
from airflow_provider_ghl.operators.base import GHLOperator, flag, number_or_none, required
from airflow_provider_ghl.operators.errors import error_of, translated_errors
from airflow_provider_ghl.operators.links import GHLLoadLink
from airflow_provider_ghl.operators.page_address import load_page, see

if TYPE_CHECKING:
    from airflow.sdk import Context

__all__ = ["UndoLoadOperator"]

#: Results that the XCom has at most.
_MOST_RESULTS = 1_000


class UndoLoadOperator(GHLOperator):
    """Deletes exactly the relations that one load created.

    A relation is kept where the table of a later load names it, or may name it. So is one that the load is only presumed to
    have made, since an answer was lost. What HighLevel's workflows did when the relations appeared cannot be undone.

    Returns ``load_id``, ``load`` (its number in the ledger), ``deletes`` (a dict with ``planned``, ``deleted``,
    ``already_gone``, ``kept``, ``rejected``, ``failed``, ``not_attempted``), ``stopped_by``, ``requests``, ``retries``,
    ``rate_limited``, ``seconds``; with ``plan_only`` also ``plan``. Pushes the XCom ``results``: a dict for each relation,
    1,000 at most. Those that need attention come first: ``rejected`` and ``failed``, then ``not_attempted``. Both are pushed
    before the task fails. Another run deletes what is left.

    :param load_id: the load's id as in its summary, or its number as in ``airflow ghl loads`` (templated).
    :param max_deletes: with more relations to be deleted nothing is deleted, and the task is red. ``None``: no limit.
    :param plan_only: count what would be deleted, and what that would cost. Nothing is sent.
    """

    template_fields: Sequence[str] = (*GHLOperator.template_fields, "load_id")
    # Not the sub-account: it is the load's, which may have been sent to another one than the connection's.
    operator_extra_links = (GHLLoadLink(),)
    _page: str | None = None

    def __init__(self, *, load_id: str, max_deletes: int | None = None, plan_only: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.load_id = load_id
        self.max_deletes = number_or_none("max_deletes", max_deletes, least=0)
        self.plan_only = flag("plan_only", plan_only)

    def execute(self, context: Context) -> dict[str, Any]:
        """One request for each relation, and one more for those that were not confirmed for 30 days."""
        with translated_errors():
            load_id = str(required("load_id", self.load_id))
            undone = self.hook.undo_load(load_id, max_deletes=self.max_deletes, plan_only=self.plan_only)
        self._page = load_page(undone.summary["load"])
        ti = context.get("ti") if self.do_xcom_push else None
        if ti is not None:
            ti.xcom_push(key="results", value=undone.results[:_MOST_RESULTS])
        if undone.failure is None:
            self.log.info("%s", undone.message)
            add_to_asset_events(context, self.outlets, undone.summary, is_plan=self.plan_only)
            return undone.summary
        if ti is not None:
            # Airflow pushes the return value of execute, and a failing task returns none.
            ti.xcom_push(key="return_value", value=undone.summary)
        message = "\n".join(line for line in (undone.message, see(self._page)) if line)
        raise error_of(undone.failure, message, undone.cause)

    def page(self, ti: Any) -> str | None:
        """The path of the page of the load that is taken back; ``None`` where only its id is known."""
        named = str(self.load_id).strip()
        return load_page(int(named)) if self._page is None and named.isdecimal() else self._page
