"""Plain SQL: sql/0027_currencies.sql."""

from functions.migrations.statements import run

revision = "0027"
down_revision = "0026"


def upgrade() -> None:
    """Forward only."""
    run("0027_currencies")
