"""Plain SQL: sql/0001_tenancy.sql."""

from functions.migrations.statements import run

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Forward only."""
    run("0001_tenancy")
