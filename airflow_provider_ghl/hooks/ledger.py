"""Where the ledger is: an Airflow connection becomes an engine, and a place that cannot hold a ledger is refused."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import sqlalchemy
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks.settings import connection_of
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.schema import is_prepared

__all__ = ["default_path", "engine_of", "find_ledger", "ledger_of", "warnings_about"]

_FILE = "ghl_ledger.db"
_REMEDY = "set ledger_conn_id on the connection, or [ghl] ledger_conn_id, to an Airflow connection of a PostgreSQL database"
#: Executors that run tasks on the scheduler's own machine.
_LOCAL = {"LocalExecutor", "SequentialExecutor"}
#: File systems whose locks and shared memory SQLite cannot rely on.
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "fuse.glusterfs",
    "fuse.sshfs", "fuse.s3fs", "fuse.gcsfuse", "fuse.blobfuse", "fuse.blobfuse2", "fuse.goofys", "fuse.rclone", "davfs",
)  # fmt: skip
_MOUNTS = Path("/proc/mounts")


def ledger_of(conn_id: str | None) -> Ledger:
    """The ledger of an Airflow connection; else of the one in ``[ghl] ledger_conn_id``; else a file in ``AIRFLOW_HOME``.

    :raises ConfigurationError: there is no such connection, or it cannot hold a ledger; the message says what could.
    :raises LedgerError: the database fails.
    """
    engine = engine_of(conn_id or _configured())
    if engine.dialect.name == "sqlite":
        _make_folder(Path(str(engine.url.database)).parent)
    return Ledger(engine)


def find_ledger(conn_id: str | None) -> tuple[str, Ledger | None]:
    """Where the ledger is, and the ledger if there is one there already: a look makes none. Else as :func:`ledger_of`."""
    engine = engine_of(conn_id or _configured())
    database = Database(engine)
    is_there = database.file is None or database.file.is_file()
    if is_there and database.read(is_prepared):
        return database.where, Ledger(engine)
    database.close()
    return database.where, None


def engine_of(conn_id: str | None) -> sqlalchemy.Engine:
    """An engine for the ledger alone. Errors as in :func:`ledger_of`."""
    if conn_id is None:
        return _sqlite(default_path())
    connection = connection_of(conn_id)
    if connection.conn_type == "sqlite":
        if not connection.host:
            raise ConfigurationError(f"connection {conn_id!r} names no file: its host is the path of the SQLite ledger")
        return _sqlite(Path(connection.host))
    if connection.conn_type not in ("postgres", "postgresql"):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}: a ledger is kept in PostgreSQL or SQLite"
        )
    return _postgres(connection)


def default_path() -> Path:
    """Where the ledger is when nothing is said."""
    return Path(os.environ.get("AIRFLOW_HOME") or "~/airflow").expanduser() / _FILE


def warnings_about(ledger: Ledger) -> list[str]:
    """What every load should say of where its ledger is."""
    executors = {name.rpartition(".")[2].rpartition(":")[2] for name in conf.get("core", "executor", fallback="").split(",")}
    remote = sorted(name for name in executors - _LOCAL if name)
    if not ledger.where.startswith("sqlite") or not remote:
        return []
    return [
        f"The ledger {ledger.where} is a file of this machine, and {', '.join(remote)} may run the next try on another, which "
        f"would know nothing of this one: {_REMEDY}."
    ]


def _configured() -> str | None:
    return conf.get("ghl", "ledger_conn_id", fallback=None) or None


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the ledger's folder {folder} cannot be made ({type(error).__name__}): {_REMEDY}") from error


def _sqlite(path: Path) -> sqlalchemy.Engine:
    path = path.expanduser().absolute()
    if kind := _network_kind(path, _MOUNTS):
        raise ConfigurationError(
            f"the ledger {path} would be on a network file system ({kind}), which loses its locks: {_REMEDY}"
        )
    return sqlalchemy.create_engine(sqlalchemy.URL.create("sqlite", database=str(path)), hide_parameters=True)


def _network_kind(path: Path, mounts: Path) -> str | None:
    """The kind of network file system that a path is on, as far as the system tells."""
    try:
        lines = [line.split() for line in mounts.read_text().splitlines()]
    except OSError:
        return None
    real = os.path.realpath(path)
    found = "", ""
    for _, place, kind, *_ in lines:
        place = place.encode().decode("unicode_escape")
        if (real + "/").startswith(place.rstrip("/") + "/") and len(place) >= len(found[0]):
            found = place, kind
    return found[1] if found[1] in _NETWORK else None


def _postgres(connection: Any) -> sqlalchemy.Engine:
    options = {"hide_parameters": True, "pool_pre_ping": True}
    try:
        # Airflow's own hook knows about IAM tokens, SSL and the like.
        engine: sqlalchemy.Engine = connection.get_hook().get_sqlalchemy_engine(engine_kwargs=options)
        return engine
    except (AirflowException, ImportError, AttributeError):
        return sqlalchemy.create_engine(_url_of(connection), **options)


def _url_of(connection: Any) -> sqlalchemy.URL:
    extra = {name: str(value) for name, value in connection.extra_dejson.items() if name.startswith("ssl") and value}
    return sqlalchemy.URL.create(
        f"postgresql+{_driver(connection.conn_id)}",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
        query=extra,
    )


def _driver(conn_id: str) -> str:
    from importlib.util import find_spec

    for name in ("psycopg", "psycopg2"):
        if find_spec(name) is not None:
            return name
    raise ConfigurationError(
        f"the ledger's connection {conn_id!r} needs a driver: pip install 'airflow-provider-ghl[postgres]'"
    )
