"""Plain SQL: sql/0019_wishes.sql."""

from functions.migrations.statements import run

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    """Forward only."""
    run("0019_wishes")
