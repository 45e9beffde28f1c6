"""Where the PostgreSQL of tests keeps its files: in memory where there is room, and nothing is left there for ever."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from local.database import Database
from local.in_memory import MEMORY, place
from local.instance import TEST, Instance
from local.ports import free
from local.vault import secrets_of

LITTLE = 1 << 20


@pytest.fixture
def wanted(tmp_path: Path) -> Iterator[Path]:
    """A folder that is to be made; what was placed for it goes with the test."""
    path = tmp_path / "postgres"
    place(path, room=LITTLE)
    if not path.is_symlink():
        pytest.skip("this machine has no filesystem in memory at /dev/shm")
    yield path
    for made in MEMORY.glob("rmap-*"):
        if (made / "of").exists() and (made / "of").read_text() == str(path):
            shutil.rmtree(made)


def fill(path: Path) -> Path:
    """Make the folder as its owner would; where it really is."""
    path.resolve().mkdir()
    (path / "kept").touch()
    return path.resolve()


def test_a_new_folder_is_in_memory_and_stays_what_it_is(wanted: Path) -> None:
    really = fill(wanted)
    place(wanted, room=LITTLE)
    assert really.is_relative_to(MEMORY)
    assert (wanted / "kept").exists()


def test_a_folder_that_is_there_stays_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    place(tmp_path / "postgres", room=LITTLE)
    assert not (tmp_path / "postgres").is_symlink()


def test_where_there_is_no_room_it_is_made_at_its_own_place(wanted: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    for memory, room in ((MEMORY, 1 << 60), (tmp_path, LITTLE), (tmp_path / "missing", LITTLE)):
        place(other, memory, room)
        assert not other.is_symlink()
    place(wanted, room=1 << 60)
    assert not wanted.is_symlink(), "what a reboot took away is no longer led to"


@pytest.mark.skipif(os.geteuid() != 0, reason="to make a folder somebody else's takes root")
def test_a_folder_that_somebody_else_made_there_is_not_used(wanted: Path) -> None:
    theirs = wanted.resolve().parent
    os.chown(theirs, 65_534, 65_534)
    wanted.unlink()
    place(wanted, room=LITTLE)
    assert not wanted.is_symlink()
    os.chown(theirs, 0, 0)


def test_what_a_reboot_took_away_is_placed_anew(wanted: Path) -> None:
    shutil.rmtree(fill(wanted).parent)
    place(wanted, room=LITTLE)
    fill(wanted)
    assert (wanted / "kept").exists()


def test_what_a_removed_checkout_left_is_cleared_away(wanted: Path, tmp_path: Path) -> None:
    really = fill(wanted)
    place(tmp_path / "other", room=1 << 60)
    assert really.exists()
    wanted.unlink()
    (really / "postmaster.pid").write_text(f"{os.getpid()}\n")
    place(tmp_path / "other", room=1 << 60)
    assert really.exists(), "one that is served"
    (really / "postmaster.pid").unlink()
    place(tmp_path / "other", room=1 << 60)
    assert not really.parent.exists()


@pytest.mark.usefixtures("wanted")
def test_the_database_of_tests_keeps_its_data_there(instance: Instance) -> None:
    tests_own = Instance(TEST, instance.home)
    tests_own.make_folders()
    link = tests_own.state / "postgres"
    if not link.is_symlink():
        pytest.skip("this machine has too little memory to spare")
    really, port = link.resolve(), free()
    for statement in ("CREATE TABLE kept AS SELECT 42", "SELECT * FROM kept"):
        database = Database(tests_own, port, secrets_of(tests_own))
        database.start()
        with psycopg.connect(database.url("rmap_owner")) as connection:
            connection.execute(statement)
        database.server.stop()
    assert (really / "PG_VERSION").exists()
    shutil.rmtree(really.parent)
