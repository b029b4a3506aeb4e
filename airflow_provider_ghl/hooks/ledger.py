"""Opens the ledger that an Airflow connection names, and refuses places that cannot hold one."""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path
from typing import Any

import sqlalchemy
from airflow.sdk.configuration import conf
from airflow.sdk.exceptions import AirflowException

from airflow_provider_ghl.exceptions import ConfigurationError, LedgerError
from airflow_provider_ghl.hooks.settings import get_connection
from airflow_provider_ghl.load.ledger.database import Database
from airflow_provider_ghl.load.ledger.ledger import Ledger
from airflow_provider_ghl.load.ledger.reader import LedgerReader, ReadOnlyDatabase
from airflow_provider_ghl.load.ledger.schema import is_prepared

__all__ = ["configured", "default_path", "find_ledger", "make_engine", "open_ledger", "read_ledger", "warnings_about"]

_FILE = "ghl_ledger.db"
_REMEDY = "set ledger_conn_id on the connection, or [ghl] ledger_conn_id, to an Airflow connection of a PostgreSQL database"
#: Executors that run tasks on the scheduler's own machine.
_LOCAL = {"LocalExecutor", "SequentialExecutor"}
#: File systems whose locks and shared memory SQLite cannot rely on.
_NETWORK = (
    "nfs", "nfs4", "cifs", "smb3", "smbfs", "afs", "ceph", "lustre", "gpfs", "beegfs", "glusterfs", "fuse.glusterfs",
    "fuse.ceph", "fuse.sshfs", "fuse.s3fs", "fuse.mountpoint-s3", "fuse.gcsfuse", "fuse.blobfuse", "fuse.blobfuse2",
    "fuse.goofys", "fuse.rclone", "fuse.juicefs", "davfs", "fuse.davfs2",
)  # fmt: skip
_MOUNTS = Path("/proc/mounts")
#: A mount point's blank is written as ``\040`` there.
_ESCAPED = re.compile(rb"\\([0-7]{3})")
#: A network that swallows packets must not hold a task for ever. To connect takes 10 seconds at most. A connection that is
#: silent counts as lost after a minute: while it waits for an answer (keepalives, in seconds), and while it waits for the
#: receipt of what it sent (milliseconds).
_TIMEOUTS = {
    "connect_timeout": 10,
    "keepalives": 1,
    "keepalives_idle": 30,
    "keepalives_interval": 10,
    "keepalives_count": 3,
    "tcp_user_timeout": 60_000,
}
#: What else of a connection's extra is meant for the driver; the rest is Airflow's, and the driver would refuse it.
_FOR_DRIVER = re.compile(
    r"ssl\w+|gss\w+|options|application_name|target_session_attrs|channel_binding|require_auth|passfile|hostaddr|krbsrvname"
)


def open_ledger(conn_id: str | None) -> Ledger:
    """The ledger of an Airflow connection; else of the one in ``[ghl] ledger_conn_id``; else a file in ``AIRFLOW_HOME``.

    :raises ConfigurationError: there is no such connection, or it cannot hold a ledger; the message says what could.
    :raises LedgerError: the database fails.
    """
    engine = make_engine(conn_id or configured())
    if engine.dialect.name == "sqlite":
        _make_folder(Path(str(engine.url.database)).parent)
    return Ledger(engine)


def find_ledger(conn_id: str | None) -> tuple[str, Ledger | None]:
    """Where the ledger is, and the ledger itself if there is one already: none is made. Errors as in :func:`open_ledger`.

    A server that is away is not waited for, since a person waits for the answer.
    """
    engine = make_engine(conn_id or configured())
    database = Database(engine, longest_outage=0.0)
    is_there = database.file is None or database.file.is_file()
    if is_there and database.read(is_prepared):
        return database.where, Ledger(engine, longest_outage=0.0)
    database.close()
    return database.where, None


