"""A key, such as an e-mail address, in a templated argument that shows nothing of it.

Airflow stores what a template field holds and what it renders to, and the UI shows both. So a key is wrapped in an object whose
text is constant, and which renders what is inside.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING, Any

from airflow.sdk.definitions._internal.mixins import ResolveMixin
from airflow.sdk.exceptions import AirflowException

from airflow_provider_ghl.operators.errors import GHLRetryable

if TYPE_CHECKING:
    import jinja2
    from airflow.sdk import Context

__all__ = ["Key", "KeyArgument"]


class Key:
    """A key at run time. Its text is constant."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __str__(self) -> str:
        return "a key (hidden)"

    __repr__ = __str__


class KeyArgument(Key, ResolveMixin):
    """A key as the DAG's author gave it: a text, a template, or an XComArg. Its text is constant."""

    def iter_references(self) -> Iterable[tuple[Any, str]]:
        """The tasks that the key comes from."""
        return self.value.iter_references() if isinstance(self.value, ResolveMixin) else ()

    def render(self, context: Context, env: jinja2.Environment, resolved: Collection[int]) -> Key:
        """The key.

        :param env: makes text of templates. Native types would make the number 3225551234 of ``+3225551234``.
        :param resolved: ids of objects that another task returned, and that are no templates.
        :raises GHLRetryable: its template fails. What Airflow itself raises passes.
        """
        try:
            return Key(self._render(context, env, resolved))
        except AirflowException:
            raise
        except Exception as error:  # noqa: BLE001 - whatever it is, its text may quote the key
            kind = type(error).__name__
        # Raised out here, it has no context that would be logged.
        raise GHLRetryable(f"the template of a key fails: {kind} (its message is not shown, for it may quote the key)")

    def _render(self, context: Context, env: jinja2.Environment, resolved: Collection[int]) -> Any:
        if isinstance(self.value, ResolveMixin):
            return self.value.resolve(context)
        is_template = isinstance(self.value, str) and id(self.value) not in resolved
        return env.from_string(self.value).render(context) if is_template else self.value
