"""Plain SQL: sql/0010_sign_on.sql."""

from functions.migrations.statements import run

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Forward only."""
    run("0010_sign_on")
