"""Plain SQL: sql/0032_rested.sql."""

from functions.migrations.statements import run

revision = "0032"
down_revision = "0031"


def upgrade() -> None:
    """Forward only."""
    run("0032_rested")
