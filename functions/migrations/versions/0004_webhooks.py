"""Plain SQL: sql/0004_webhooks.sql."""

from functions.migrations.statements import run

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Forward only."""
    run("0004_webhooks")
