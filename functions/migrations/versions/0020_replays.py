"""Plain SQL: sql/0020_replays.sql."""

from functions.migrations.statements import run

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    """Forward only."""
    run("0020_replays")
