"""Plain SQL: sql/0024_insight.sql."""

from functions.migrations.statements import run

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    """Forward only."""
    run("0024_insight")
