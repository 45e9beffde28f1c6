"""The plain handler: how an API function on Lambda is usually begun, with the libraries our functions do the work of.

Powertools' logger, metrics, tracer and resolver with validation, boto3 with two clients, psycopg, ten pydantic models,
PyJWT. Nothing in it is there to be slow, and it does its imports once, at the top, as everyone's does.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any
from uuid import UUID

import boto3
import jwt
import psycopg
from aws_lambda_powertools import Logger, Metrics, Tracer
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver
from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import BaseModel, Field

logger = Logger(service="plain")
metrics = Metrics(namespace="PLAIN", service="plain")
tracer = Tracer(service="plain")
app = APIGatewayHttpResolver(enable_validation=True)
queue = boto3.client("sqs")
bus = boto3.client("events")


class CampaignIn(BaseModel):
    """What a caller sends."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    budget: Annotated[Decimal, Field(ge=0, max_digits=14, decimal_places=2)]
    currency: Annotated[str, Field(pattern=r"^[A-Z]{3}$")] = "USD"
    starts_at: datetime | None = None
    ends_at: datetime | None = None
    site_ids: list[UUID] = []


class CampaignOut(CampaignIn):
    """What a caller gets."""

    id: UUID
    status: str
    version: int
    created_at: datetime
    updated_at: datetime


class CampaignPage(BaseModel):
    """A page."""

    items: list[CampaignOut]
    next_cursor: str | None


class SiteIn(BaseModel):
    """A store."""

    name: Annotated[str, Field(min_length=1, max_length=255)]
    code: str
    time_zone: str


class SiteOut(SiteIn):
    """A store as answered."""

    id: UUID
    version: int


class SensorIn(BaseModel):
    """A counter."""

    site: UUID
    serial: str
    interval_minutes: Annotated[int, Field(ge=1, le=60)]


class SensorOut(SensorIn):
    """A counter as answered."""

    id: UUID


class Point(BaseModel):
    """A moment's value."""

    start: datetime
    value: int | None
    coverage: float


class Series(BaseModel):
    """A metric."""

    metric: str
    points: list[Point]


class Problem(BaseModel):
    """An error."""

    title: str
    status: int
    detail: str


@app.get("/api/v1/campaigns")
def index(limit: Annotated[int, Query(ge=1, le=200)] = 50) -> CampaignPage:
    """List campaigns."""
    with psycopg.connect() as connection:
        connection.execute("SELECT 1", (limit,))
    return CampaignPage(items=[], next_cursor=None)


@app.post("/api/v1/campaigns")
def create(campaign: CampaignIn) -> Problem:
    """Create a campaign."""
    jwt.decode(campaign.name, options={"verify_signature": False})
    return Problem(title="", status=501, detail="")


@tracer.capture_lambda_handler
@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """The entry point."""
    return app.resolve(event, context)
