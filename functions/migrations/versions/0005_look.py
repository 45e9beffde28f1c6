"""Plain SQL: sql/0005_look.sql."""

from functions.migrations.statements import run

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Forward only."""
    run("0005_look")
