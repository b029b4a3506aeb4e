"""The association that rows are about. Every load reads it once for each location: a stale id or key must not cost a request a
row.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import Any, TypeVar, cast

from airflow_provider_ghl.api.associations import Association, Associations, by_key_call, get_call, list_call, one_of, page_of
from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.paging import PAGE_SIZE, Pages
from airflow_provider_ghl.exceptions import (
    BudgetSpent,
    ConfigurationError,
    GHLError,
    NotFound,
    QuotaExhausted,
    RequestRejected,
    Stopped,
    Unauthorized,
)
from airflow_provider_ghl.load.kind import Found, Target
from airflow_provider_ghl.load.results.outcomes import StoppedBy

__all__ = ["find_association", "read_association"]

T = TypeVar("T")
#: Associations that are read to say which there are: a wrong key must not cost more than a few requests.
_MOST_READ = 400
#: Keys that an error names at most.
_MOST_NAMED = 20
_STOPPED_BY: dict[type[GHLError], StoppedBy] = {
    ConfigurationError: StoppedBy.ABORT,
    RequestRejected: StoppedBy.ABORT,
    Unauthorized: StoppedBy.TOKEN,
    QuotaExhausted: StoppedBy.QUOTA,
    BudgetSpent: StoppedBy.MAX_REQUESTS,
}


def read_association(
    location_id: str, *, association_id: str | None, association_key: str | None
) -> Generator[Call, Answer, Found]:
    """Read the association. It must be of this location: the error names the keys that are there, or whose it is."""
    try:
        found = yield from _find(location_id, association_id, association_key)
    except GHLError as error:
        return Found(None, error, stops=next((by for kind, by in _STOPPED_BY.items() if isinstance(error, kind)), None))
    owner = found.get("locationId")
    if owner and owner != location_id:
        wrong = ConfigurationError(f"association {found.get('id')} belongs to location {owner}, not to {location_id}")
        return Found(None, wrong, stops=StoppedBy.ABORT)
    return Found(Target(location_id, str(found.get("id") or association_id)))


def find_association(
    associations: Associations, *, association_id: str | None = None, association_key: str | None = None
) -> Association:
    """By id or by key, whichever is given.

    :raises ConfigurationError: there is none; the message names what there is.
    """
    return _held(associations, _find(associations.location_id, association_id, association_key))


def _held(associations: Associations, conversation: Generator[Call, Answer, T]) -> T:
    """The end of a conversation that is held here and now."""
    try:
        call = next(conversation)
        while True:
            try:
                answer = associations.request(call)
            except GHLError as error:
                call = conversation.throw(error)
            else:
                call = conversation.send(answer)
    except StopIteration as end:
        result: T = end.value
        return result


def _find(location_id: str, association_id: str | None, association_key: str | None) -> Generator[Call, Answer, Association]:
    by_id = bool(association_id)
    call = get_call(location_id, association_id or "") if by_id else by_key_call(location_id, association_key or "")
    try:
        answer = yield call
    except NotFound as error:
        return (yield from _find_in_list(location_id, association_id, association_key, error))
    return one_of(call, answer.data)


def _find_in_list(
    location_id: str, association_id: str | None, association_key: str | None, error: NotFound
) -> Generator[Call, Answer, Association]:
    # System-defined ids are constants, and whether HighLevel answers a GET for them is not known; its list has them.
    there: list[Association] = []
    pages = Pages()
    try:
        while pages.skip is not None and len(there) < _MOST_READ:
            answer = yield list_call(location_id, pages.skip, PAGE_SIZE)
            for association in map(_association, pages.take(*page_of(answer.data))):
                if association_id and association.get("id") == association_id:
                    return association
                there.append(association)
    except (QuotaExhausted, BudgetSpent, Stopped):
        raise
    except GHLError:
        pass  # what there is, is said for the user's convenience
    wanted = f"the id {association_id!r}" if association_id else f"the key {association_key!r}"
    keys = sorted(str(association.get("key") or association.get("id")) for association in there)
    more = f" and {len(keys) - _MOST_NAMED} more" if len(keys) > _MOST_NAMED else ""
    known = f"; the keys there are: {', '.join(keys[:_MOST_NAMED])}{more}" if keys else ""
    raise ConfigurationError(f"no association of this location has {wanted}{known}") from error


def _association(item: dict[str, Any]) -> Association:
    return cast(Association, item)
