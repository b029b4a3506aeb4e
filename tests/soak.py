"""How long the randomised tests go on: ``make soak`` makes it much longer."""

from __future__ import annotations

import os

__all__ = ["LONGER"]

#: By how much the number of examples is multiplied.
LONGER = int(os.environ.get("GHL_SOAK", "1"))
