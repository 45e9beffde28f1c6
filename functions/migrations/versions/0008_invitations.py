"""Plain SQL: sql/0008_invitations.sql."""

from functions.migrations.statements import run

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Forward only."""
    run("0008_invitations")
