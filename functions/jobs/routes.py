"""The addresses of jobs."""

from functions.jobs.schemas import JobsOut, RunOut, RunPage, StartedOut
from shared.jobs.model import Job
from shared.jobs.service import Jobs
from tenant_context.postgres import Transaction
from tenant_context.routing import Answer, Call, Routes
from tenant_context.wire import PageQuery, page

routes = Routes()


@routes.read("/api/v1/jobs", permission="jobs.read", answer=JobsOut)
def index(_call: Call[None], _jobs: Jobs) -> Answer:
    """List the jobs that can be run."""
    return Answer({"items": [job.value for job in Job]})


@routes.write("POST", "/api/v1/jobs/{name}/run", permission="jobs.run", answer=StartedOut, status=202)
def run(call: Call[None], tx: Transaction, jobs: Jobs) -> Answer:
    """Run a job for your organization, now."""
    started = jobs.run(tx, call.path["name"])
    headers = {"location": f"/api/v1/jobs/runs/{started}"}
    return Answer({"id": started, "job": call.path["name"], "status": "queued"}, headers=headers)


@routes.read("/api/v1/jobs/runs", permission="jobs.read", query=PageQuery, answer=RunPage)
def runs(call: Call[None], jobs: Jobs) -> Answer:
    """List runs, newest first."""
    query: PageQuery = call.query
    return Answer(page(jobs.page(call.tenant, after=query.after(), limit=query.limit + 1), query.limit))


@routes.read("/api/v1/jobs/runs/{run_id}", permission="jobs.read", answer=RunOut)
def show(call: Call[None], jobs: Jobs) -> Answer:
    """Read a run."""
    return Answer(jobs.show(call.tenant, call.id("run_id")))
