"""Plain SQL: sql/0023_wishes.sql."""

from functions.migrations.statements import run

revision = "0023"
down_revision = "0018"


def upgrade() -> None:
    """Forward only."""
    run("0023_wishes")
