"""The schedule door: EventBridge Scheduler's call in, a count of what was started out."""

from collections.abc import Callable, Mapping
from typing import Any

from tenant_context.observability import Observability

Job = Callable[[str, Mapping[str, Any]], int]
"""Takes the run's id and the schedule's input; answers how many pieces of work it started or did."""


class ScheduleEntry:
    """`handler(event, context)` of a function that a schedule triggers; a failure is raised, so it is retried."""

    def __init__(self, job: Job, *, name: str, observability: Observability) -> None:
        self._job = job
        self._name = name
        self._observability = observability

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, int]:
        """Run the job once."""
        with self._observability.invocation(context.aws_request_id, self._name) as invocation:
            invocation.success = False
            done = self._job(context.aws_request_id, event or {})
            invocation.keys["started"] = done
            invocation.success = True
        return {"started": done}
