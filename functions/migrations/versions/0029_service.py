"""Plain SQL: sql/0029_service.sql."""

from functions.migrations.statements import run

revision = "0029"
down_revision = "0028"


def upgrade() -> None:
    """Forward only."""
    run("0029_service")
