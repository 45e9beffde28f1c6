"""The words of timed work."""

from enum import StrEnum


class Job(StrEnum):
    """What can be run for a tenant."""

    REFRESH_PERFORMANCE = "refresh-performance"
    HOUSEKEEPING = "housekeeping"
    REBUILD_DIRECTORY = "rebuild-directory"
    LIFE = "life"
    DUNNING = "dunning"
    USAGE = "usage"
