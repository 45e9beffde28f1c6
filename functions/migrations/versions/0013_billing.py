"""Plain SQL: sql/0013_billing.sql."""

from functions.migrations.statements import run

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Forward only."""
    run("0013_billing")
