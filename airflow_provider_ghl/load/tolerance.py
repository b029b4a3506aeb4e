"""How many rows may fail before a load is red."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from airflow_provider_ghl.exceptions import ConfigurationError

__all__ = ["Tolerance"]


@dataclass(frozen=True, slots=True)
class Tolerance:
    """A number of rows (an ``int``), or a share of the rows (a ``float`` in [0, 1)).

    :raises ConfigurationError: it is neither. ``True`` and ``1.0`` are refused because they are ambiguous.
    """

    value: int | float

    def __post_init__(self) -> None:
        value = self.value
        is_rows = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        is_share = isinstance(value, float) and 0.0 <= value < 1.0
        if not (is_rows or is_share):
            raise ConfigurationError(
                f"failure_tolerance is a number of rows (int, 0 or more) or a share of them (float in [0, 1)), not {value!r}"
            )

    def allows(self, failures: int, rows: int) -> bool:
        """Whether this many failures among this many rows are allowed.

        The comparison is exact and uses the share as it is written: 29 of 100 are within 0.29, and 1 of 3 is more than 0.33.
        """
        return failures <= (self.value if isinstance(self.value, int) else Fraction(str(self.value)) * rows)

    def __str__(self) -> str:
        return str(self.value)
