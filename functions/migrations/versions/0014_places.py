"""Plain SQL: sql/0014_places.sql."""

from functions.migrations.statements import run

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Forward only."""
    run("0014_places")
