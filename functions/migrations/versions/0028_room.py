"""Plain SQL: sql/0028_room.sql."""

from functions.migrations.statements import run

revision = "0028"
down_revision = "0027"


def upgrade() -> None:
    """Forward only."""
    run("0028_room")
