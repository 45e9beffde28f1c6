"""Plain SQL: sql/0018_doors.sql."""

from functions.migrations.statements import run

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    """Forward only."""
    run("0018_doors")
