"""The peer: FastAPI, SQLAlchemy 2 on psycopg with a pool, PyJWT, pydantic answers.

    uvicorn --factory bench.peers.service:from_environment

It does what ours does: proves the token on each request, checks the permission, enters the tenant in the request's
transaction under the same row level security, writes one JSON log line, and on a write keeps the answer for the
Idempotency-Key, an outbox row and an audit entry. It spares itself our rate limit, metrics and problem documents,
and psycopg may prepare its statements, which behind RDS Proxy it could not.
"""

import base64
import hashlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from sqlalchemy import create_engine, func, select, text
from sqlalchemy.orm import Session, selectinload, sessionmaker

from bench.peers.callers import Caller, RequestLog, Tokens, log_to
from bench.peers.shapes import CampaignIn, CampaignOut, CampaignPage, CampaignType, Status
from bench.peers.tables import AuditEntry, Campaign, CampaignSite, IdempotencyKey, OutboxEvent
from tenant_context.clock import uuid7

_ENTER = text(
    "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :user, true),"
    " set_config('app.request_id', :request, true)"
)


@dataclass(frozen=True)
class PeerSettings:
    """Where the peer finds its database and whose tokens it believes."""

    database_url: str
    public_key: str
    issuer: str
    audience: str


class Transactions:
    """Opens a request's transaction in its caller's tenant.

    In the route and not as a dependency: so a request is one hop to a worker thread and not three.
    """

    def __init__(self, database_url: str) -> None:
        engine = create_engine(database_url, pool_size=5, max_overflow=5)
        self._session = sessionmaker(engine, expire_on_commit=False)

    @contextmanager
    def open(self, request: Request, caller: Caller) -> Iterator[Session]:
        """The transaction: committed when the block ends, before the answer is sent."""
        with self._session() as session, session.begin():
            values = {"tenant": str(caller.tenant), "user": str(caller.user), "request": request.state.request_id}
            session.execute(_ENTER, values)
            yield session


def make(settings: PeerSettings) -> FastAPI:
    """The application."""
    log_to(sys.stdout)
    tokens = Tokens(settings.public_key, settings.issuer, settings.audience)
    transactions = Transactions(settings.database_url)
    app = FastAPI()
    app.add_middleware(RequestLog)
    _add_index(app, tokens, transactions)
    _add_lean_index(app, tokens, transactions)
    _add_create(app, tokens, transactions)
    return app


def _add_index(app: FastAPI, tokens: Tokens, transactions: Transactions) -> None:
    @app.get("/api/v1/campaigns")
    def index(
        proved: Annotated[Caller, Depends(tokens.holding("campaigns.read"))],
        request: Request,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: str | None = None,
        status: Status | None = None,
    ) -> CampaignPage:
        query = select(Campaign).where(Campaign.tenant_id == proved.tenant).options(selectinload(Campaign.sites))
        if status is not None:
            query = query.where(Campaign.status == status)
        if cursor is not None:
            query = query.where(Campaign.id < UUID(bytes=base64.urlsafe_b64decode(cursor + "==")))
        with transactions.open(request, proved) as session:
            found = session.scalars(query.order_by(Campaign.id.desc()).limit(limit + 1)).all()
        items = found[:limit]
        more = base64.urlsafe_b64encode(items[-1].id.bytes).decode().rstrip("=") if len(found) > limit else None
        return CampaignPage(items=[_shown(campaign) for campaign in items], next_cursor=more)