def read_ledger(conn_id: str | None) -> tuple[str, LedgerReader | None]:
    """Where the ledger is, and one that only reads it, if there is one already. Errors as in :func:`open_ledger`.

    Nothing is made, migrated or written. A ledger of an earlier release is an error: the next load migrates it.
    """
    engine = make_engine(conn_id or configured())
    database = ReadOnlyDatabase(engine)
    is_there = (database.file is None or database.file.is_file()) and database.read(is_prepared)
    database.close()
    return database.where, LedgerReader(engine) if is_there else None


def make_engine(conn_id: str | None) -> sqlalchemy.Engine:
    """An engine for the ledger alone. Errors as in :func:`open_ledger`."""
    if conn_id is None:
        return _sqlite(default_path())
    connection = get_connection(conn_id)
    if connection.conn_type == "sqlite":
        if not connection.host or connection.host == ":memory:":
            raise ConfigurationError(f"connection {conn_id!r} names no file: its host is the path of the SQLite ledger")
        return _sqlite(Path(connection.host))
    if connection.conn_type not in ("postgres", "postgresql"):
        raise ConfigurationError(
            f"connection {conn_id!r} is of type {connection.conn_type!r}: a ledger is kept in PostgreSQL or SQLite"
        )
    return _postgres(connection)


def configured() -> str | None:
    """The connection in ``[ghl] ledger_conn_id``; ``None`` where that is empty."""
    return conf.get("ghl", "ledger_conn_id", fallback=None) or None


def default_path() -> Path:
    """Where the ledger is where nothing names another place."""
    home = Path(os.path.expandvars(os.environ.get("AIRFLOW_HOME") or "~/airflow"))  # as Airflow reads it
    return home.expanduser().absolute() / _FILE


def warnings_about(ledger: Ledger) -> list[str]:
    """What may be wrong with where the ledger is; each load logs it."""
    if ledger.file is None:
        return []
    warnings = []
    if remote := sorted(_executors(conf.get("core", "executor", fallback="")) - _LOCAL):
        warnings.append(
            f"The ledger {ledger.where} is a file of this machine, and {', '.join(remote)} may run the next try on another, "
            f"which would know nothing of this one: {_REMEDY}."
        )
    if _is_open_to_all(ledger.file):
        warnings.append(
            f"Every user of this machine may read the ledger {ledger.where}, or write to it, and it holds record ids and row "
            "keys: chmod o-rwx it, and the files beside it (-wal, -shm)."
        )
    return warnings


def _is_open_to_all(file: Path) -> bool:
    try:
        return bool(file.stat().st_mode & (stat.S_IROTH | stat.S_IWOTH))
    except OSError:
        return False


def _executors(configured: str) -> set[str]:
    """Their classes' names, those of all teams: ``LocalExecutor,alias:a_module.CeleryExecutor;team=KubernetesExecutor``."""
    named = (part.rpartition("=")[2].rpartition(":")[2].strip() for part in re.split("[;,]", configured))
    return {name.rpartition(".")[2] for name in named if name}


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(f"the ledger's folder {folder} cannot be made ({type(error).__name__}): {_REMEDY}") from error


def _sqlite(path: Path, mounts: Path = _MOUNTS) -> sqlalchemy.Engine:
    # Tasks run in whatever folder their worker was started in, so that a relative path would be another one tomorrow.
    path = default_path().parent / path.expanduser()
    if kind := _network_kind(path, mounts):
        raise ConfigurationError(
            f"the ledger {path} would be on a network file system ({kind}), which loses its locks: {_REMEDY}"
        )
    return sqlalchemy.create_engine(sqlalchemy.URL.create("sqlite", database=str(path)), hide_parameters=True)


