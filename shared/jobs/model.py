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
    QUALITY = "quality"
    WATCH = "watch"


NEEDS: dict[str, Need] = {Job.USAGE: Need.SETTLE, Job.LIFE: Need.SETTLE}
"""What a job wants of its tenant, where that is not `TIMED`.

What was used is told while Stripe still takes it. And doors that did not hear that a tenant is suspended or closed are
told so: of all states it is these that have to be heard.
"""
