"""Plain SQL: sql/0012_exports.sql."""

from functions.migrations.statements import run

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Forward only."""
    run("0012_exports")
