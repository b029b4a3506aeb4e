"""How long tests wait for what must happen: so long that a busy machine is no failure."""

from __future__ import annotations

__all__ = ["TOO_LONG"]

#: Seconds after which something that has not happened never will.
TOO_LONG = 600.0
