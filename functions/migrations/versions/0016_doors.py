"""Plain SQL: sql/0016_doors.sql."""

from functions.migrations.statements import run

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    """Forward only."""
    run("0016_doors")
