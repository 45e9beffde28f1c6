"""Plain SQL: sql/0002_stores.sql."""

from functions.migrations.statements import run

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Forward only."""
    run("0002_stores")
