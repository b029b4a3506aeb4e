"""The types of columns: rows stay positions in these until they are sent or have a problem."""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["Codes", "Flags", "Numbers", "Objects", "Words"]

Codes = np.ndarray[Any, np.dtype[np.uint8]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]
Numbers = np.ndarray[Any, np.dtype[np.int64]]
Objects = np.ndarray[Any, np.dtype[np.object_]]
Words = np.ndarray[Any, np.dtype[np.uint64]]
