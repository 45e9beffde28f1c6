"""Plain SQL: sql/0007_confirmed_addresses.sql."""

from functions.migrations.statements import run

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Forward only."""
    run("0007_confirmed_addresses")
