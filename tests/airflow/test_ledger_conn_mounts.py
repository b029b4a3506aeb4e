"""A ledger on a network file system is refused: which kind a path is on, by made-up ``/proc/mounts``."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from airflow_provider_ghl.exceptions import ConfigurationError
from airflow_provider_ghl.hooks import ledger as places

REMEDY = "set ledger_conn_id on the connection, or [ghl] ledger_conn_id, to an Airflow connection of a PostgreSQL database"
MOUNTS = (
    b"overlay / overlay rw 0 0\n"
    b"\n"
    b"odd line\n"
    b"server:/home /home nfs4 rw,addr=10.0.0.1 0 0\n"
    b"/dev/sdb1 /home/local ext4 rw 0 0\n"
    b"//nas/data /mnt/my\\040data cifs rw 0 0\n"
    b"//nas/odd /mnt/back\\134slash cifs rw 0 0\n"
    b"server:/x /mnt/\xc3\xbcbung nfs rw 0 0\n"
    b"server:/y /mnt/\xff\xfe nfs rw 0 0\n"
    b"systemd-1 /auto autofs rw 0 0\n"
    b"server:/auto /auto nfs rw 0 0\n"
    b"server:/below /covered nfs rw 0 0\n"
    b"tmpfs /covered tmpfs rw 0 0\n"
    b"bucket /bucket fuse.s3fs rw 0 0\n"
)


@pytest.fixture
def mounts(tmp_path: Path) -> Path:
    path = tmp_path / "mounts"
    path.write_bytes(MOUNTS)
    return path


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/opt/airflow/ghl_ledger.db", None),
        ("/home/airflow/ghl_ledger.db", "nfs4"),
        ("/home/local/ghl_ledger.db", None),
        ("/home/localhost/ghl_ledger.db", "nfs4"),
        ("/homes/ghl_ledger.db", None),
        ("/mnt/my data/ghl_ledger.db", "cifs"),
        ("/mnt/my/ghl_ledger.db", None),
        ("/mnt/back\\slash/ghl_ledger.db", "cifs"),
        ("/mnt/übung/ghl_ledger.db", "nfs"),
        ("/auto/ghl_ledger.db", "nfs"),
        ("/covered/ghl_ledger.db", None),
        ("/bucket/a/b/c/ghl_ledger.db", "fuse.s3fs"),
        ("/opt/../home/x.db", "nfs4"),
    ],
)
def test_the_longest_match_wins_and_of_two_the_later(mounts: Path, path: str, kind: str | None) -> None:
    assert places._network_kind(Path(path), mounts) == kind


def test_names_that_are_no_text(mounts: Path) -> None:
    assert places._network_kind(Path(os.fsdecode(b"/mnt/\xff\xfe/ledger.db")), mounts) == "nfs"


def test_a_link_is_followed(tmp_path: Path, mounts: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    mounts.write_text(f"overlay / overlay rw 0 0\nserver:/ {tmp_path}/real nfs rw 0 0\n")
    assert places._network_kind(tmp_path / "link" / "not yet there" / "ledger.db", mounts) == "nfs"
    assert places._network_kind(tmp_path / "ledger.db", mounts) is None


def test_where_the_system_does_not_tell(tmp_path: Path) -> None:
    assert places._network_kind(Path("/home/ledger.db"), tmp_path / "no such file") is None


def test_it_is_refused_with_the_remedy(tmp_path: Path, mounts: Path) -> None:
    mounts.write_text(f"overlay / overlay rw 0 0\nserver:/ {tmp_path} nfs rw 0 0\n")
    with pytest.raises(ConfigurationError) as refused:
        places._sqlite(tmp_path / "ledger.db", mounts)
    message = f"the ledger {tmp_path}/ledger.db would be on a network file system (nfs), which loses its locks: {REMEDY}"
    assert str(refused.value) == message
