"""Find an association by its id or its key, HighLevel's own ones included."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import TypeVar, cast

from airflow_provider_ghl.api.associations import (
    Association,
    Associations,
    by_key_call,
    get_call,
    list_call,
    read_association,
    read_page,
)
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.exceptions import BudgetSpent, ConfigurationError, GHLError, NotFound, QuotaExhausted, Stopped

__all__ = ["find_association", "find_in_steps"]

T = TypeVar("T")
#: Associations that are listed for an error message: a wrong key must not cost more than a few requests.
_MOST_READ = 400
#: Keys that an error message names at most.
_MOST_NAMED = 20


def find_association(
    associations: Associations, *, association_id: str | None = None, association_key: str | None = None
) -> Association:
    """By id or by key, whichever is given.

    :raises ConfigurationError: there is none; the message names the keys there are.
    """
    return _answer_each(find_in_steps(associations.location_id, association_id, association_key), associations.request)


def find_in_steps(
    location_id: str, association_id: str | None, association_key: str | None
) -> Generator[Call, Answer, Association]:
    """As :func:`find_association`, but the caller sends: each call is yielded, and its answer (or error) sent back in."""
    missing: NotFound | None = None
    for call in _calls(location_id, association_id, association_key):
        try:
            answer = yield call
        except NotFound as error:
            missing = missing or error
        else:
            return read_association(call, answer.data)
    return (yield from _find_in_list(location_id, association_id, association_key, missing))


def _calls(location_id: str, association_id: str | None, association_key: str | None) -> list[Call]:
    """What may find it at once. HighLevel was seen to store keys in lower case; nobody knows whether its look-up minds that."""
    if association_id:
        return [get_call(location_id, association_id)]
    key = association_key or ""
    return [by_key_call(location_id, one) for one in dict.fromkeys((key, key.lower()))]


def _answer_each(steps: Generator[Call, Answer, T], send: Callable[[Call], Answer]) -> T:
    """Send each call that the steps yield, and return what they come to."""
    try:
        call = next(steps)
        while True:
            try:
                answer = send(call)
            except GHLError as error:
                call = steps.throw(error)
            else:
                call = steps.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _find_in_list(
    location_id: str, association_id: str | None, association_key: str | None, error: NotFound | None
) -> Generator[Call, Answer, Association]:
    # System-defined ids are constants, and whether HighLevel answers a GET for them is not known; its list has them.
    there: list[Association] = []
    pages = Pages()
    try:
        while pages.skip is not None and len(there) < _MOST_READ:
            answer = yield list_call(location_id, pages.skip, PAGE_SIZE)
            for association in cast("list[Association]", pages.take(*read_page(answer.data))):
                if _is_meant(association, association_id, association_key):
                    return association
                there.append(association)
    except (QuotaExhausted, BudgetSpent, Stopped):
        raise
    except GHLError:
        pass  # the list is only for the message
    wanted = f"the id {association_id!r}" if association_id else f"the key {association_key!r}"
    keys = sorted(str(association.get("key") or association.get("id")) for association in there)
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    known = f"; the keys there are: {', '.join(keys[:_MOST_NAMED])}{more}" if keys else ""
    raise ConfigurationError(f"no association of this location has {wanted}{known}") from error


def _is_meant(association: Association, association_id: str | None, association_key: str | None) -> bool:
    if association_id:
        return association.get("id") == association_id
    return bool(association_key) and str(association.get("key") or "").casefold() == str(association_key).casefold()
