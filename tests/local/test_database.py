"""The embedded PostgreSQL survives what happens to processes, files and passwords."""

import os
import signal
import subprocess
from collections.abc import Iterator

import psutil
import psycopg
import pytest

from local.database import Database
from local.errors import LocalError
from local.instance import Instance
from local.ports import free
from local.vault import secrets_of
from tests.local.harness import eventually


@pytest.fixture
def database(instance: Instance) -> Iterator[Database]:
    made = Database(instance, free(), secrets_of(instance))
    made.start()
    with psycopg.connect(made.url("rmap_owner")) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 42 AS answer")
    yield made
    made.server.stop()


def answer(database: Database) -> int:
    with psycopg.connect(database.url("rmap_owner")) as connection:
        row = connection.execute("SELECT answer FROM kept").fetchone()
    assert row is not None
    return int(row[0])


def test_starting_again_changes_nothing(database: Database) -> None:
    assert database.start() is False
    assert answer(database) == 42


def test_after_a_crash_the_data_is_there(database: Database) -> None:
    process = database.server.process()
    assert process is not None
    process.kill()
    eventually(lambda: database.server.process() is None, "the crash")
    assert database.start() is True
    assert answer(database) == 42


def test_a_stale_lock_with_a_strangers_pid_is_cleared_and_the_stranger_lives(database: Database) -> None:
    database.server.stop()
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        lock = database.data / "postmaster.pid"
        lock.write_text(f"{stranger.pid}\n{database.data}\n")
        assert database.start() is True
        assert stranger.poll() is None
        stranger.kill()
    assert answer(database) == 42


def test_a_running_server_whose_pid_file_was_lost_is_found_again(database: Database) -> None:
    before = database.server.process()
    database.server.pid_file.unlink()
    assert database.start() is False
    assert database.server.process() == before


@pytest.mark.usefixtures("database")
def test_a_running_server_on_an_old_port_makes_way(instance: Instance) -> None:
    moved = Database(instance, free(), secrets_of(instance))
    assert moved.start() is True
    try:
        assert answer(moved) == 42
    finally:
        moved.server.stop()


def test_lost_passwords_are_set_anew_without_touching_the_data(database: Database, instance: Instance) -> None:
    database.server.stop()
    (instance.folder / "secrets.json").unlink()
    again = Database(instance, database.port, secrets_of(instance))
    assert again.start() is True
    assert answer(again) == 42


def test_a_half_finished_first_start_is_begun_again(instance: Instance) -> None:
    (instance.state / "postgres.new").mkdir()
    (instance.state / "postgres.new" / "half").touch()
    database = Database(instance, free(), secrets_of(instance))
    database.start()
    database.server.stop()
    assert not (instance.state / "postgres.new").exists()


def test_a_folder_with_other_files_is_never_initialised(instance: Instance) -> None:
    database = Database(instance, free(), secrets_of(instance))
    database.data.mkdir()
    (database.data / "precious").touch()
    with pytest.raises(LocalError, match="no PostgreSQL cluster that is complete"):
        database.start()
    assert (database.data / "precious").exists()


def test_wrong_passwords_are_refused(database: Database) -> None:
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(f"postgresql://rmap_app:wrong@127.0.0.1:{database.port}/rmap")


def test_the_application_role_is_bound_by_row_level_security(database: Database) -> None:
    with psycopg.connect(database.admin_url()) as connection:
        row = connection.execute(
            "SELECT rolbypassrls, rolsuper, rolcreaterole FROM pg_roles WHERE rolname = 'rmap_app'"
        ).fetchone()
    assert row == (False, False, False)


def test_the_owner_may_alter_the_application_role_but_not_become_it(database: Database) -> None:
    with psycopg.connect(database.url("rmap_owner"), autocommit=True) as connection:
        connection.execute("ALTER ROLE rmap_app SET statement_timeout = '25s'")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE rmap_app")


def test_a_durable_instance_flushes_to_disk_and_a_test_instance_does_not(instance: Instance) -> None:
    fast = Instance("test", instance.home)
    commands = [" ".join(Database(made, 1, secrets_of(instance)).server.command) for made in (instance, fast)]
    assert ["fsync=off" in command for command in commands] == [False, True]


def test_stopping_ends_open_sessions_in_an_orderly_way(database: Database) -> None:
    with psycopg.connect(database.url("rmap_app")) as connection:
        connection.execute("SELECT 1")
        assert database.server.stop() is True
        with pytest.raises(psycopg.OperationalError):
            connection.execute("SELECT 1")
    assert "database system is shut down" in database.server.log.read_text()


def test_a_stranger_with_our_old_pid_is_not_taken_for_the_server(database: Database) -> None:
    database.server.stop()
    own = psutil.Process(os.getpid())
    text = f'{{"pid": {own.pid}, "started": {own.create_time()}, "command": []}}'
    database.server.pid_file.write_text(text)
    assert database.server.process() is None
    assert database.server.stop() is False
    assert own.is_running()
    assert signal.getsignal(signal.SIGINT) is not None
