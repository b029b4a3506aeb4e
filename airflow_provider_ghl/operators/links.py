"""Buttons on a task instance in Airflow's UI. A worker finds their addresses when the task ends, however it ends.

Airflow keeps an address as an XCom, so that an operator with ``do_xcom_push=False`` has no buttons.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperatorLink

from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.operators.page_address import in_browser

if TYPE_CHECKING:
    from airflow.sdk import BaseOperator
    from airflow.sdk.types import TaskInstanceKey

    from airflow_provider_ghl.hooks.ghl import GHLHook

__all__ = ["GHLFirstContactLink", "GHLLoadLink", "GHLLocationLink", "GHLSecondContactLink"]

#: What Airflow's UI shows no button for.
_NONE = ""


class GHLLoadLink(BaseOperatorLink):
    """The load's page in Airflow's UI."""

    name = "Load"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address."""
        path: str | None = operator.page(ti_key)  # type: ignore[attr-defined]
        return _NONE if path is None else in_browser(path)


class GHLLocationLink(BaseOperatorLink):
    """The sub-account in HighLevel's app, for tasks with a single one."""

    name = "Sub-account in HighLevel"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address."""
        from airflow_provider_ghl.api.app_pages import location_page

        found = _app_and_location(operator)
        return _NONE if found is None else location_page(*found)


class GHLFirstContactLink(BaseOperatorLink):
    """The first record in HighLevel's app, if it is known to be a contact."""

    name = "First contact in HighLevel"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address."""
        return _contact(operator, "first")


class GHLSecondContactLink(BaseOperatorLink):
    """The second record in HighLevel's app, if it is known to be a contact."""

    name = "Second contact in HighLevel"

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """Its address."""
        return _contact(operator, "second")


def _contact(operator: Any, side: str) -> str:
    from airflow_provider_ghl.api.app_pages import contact_page

    contact_id, found = operator.contacts.get(side), _app_and_location(operator)
    return _NONE if contact_id is None or found is None else contact_page(*found, contact_id)


def _app_and_location(operator: Any) -> tuple[str, str] | None:
    """The app's address and the sub-account; ``None`` where there is not one, or the task ended before it was known."""
    hook: GHLHook | None = vars(operator).get("hook")
    if hook is None or not hook.has_access:  # a task that ended before it used its connection does not read it now
        return None
    try:
        location_id = operator.only_location()
        return None if location_id is None else (hook.app_url, location_id)
    except GHLError:  # the task's own exception says it
        return None