def _network_kind(path: Path, mounts: Path) -> str | None:
    """The network file system that a path is on, such as ``nfs``; ``None`` where it is on none, or that is not known."""
    try:
        lines = [line.split() for line in mounts.read_bytes().splitlines()]
    except OSError:
        return None
    real = os.fsencode(os.path.realpath(path)) + b"/"
    found = b"", b""
    for _, place, kind, *_ in (line for line in lines if len(line) > 2):
        place = _ESCAPED.sub(lambda escaped: bytes([int(escaped[1], 8) & 0xFF]), place)
        # Of two at one place the later lies on top.
        if real.startswith(place.rstrip(b"/") + b"/") and len(place) >= len(found[0]):
            found = place, kind
    kind_of_path = found[1].decode(errors="replace")
    return kind_of_path if kind_of_path in _NETWORK else None


def _postgres(connection: Any) -> sqlalchemy.Engine:
    options = {"hide_parameters": True, "pool_pre_ping": True, "connect_args": _arguments(connection.extra_dejson)}
    hook = _airflow_hook(connection)
    if hook is None:
        return sqlalchemy.create_engine(_url(connection), **options)
    try:
        engine: sqlalchemy.Engine = hook.get_sqlalchemy_engine(engine_kwargs=options)
    except Exception as error:  # noqa: BLE001 - whatever the hook and the cloud's own libraries raise
        raise _hook_failure(connection.conn_id, error) from None
    if connection.extra_dejson.get("iam"):
        _renew_tokens(engine, hook)
    return engine


def _airflow_hook(connection: Any) -> Any:
    """Airflow's own hook, which knows about clouds' tokens; ``None`` where its provider is not installed."""
    try:
        hook = connection.get_hook()
    except (AirflowException, ImportError, AttributeError):
        return None
    return hook if hasattr(hook, "get_sqlalchemy_engine") else None


def _hook_failure(conn_id: str, error: Exception) -> Exception:
    """The text of Airflow's own errors says what is missing; the texts of others may hold secrets and are left out."""
    is_airflows = isinstance(error, AirflowException | ImportError)
    text = f"{type(error).__name__}: {error}" if is_airflows else type(error).__name__
    kind = ConfigurationError if is_airflows or isinstance(error, ValueError | TypeError) else LedgerError
    return kind(f"Airflow's hook cannot make an engine of the ledger's connection {conn_id!r} ({text})")


def _renew_tokens(engine: sqlalchemy.Engine, hook: Any) -> None:
    """Get a new token for each connection: a cloud's token is good for minutes, and a load takes hours."""

    @sqlalchemy.event.listens_for(engine, "do_connect")
    def renew(dialect: Any, record: Any, arguments: list[Any], parameters: dict[str, Any]) -> None:
        try:
            url = hook.sqlalchemy_url
        except Exception as error:  # noqa: BLE001 - as above
            raise _hook_failure(hook.get_conn_id(), error) from None
        parameters.update(user=url.username, password=url.password)


def _arguments(extra: dict[str, Any]) -> dict[str, Any]:
    """The driver's arguments besides the address. Airflow's hook would pass on none of the extra, not even ``sslmode``."""
    query = extra.get("sqlalchemy_query")
    options = {**(query if isinstance(query, dict) else {}), **extra}
    chosen = {name: value for name, value in options.items() if name in _TIMEOUTS or _FOR_DRIVER.fullmatch(name)}
    return {**_TIMEOUTS, **{name: value for name, value in chosen.items() if value not in (None, "")}}


def _url(connection: Any) -> sqlalchemy.URL:
    return sqlalchemy.URL.create(
        f"postgresql+{_driver(connection.conn_id)}",
        username=connection.login,
        password=connection.password,
        host=connection.host,
        port=connection.port,
        database=connection.schema,
    )


def _driver(conn_id: str) -> str:
    from importlib.util import find_spec

    for name in ("psycopg", "psycopg2"):
        if find_spec(name) is not None:
            return name
    raise ConfigurationError(
        f"the ledger's connection {conn_id!r} needs a driver: pip install 'airflow-provider-ghl[postgres]'"
    )