def _add_lean_index(app: FastAPI, tokens: Tokens, transactions: Transactions) -> None:
    """The same list by one who knows what an ORM costs: columns, not entities, and the stores in the same statement."""
    stores = (
        select(CampaignSite.site_id)
        .where(CampaignSite.tenant_id == Campaign.tenant_id, CampaignSite.campaign_id == Campaign.id)
        .order_by(CampaignSite.site_id)
    )
    shown = [getattr(Campaign, name) for name in CampaignOut.model_fields if name != "site_ids"]
    columns = (*shown, func.array(stores.scalar_subquery()).label("site_ids"))

    @app.get("/lean/campaigns")
    def lean(
        proved: Annotated[Caller, Depends(tokens.holding("campaigns.read"))],
        request: Request,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> CampaignPage:
        query = select(*columns).where(Campaign.tenant_id == proved.tenant).order_by(Campaign.id.desc())
        with transactions.open(request, proved) as session:
            found = session.execute(query.limit(limit + 1)).mappings().all()
        items = [CampaignOut.model_validate(dict(row)) for row in found[:limit]]
        more = base64.urlsafe_b64encode(items[-1].id.bytes).decode().rstrip("=") if len(found) > limit else None
        return CampaignPage(items=items, next_cursor=more)


def _add_create(app: FastAPI, tokens: Tokens, transactions: Transactions) -> None:
    @app.post("/api/v1/campaigns", response_model=CampaignOut, status_code=201)
    def create(
        body: CampaignIn,
        request: Request,
        response: Response,
        proved: Annotated[Caller, Depends(tokens.holding("campaigns.create"))],
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> CampaignOut | Response:
        digest = hashlib.sha256(body.model_dump_json().encode()).digest()
        with transactions.open(request, proved) as session:
            if idempotency_key is not None:
                kept = session.get(IdempotencyKey, (proved.tenant, proved.actor, idempotency_key))
                if kept is not None:
                    return _again(kept, digest)
            campaign = _campaign(body, proved)
            answer = _shown(campaign)
            session.add(campaign)
            _tell(session, proved, answer, request.state.request_id)
            response.headers["etag"] = f'"{campaign.version}"'
            response.headers["location"] = f"/api/v1/campaigns/{campaign.id}"
            if idempotency_key is not None:
                key = {"tenant_id": proved.tenant, "actor": proved.actor, "key": idempotency_key}
                row = IdempotencyKey(**key, request_hash=digest, status=201, created_at=campaign.created_at)
                row.headers = [f"{name}: {value}" for name, value in response.headers.items()]
                row.body = answer.model_dump_json().encode()
                session.add(row)
        return answer


def _again(kept: IdempotencyKey, digest: bytes) -> Response:
    """The first attempt's answer."""
    if kept.request_hash != digest:
        raise HTTPException(422, "This Idempotency-Key was used for another request.")
    return Response(kept.body, kept.status, media_type="application/json")


def _tell(session: Session, caller: Caller, campaign: CampaignOut, request_id: str) -> None:
    """The audit entry and the outbox row of a new campaign."""
    fields = {"id", "name", "type", "status", "budget", "currency", "version"}
    details = campaign.model_dump(mode="json", include=fields)
    event, kind, subject, now = uuid7(), "campaign.created", f"campaign/{campaign.id}", campaign.created_at
    entry = AuditEntry(tenant_id=caller.tenant, id=event, at=now, actor=caller.actor, action=kind, subject=subject)
    entry.request_id, entry.details = request_id, details
    waiting = OutboxEvent(tenant_id=caller.tenant, id=event, type=kind, subject=subject, data=details, created_at=now)
    session.add_all([entry, waiting])


def _campaign(body: CampaignIn, caller: Caller) -> Campaign:
    now, campaign_id = datetime.now(UTC), uuid7()
    return Campaign(
        **body.model_dump(exclude={"site_ids"}),
        tenant_id=caller.tenant,
        id=campaign_id,
        status=Status.DRAFT,
        version=1,
        created_by=caller.user,
        created_at=now,
        updated_at=now,
        launched_at=None,
        sites=[CampaignSite(tenant_id=caller.tenant, site_id=site) for site in sorted(set(body.site_ids))],
    )


def _shown(campaign: Campaign) -> CampaignOut:
    return CampaignOut(
        id=campaign.id,
        name=campaign.name,
        type=CampaignType(campaign.type),
        status=Status(campaign.status),
        budget=campaign.budget,
        currency=campaign.currency,
        starts_at=campaign.starts_at,
        ends_at=campaign.ends_at,
        site_ids=[site.site_id for site in campaign.sites],
        version=campaign.version,
        created_by=campaign.created_by,
        created_at=campaign.created_at,
        updated_at=campaign.updated_at,
        launched_at=campaign.launched_at,
    )


def from_environment() -> FastAPI:
    """The application as `uvicorn --factory` finds it."""
    return make(
        PeerSettings(
            database_url=os.environ["PEER_DATABASE_URL"],
            public_key=os.environ["PEER_PUBLIC_KEY"],
            issuer=os.environ["PEER_ISSUER"],
            audience=os.environ["PEER_AUDIENCE"],
        )
    )
