"""Which process made a claim: one that has ended is known to be dead at once, and not only by its silence."""

from __future__ import annotations

import os
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

__all__ = ["Process"]


@dataclass(frozen=True, slots=True)
class Process:
    """A process among all machines.

    :param machine: where its ``pid`` means something: hostname, boot and pid namespace. Empty where it is unknown.
    :param began: the moment it began, as the system writes it, since pids are used again. Empty where it is unknown.
    """

    machine: str
    pid: int
    began: str

    @classmethod
    def current(cls) -> Self:
        """This process."""
        pid = os.getpid()
        return cls(_machine(), pid, _began_and_state(pid)[0])

    def is_gone(self, other: Process) -> bool:
        """Whether the other process has provably ended; ``False`` too where nobody on this machine can know."""
        if not self.machine or self.machine != other.machine or other.pid <= 0:
            return False
        try:
            os.kill(other.pid, 0)
        except ProcessLookupError:
            return True
        except OSError:  # not ours to signal: it is there
            pass
        began, state = _began_and_state(other.pid)
        is_another = bool(began and other.began) and began != other.began
        return is_another or state in ("Z", "X")


def _machine() -> str:
    if not sys.platform.startswith("linux"):
        return socket.gethostname()
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{socket.gethostname()} {boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def _began_and_state(pid: int) -> tuple[str, str]:
    """Fields 22 and 3 of ``/proc/<pid>/stat``; empty where they cannot be read."""
    try:
        # The name stands in brackets and may hold any character, brackets too.
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        return fields[19].decode(), fields[0].decode()
    except (OSError, IndexError):
        return "", ""
