"""What a load needs to know of a kind of row. The load itself does not know what its rows mean.

``relations/`` has the one kind there is: rows that become relations.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from airflow_provider_ghl.api.calls import Answer, Call
from airflow_provider_ghl.exceptions import GHLError
from airflow_provider_ghl.load.columns import Batch, Chunk, Columns, Numbers, Objects, Valid
from airflow_provider_ghl.load.ledger.memory import Memory
from airflow_provider_ghl.load.results.fields import ResultFields
from airflow_provider_ghl.load.results.outcomes import RowResult, StoppedBy

__all__ = ["Conversation", "GroupRead", "ReadResult", "Result", "RowHandler", "RowKind", "StoredRow", "Target", "TargetResult"]


@dataclass(frozen=True, slots=True)
class Target:
    """What the rows of one location are about, such as an association.

    :param id: HighLevel's id of it, which results name.
    """

    location_id: str
    id: str


@dataclass(frozen=True, slots=True)
class TargetResult:
    """What the search for a target came to: the target, or why there is none.

    :param stops: what ends the location's rows; ``None`` with an error: it may pass.
    """

    target: Target | None
    error: GHLError | None = None
    requests: int = 0
    stops: StoppedBy | None = None


@dataclass(frozen=True, slots=True)
class StoredRow:
    """A row's counterpart in HighLevel, as it was read.

    :param values: as the row would have them.
    :param id: HighLevel's id of it; ``None`` where it does not say.
    """

    values: tuple[str, ...]
    id: str | None


@dataclass(frozen=True, slots=True)
class ReadResult:
    """What reading on behalf of several rows came to.

    :param seen: all that was read, asked for or not.
    :param error: why the reading ended early. What was seen before stands.
    :param stops: what ends the location's rows.
    :param read_to: how many were read before it ended; ``None``: all there are.
    """

    stored: Sequence[StoredRow]
    error: GHLError | None = None
    requests: int = 0
    stops: StoppedBy | None = None
    read_to: int | None = 0


#: What a conversation can come to.
Result = RowResult | ReadResult | TargetResult
#: Yields the requests that it needs and is sent their answers, or has their errors thrown in. Its value is its result.
Conversation = Generator[Call, Answer, RowResult] | Generator[Call, Answer, ReadResult] | Generator[Call, Answer, TargetResult]


@dataclass(frozen=True, slots=True)
class GroupRead:
    """Something to read that may settle several rows at once.

    :param subject: what is read, such as a record's id.
    :param offsets: the rows that it may settle.
    """

    subject: str
    offsets: list[int]
    conversation: Conversation


class RowHandler(Protocol):
    """The rows of one location, once their target is known."""

    @property
    def warnings(self) -> list[str]:
        """What a user should know of how it went."""

    def as_stored(self, values: tuple[Objects, ...]) -> tuple[Objects, ...]:
        """The source's columns in HighLevel's order. All that follows is about the rows in this order."""

    def objection(self, chunk: Chunk) -> str | None:
        """Why not even the first of a location's rows may be sent, by what is in them; ``None`` where they may."""

    def count_reads(self, chunk: Chunk, offsets: Numbers) -> int:
        """How many requests :meth:`questions` may cost at most."""

    def reads(self, chunk: Chunk, offsets: Numbers) -> Iterator[GroupRead]:
        """What to read before rows are sent, where that is cheaper. Asked one by one, as answers to earlier ones come in."""

    def stored_ids(self, chunk: Chunk, read: GroupRead, result: ReadResult) -> dict[int, str | None]:
        """The rows that a reading found to be there, by offset, with HighLevel's ids."""

    def refusals(self, chunk: Chunk) -> dict[int, str]:
        """Why rows that are still to do cannot be sent, by offset, now that all is known that can be.

        :raises LedgerError: the ledger cannot be read.
        """

    def conversation(self, values: tuple[str, ...], *, is_again: bool) -> Conversation:
        """The requests of one row.

        :param is_again: an earlier attempt of this load may have sent it, and had no answer.
        """


class RowKind(Protocol):
    """A kind of row."""

    @property
    def columns(self) -> Columns:
        """The source's columns."""

    @property
    def fields(self) -> ResultFields:
        """How its values are called in results."""

    @property
    def about(self) -> str:
        """What the rows are about, as the user named it."""

    @property
    def target_id(self) -> str | None:
        """HighLevel's id of the target, where the user gave it."""

    def validate(self, batch: Batch) -> Valid:
        """Refuse what can be refused before any request, with every reason of a row."""

    def find_target(self, location_id: str) -> Generator[Call, Answer, TargetResult]:
        """Find the target of a location's rows. Every load asks once: a stale id must not cost a request a row."""

    def handler(self, target: Target, memory: Memory) -> RowHandler:
        """What handles a location's rows from then on."""
