"""Plain SQL: sql/0009_roles.sql."""

from functions.migrations.statements import run

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Forward only."""
    run("0009_roles")
