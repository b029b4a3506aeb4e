"""The sandbox as a process of its own."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import urllib.request
from types import TracebackType
from typing import Any

#: Every location has it, so that none needs to be created.
ASSOCIATION = "OPPORTUNITIES_CONTACTS_ASSOCIATION"


class Server:
    """``with Server(latency=0.3) as server``; the options are those of ``python -m airflow_provider_ghl sandbox``."""

    def __init__(self, **options: Any) -> None:
        words = [str(word) for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
        self._command = [sys.executable, "-m", "airflow_provider_ghl", "sandbox", *words]

    def __enter__(self) -> Server:
        self._process = subprocess.Popen(self._command, stdout=subprocess.PIPE, text=True)
        greeting = ""
        while "Ctrl-C" not in greeting:
            line = self._process.stdout.readline() if self._process.stdout else ""
            if not line:
                raise RuntimeError("the sandbox did not start")
            greeting += line
        connections = {name: json.loads(text) for name, text in re.findall(r"AIRFLOW_CONN_(\w+)='(\{.*\})'", greeting)}
        self.connection: dict[str, Any] = connections["GHL_DEFAULT"]
        #: With the option ``agency``.
        self.agency: dict[str, Any] = connections.get("GHL_AGENCY", {})
        self.url: str = self.connection["host"]
        self.token: str = self.connection["password"]
        self.location: str = self.connection["extra"]["location_id"]
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._process.terminate()
        self._process.communicate()

    def stats(self) -> dict[str, Any]:
        """The server's statistics."""
        with urllib.request.urlopen(f"{self.url}/sandbox/stats") as answer:
            stats: dict[str, Any] = json.load(answer)
            return stats
