"""Plain SQL: sql/0023_days.sql."""

from functions.migrations.statements import run

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    """Forward only."""
    run("0023_days")
