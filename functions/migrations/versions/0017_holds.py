"""Plain SQL: sql/0017_holds.sql."""

from functions.migrations.statements import run

revision = "0017"
down_revision = "0016"


def upgrade() -> None:
    """Forward only."""
    run("0017_holds")
