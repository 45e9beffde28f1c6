"""Plain SQL: sql/0025_uploads.sql."""

from functions.migrations.statements import run

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    """Forward only."""
    run("0025_uploads")
