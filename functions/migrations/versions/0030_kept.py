"""Plain SQL: sql/0030_kept.sql."""

from functions.migrations.statements import run

revision = "0030"
down_revision = "0029"


def upgrade() -> None:
    """Forward only."""
    run("0030_kept")
