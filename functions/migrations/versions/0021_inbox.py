"""Plain SQL: sql/0021_inbox.sql."""

from functions.migrations.statements import run

revision = "0021"
down_revision = "0020"


def upgrade() -> None:
    """Forward only."""
    run("0021_inbox")
