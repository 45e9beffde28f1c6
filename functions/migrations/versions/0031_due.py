"""Plain SQL: sql/0031_due.sql."""

from functions.migrations.statements import run

revision = "0031"
down_revision = "0030"


def upgrade() -> None:
    """Forward only."""
    run("0031_due")
