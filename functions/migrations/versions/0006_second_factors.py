"""Plain SQL: sql/0006_second_factors.sql."""

from functions.migrations.statements import run

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Forward only."""
    run("0006_second_factors")
