"""Plain SQL: sql/0022_sites.sql."""

from functions.migrations.statements import run

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    """Forward only."""
    run("0022_sites")
