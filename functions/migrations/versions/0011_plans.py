"""Plain SQL: sql/0011_plans.sql."""

from functions.migrations.statements import run

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Forward only."""
    run("0011_plans")
