"""The protocol between a load and a kind of row. The load itself does not know what its rows mean.

The only kind so far is in ``relations/``: rows that become relations.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.api.conversation import Steps
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.load.columns import Batch, Chunk, Columns, Numbers, Valid
from airflow_provider_ghl.load.ledger.memory import Memory
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import RowResult, StoppedBy
from airflow_provider_ghl.load.results.removals import RemovalResult

__all__ = [
    "Conversation",
    "FoundKey",
    "GoneRecord",
    "GroupRead",
    "KeyFinder",
    "PartResult",
    "ReadResult",
    "Result",
    "RowHandler",
    "RowKind",
    "StoredRow",
    "Target",
    "TargetResult",
]


T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Target:
    """The thing in HighLevel that all rows of one location belong to, such as an association.

    :param id: HighLevel's id of it, a field of each result.
    """

    location_id: str
    id: str


@dataclass(frozen=True, slots=True)
class TargetResult:
    """The result of the search for a target: the target, or the error.

    :param stops: why the location is stopped; ``None`` with an error: another try may help.
    """

    target: Target | None
    error: GHLError | None = None
    requests: int = 0
    stops: StoppedBy | None = None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """What HighLevel has stored for a row, as it was read.

    :param values: in the form and order of a row's values.
    :param id: HighLevel's id of it; ``None`` where the answer names none.
    """

    values: tuple[str, ...]
    id: str | None


@dataclass(frozen=True, slots=True)
class ReadResult:
    """The result of a :class:`GroupRead`.

    :param stored: everything that was read, also for rows outside the group.
    :param error: why reading ended early. What was read before it is valid.
    :param stops: why the location is stopped, if it is.
    :param read_to: how many items were read before reading ended; ``None``: all of them.
    """

    stored: Sequence[StoredRow]
    error: GHLError | None = None
    requests: int = 0
    stops: StoppedBy | None = None
    read_to: int | None = 0


@dataclass(frozen=True, slots=True)
class PartResult:
    """The result of a part of a look-up.

    :param value: what it came to.
    :param error: why it came to nothing.
    """

    value: Any = None
    error: Exception | None = None
    requests: int = 0
    stops: StoppedBy | None = None


@dataclass(frozen=True, slots=True)
class GoneRecord:
    """A row was refused because HighLevel does not have a record that the ledger has named for one of its keys.

    :param reason: the refusal.
    """

    chunk: Chunk
    offset: int
    reason: str
    requests: int = 0
    stops: StoppedBy | None = None


#: The result of a conversation.
Result = RowResult | ReadResult | TargetResult | PartResult | GoneRecord | RemovalResult
#: A generator that yields requests. It is sent each answer, or has its error thrown in, and returns the result.
Conversation = (
    Generator[Call, Answer, RowResult]
    | Generator[Call, Answer, RowResult | GoneRecord]
    | Generator[Call, Answer, ReadResult]
    | Generator[Call, Answer, TargetResult]
    | Generator[Call, Answer, PartResult]
    | Generator[Call, Answer, RemovalResult]
)


@dataclass(frozen=True, slots=True)
class GroupRead:
    """A read that may settle a group of rows at once.

    :param subject: what the rows have in common and what is read, such as a record's id.
    :param offsets: the rows that it may settle.
    """

    subject: str
    offsets: list[int]
    conversation: Generator[Call, Answer, ReadResult]


class FoundKey(Protocol):
    """What became of a key. It never quotes the key."""

    @property
    def record_id(self) -> str | None:
        """The record that has it."""

    @property
    def reason(self) -> str | None:
        """Why there is no record id."""

    @property
    def is_invalid(self) -> bool:
        """Whether it can be no key, so that no request asked for it."""

    @property
    def is_missing(self) -> bool:
        """Whether no record has it so far: a new one takes a while to be found."""


class KeyFinder(Protocol):
    """Finds the records that the keys of one column name, in one location."""

    @property
    def name(self) -> str:
        """Finders of the same name find the same records."""

    @property
    def index_lag(self) -> float:
        """Seconds after which a new record can be found."""

    def begin(self) -> Steps[None]:
        """Find out what the keys are compared with. A second call needs no request.

        :raises ConfigurationError: there is nothing of that name.
        """

    def find(self, keys: Sequence[str], expected: float = 1.0) -> Steps[Mapping[str, FoundKey]]:
        """Find the records of these keys, each given once.

        :param expected: how many times as many keys will come in all, these included.
        """

    def find_again(self, keys: Sequence[str]) -> Steps[Mapping[str, FoundKey]]:
        """Look once more for keys that no record had, after the index lag. None of the results is ``is_missing``."""


class RowHandler(Protocol):
    """Handles the rows of one location, once their target is known."""

    @property
    def warnings(self) -> list[str]:
        """Warnings for the user."""

    def as_stored(self, values: tuple[T, ...]) -> tuple[T, ...]:
        """Put the source's columns in HighLevel's order. All other methods take values in this order."""

    def objection(self, chunk: Chunk) -> str | None:
        """Why no row of the location may be sent, judged by its first chunk; ``None`` where rows may be sent."""

    def count_reads(self, chunk: Chunk, offsets: Numbers) -> int:
        """How many requests :meth:`reads` may cost at most."""

    def reads(self, chunk: Chunk, offsets: Numbers) -> Iterator[GroupRead]:
        """The reads that are cheaper than sending their rows. An iterator, since earlier results may change later reads."""

    def stored_ids(self, chunk: Chunk, read: GroupRead, result: ReadResult) -> dict[int, str | None]:
        """HighLevel's ids of the rows that a read found to exist, by offset; ``None`` where the answer names no id."""

    def refusals(self, chunk: Chunk) -> dict[int, str]:
        """Why rows cannot be sent, by offset. Called after all reads of the chunk.

        :raises LedgerError: the ledger cannot be read.
        """

    def take_back(self, chunk: Chunk) -> None:
        """The rows in ``todo``, which :meth:`refusals` has let pass, come once more, with other values than they have now."""

    def conversation(self, values: tuple[str, ...], *, is_again: bool) -> Generator[Call, Answer, RowResult]:
        """The requests of one row.

        :param is_again: an earlier attempt of this load may have sent the row and got no answer.
        """

    def remove(self, values: tuple[str, ...], made_id: str | None, *, is_read: bool) -> Generator[Call, Answer, RemovalResult]:
        """The requests that delete what HighLevel has stored for a row.

        :param made_id: HighLevel's id of it; ``None`` where it is not known.
        :param is_read: whether that id was read to be this lately.
        """

    def read_parent(self, parent: str) -> Generator[Call, Answer, ReadResult]:
        """The requests that read everything that a parent has."""


class RowKind(Protocol):
    """A kind of row."""

    @property
    def columns(self) -> Columns:
        """The source's columns."""

    @property
    def fields(self) -> ResultFields:
        """The names of its fields in results."""

    @property
    def target_name(self) -> str:
        """The target, as the user named it."""

    @property
    def target_id(self) -> str | None:
        """HighLevel's id of the target, where the user gave it; else ``None``."""

    @property
    def has_keys(self) -> bool:
        """Whether any column holds keys instead of the values themselves."""

    def key_finders(self, location_id: str) -> Sequence[KeyFinder | None]:
        """For each column, in the source's order, what finds the records of its keys; ``None`` where it holds no keys."""

    def validate(self, batch: Batch) -> Valid:
        """Refuse the rows that can be refused before any request. A row's problem names all its reasons."""

    def find_target(self, location_id: str) -> Generator[Call, Answer, TargetResult]:
        """Find the target of a location's rows. A load does this first, so that a wrong id does not cost a request per row."""

    def handler(self, target: Target, memory: Memory) -> RowHandler:
        """The handler of the location's rows."""
