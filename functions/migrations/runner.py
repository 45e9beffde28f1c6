"""Applies migrations under a lock that the whole cluster knows, so that two deployments never run at once."""

from pathlib import Path

import psycopg
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, RevisionStep
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, pool
from sqlalchemy.engine import Connection

_LOCK = 7_266_727  # any number; every migration of this platform takes this one


def script_directory() -> ScriptDirectory:
    """The revisions as files beside this module."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return ScriptDirectory.from_config(config)


def migrate(connection: psycopg.Connection[tuple[object, ...]], target: str = "head") -> tuple[str, str]:
    """Bring the database to a revision in one transaction; answers the revisions before and after.

    Waits for another migration that is running, and then finds nothing left to do. A failing migration changes
    nothing and raises what PostgreSQL said. A database at a revision of a later release stays as it is: every
    migration expands, so the code of the release before works with it.
    """
    engine = create_engine("postgresql+psycopg://", creator=lambda: connection, poolclass=pool.StaticPool)
    scripts = script_directory()
    with engine.connect() as bound, bound.begin():
        bound.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
        before = _present(bound)
        if _is_ahead(scripts, before):
            return before, before
        _upgrade(bound, scripts, target)
        return before, _present(bound)


def _present(bound: Connection) -> str:
    return MigrationContext.configure(bound).get_current_revision() or "empty"


def _is_ahead(scripts: ScriptDirectory, present: str) -> bool:
    """Whether the database is at a revision that comes after all that are known here: their names are numbers."""
    known = {script.revision for script in scripts.walk_revisions()}
    return present not in {"empty", *known} and present > max(known)


def _upgrade(bound: Connection, scripts: ScriptDirectory, target: str) -> None:
    def steps(revision: tuple[str, ...], _context: MigrationContext) -> list[RevisionStep]:
        return scripts._upgrade_revs(target, revision)  # type: ignore[arg-type]  # noqa: SLF001

    environment = EnvironmentContext(Config(), scripts, fn=steps)
    with environment:
        environment.configure(connection=bound, target_metadata=None, fn=steps)
        environment.run_migrations()
