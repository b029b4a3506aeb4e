"""Programs that run beside the tests, each in a session of its own, so that all it starts can be found and ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from standalone import wait_for

__all__ = ["Program", "running"]

#: Seconds between asking a program to end and making it.
GRACE = 15.0


class Program:
    """A program that runs, with all that it has started."""

    def __init__(self, name: str, command: list[str], env: Mapping[str, str], folder: Path) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        with self.log.open("wb") as output:
            self._process = subprocess.Popen(
                command,
                env=dict(env),
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def wait_until_said(self, text: str) -> None:
        """Until the text is in its log.

        :raises TimeoutError: it is not.
        """
        wait_for(f"{self.name}: {text}", lambda: True if text in self.log.read_text(errors="replace") else None)

    def is_running(self) -> bool:
        return self._process.poll() is None

    def pids(self) -> list[int]:
        """All processes of its session. A task has a process group of its own, and the same session."""
        return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit() and self._is_ours(int(entry.name))]

    def kill(self) -> set[int]:
        """End all of it at one moment, as a machine that loses its power does. The processes that it had."""
        # Those that see another one die would tell Airflow of it.
        before: set[int] = set()
        while found := set(self.pids()) - before:
            self._send(signal.SIGSTOP, found)
            before |= found
        self._send(signal.SIGKILL, before)
        self._process.wait()
        wait_for(f"the end of {self.name}", lambda: None if self.pids() else True, GRACE)
        return before

    def end(self) -> None:
        """Ask it to end, then make it."""
        self._send(signal.SIGTERM, {self._process.pid})
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(GRACE)
        self.kill()

    def _is_ours(self, pid: int) -> bool:
        with suppress(OSError):
            state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return int(state[3]) == self._process.pid and state[0] != "Z"
        return False

    @staticmethod
    def _send(number: signal.Signals, pids: set[int]) -> None:
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, number)


@contextmanager
def running(name: str, command: list[str], env: Mapping[str, str], folder: Path) -> Iterator[Program]:
    """Run it; nothing of it is left afterwards. Where something fails meanwhile, the end of its log is shown."""
    program = Program(name, command, env, folder)
    try:
        yield program
    except BaseException:
        sys.stdout.write(f"\nThe end of {program.log.name}:\n{program.log.read_text(errors='replace')[-3000:]}\n")
        raise
    finally:
        program.end()
