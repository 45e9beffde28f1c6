"""The words of timed work."""

from enum import StrEnum

from tenant_context.states import Need


class Job(StrEnum):
    """What can be run for a tenant."""

    REFRESH_PERFORMANCE = "refresh-performance"
    HOUSEKEEPING = "housekeeping"
    REBUILD_DIRECTORY = "rebuild-directory"
    LIFE = "life"
    DUNNING = "dunning"
    USAGE = "usage"


NEEDS: dict[str, Need] = {Job.USAGE: Need.SETTLE}
"""What a job wants of its tenant, where that is not `TIMED`: what was used is told while Stripe still takes it."""
