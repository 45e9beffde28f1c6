"""What came of it, read back through the API and held against what went in."""

from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from local.demo.api import ApiError, wait_for
from local.demo.tenants import SignedIn

_NOT_FOUND = 404


class Unequal(Exception):
    """What the platform says does not add up to what it was given."""


def equal(what: str, told: Any, given: Any) -> None:
    """Hold a number of the platform's against the one that was given. Raises `Unequal`."""
    if told != given:
        raise Unequal(f"{what}: the platform says {told}, what it was given makes {given}.")


def is_done(tenant: SignedIn, batch: str) -> dict[str, Any] | None:
    """What became of a batch, once all of it is processed."""
    try:
        shown: dict[str, Any] = tenant.api.get(f"/api/v1/ingest/batches/{batch}")
    except ApiError as error:
        if error.status == _NOT_FOUND:  # listed once its first part is processed
            return None
        raise
    return shown if shown["state"] == "done" else None


def settled(tenant: SignedIn, batch: str) -> dict[str, Any]:
    """What became of a batch, as soon as all of it is processed; nothing of it is set aside."""
    done: dict[str, Any] = wait_for("a batch", partial(is_done, tenant, batch), seconds=300)
    equal("rows quarantined", done["quarantined"], 0)
    return done


def total(tenant: SignedIn, site: dict[str, Any], metric: str, span: str) -> Decimal:
    """A metric of a site over a span; zero where nothing was counted."""
    shown = tenant.api.get(f"/api/v1/sites/{site['id']}/metrics?metric={metric}&{span}")["total"]
    return Decimal(str(shown or 0))


@dataclass(frozen=True)
class Performance:
    """What a campaign did over all its days, as of the last refresh."""

    days: int
    footfall: int
    revenue: Decimal


def refresh(tenant: SignedIn) -> None:
    """Have the tenant's campaigns reckoned now, by the work that the schedule starts as well."""
    run = tenant.api.post("/api/v1/jobs/refresh-performance/run")["id"]
    wait_for("the refresh", lambda: tenant.api.get(f"/api/v1/jobs/runs/{run}")["status"] == "done", seconds=300)


def performance(tenant: SignedIn, campaign: str) -> Performance:
    """A campaign's days, added up."""
    days = tenant.api.get(f"/api/v1/campaigns/{campaign}/performance")["items"]
    footfall = sum(day["footfall"] for day in days)
    return Performance(len(days), footfall, sum((Decimal(day["revenue"]) for day in days), Decimal(0)))
