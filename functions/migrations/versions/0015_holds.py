"""Plain SQL: sql/0015_holds.sql."""

from functions.migrations.statements import run

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Forward only."""
    run("0015_holds")
