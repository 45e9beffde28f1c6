"""Plain SQL: sql/0003_campaigns.sql."""

from functions.migrations.statements import run

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Forward only."""
    run("0003_campaigns")
