"""Plain SQL: sql/0026_standings.sql."""

from functions.migrations.statements import run

revision = "0026"
down_revision = "0025"


def upgrade() -> None:
    """Forward only."""
    run("0026_standings")
