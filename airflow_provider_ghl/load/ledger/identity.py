"""Rows as 128 bits. Rows with the same bits are the same, be they in a load or in the ledger."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy
from pandas.util import hash_array

from airflow_provider_ghl.load.columns import Objects, Words

__all__ = ["Identity", "keyed_identity"]

#: Makes the high and low words of rows from their columns.
Identity = Callable[[Sequence[Objects]], tuple[Words, Words]]

_ODD = numpy.uint64(0x9E3779B97F4A7C15)


def keyed_identity(keys: tuple[str, str] | None = None) -> Identity:
    """128 bits of a row: two SipHashes of its values together, and of the places where one ends and the next begins.

    :param keys: of 16 characters each. By default random, so that nobody can prepare rows that collide.
    """
    keys = keys or (secrets.token_hex(8), secrets.token_hex(8))

    def identity(values: Sequence[Objects]) -> tuple[Words, Words]:
        together, borders = values[0], numpy.zeros(len(values[0]), dtype=numpy.uint64)
        for column, following in pairwise(values):
            borders = (borders + numpy.fromiter(map(len, column), dtype=numpy.uint64, count=len(column))) * _ODD
            together = together + following
        # Texts would be encoded for each of the two.
        octets = numpy.fromiter(map(str.encode, together), dtype=object, count=len(together))
        high, low = (hash_array(octets, hash_key=key, categorize=False) + borders for key in keys)
        return high, low

    return identity
