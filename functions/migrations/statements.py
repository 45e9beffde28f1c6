"""Runs one file of plain SQL inside the migration's transaction."""

from pathlib import Path

import psycopg
from alembic import op

_SQL = Path(__file__).parent / "sql"


def run(name: str) -> None:
    """Execute sql/<name>.sql as it stands: the driver itself takes it, so no character in it has a second meaning."""
    connection = op.get_bind().connection.driver_connection
    if not isinstance(connection, psycopg.Connection):
        raise TypeError("migrations run through psycopg")
    connection.execute((_SQL / f"{name}.sql").read_bytes())
