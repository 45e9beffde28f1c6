"""The peer: FastAPI, SQLAlchemy 2 on psycopg with a pool, PyJWT, pydantic answers.

    uvicorn --factory bench.peers.service:from_environment

It does what ours does: proves the token on each request, checks the permission, enters the tenant in the request's
transaction under the same row level security, writes one JSON log line, and on a write keeps the answer for the
Idempotency-Key, an outbox row and an audit entry. It spares itself our rate limit, metrics and problem documents,
and psycopg may prepare its statements, which behind RDS Proxy it could not.
"""

import base64
import hashlib
import json
import logging
import os
import sys
import time
from collections.abc import Awaitable, Callable, Iterator, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import create_engine, select, text
from sqlalchemy.orm import Session, selectinload, sessionmaker

from bench.peers.shapes import CampaignIn, CampaignOut, CampaignPage, Status
from bench.peers.tables import AuditEntry, Campaign, CampaignSite, IdempotencyKey, OutboxEvent
from tenant_context.clock import uuid7

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]

_ENTER = text(
    "SELECT set_config('app.tenant_id', :tenant, true), set_config('app.user_id', :user, true),"
    " set_config('app.request_id', :request, true)"
)
_log = logging.getLogger("peer")


@dataclass(frozen=True)
class PeerSettings:
    """Where the peer finds its database and whose tokens it believes."""

    database_url: str
    public_key: str
    issuer: str
    audience: str


@dataclass(frozen=True)
class Caller:
    """A proved caller."""

    tenant: UUID
    user: UUID
    permissions: frozenset[str]

    def may(self, permission: str) -> bool:
        """Whether a grant covers the permission, wildcards included."""
        area, _, verb = permission.partition(".")
        return not self.permissions.isdisjoint({"*", permission, f"{area}.*", f"*.{verb}"})


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        return json.dumps(
            {"level": record.levelname, "timestamp": datetime.now(UTC).isoformat(), "message": record.getMessage()}
            | getattr(record, "keys", {})
        )


class RequestLog:
    """Pure ASGI middleware: one log line for each request (FastAPI's own kind costs more)."""

    def __init__(self, app: Callable[[Scope, Receive, Send], Awaitable[None]]) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and note how it ended."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id, started, status = str(uuid7()), time.perf_counter(), 0
        scope.setdefault("state", {})["request_id"] = request_id

        async def noting(message: Scope) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode())]
            await send(message)

        await self._app(scope, receive, noting)
        duration = round((time.perf_counter() - started) * 1000, 3)
        keys = {"requestId": request_id, "operation": scope["path"], "duration": duration, "status": status}
        _log.info("done", extra={"keys": keys})


def make(settings: PeerSettings) -> FastAPI:
    """The application."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    _log.handlers, _log.propagate = [handler], False
    _log.setLevel(logging.INFO)
    engine = create_engine(settings.database_url, pool_size=5, max_overflow=5)
    make_session = sessionmaker(engine, expire_on_commit=False)
    key = jwt.PyJWK.from_json(settings.public_key).key
    app = FastAPI()
    app.add_middleware(RequestLog)
    bearer = HTTPBearer()

    def caller(credentials: Annotated[HTTPAuthorizationCredentials, Depends(bearer)]) -> Caller:
        try:
            claims = jwt.decode(
                credentials.credentials,
                key,
                algorithms=["RS256"],
                audience=settings.audience,
                issuer=settings.issuer,
                leeway=30,
                options={"require": ["sub", "tid", "role", "permissions", "sid", "iss", "aud", "iat", "exp", "jti"]},
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "The access token is not valid.") from error
        return Caller(UUID(claims["tid"]), UUID(claims["sub"]), frozenset(claims["permissions"]))

    def permitted(permission: str) -> Callable[[Caller], Caller]:
        def check(proved: Annotated[Caller, Depends(caller)]) -> Caller:
            if not proved.may(permission):
                raise HTTPException(403, "The permission is missing.")
            return proved

        return check

    def session(request: Request, proved: Annotated[Caller, Depends(caller)]) -> Iterator[Session]:
        with make_session() as opened, opened.begin():
            values = {"tenant": str(proved.tenant), "user": str(proved.user), "request": request.state.request_id}
            opened.execute(_ENTER, values)
            yield opened

    @app.get("/api/v1/campaigns", response_model=CampaignPage)
    def index(
        proved: Annotated[Caller, Depends(permitted("campaigns.read"))],
        opened: Annotated[Session, Depends(session, scope="function")],
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
        cursor: str | None = None,
        status: Status | None = None,
    ) -> CampaignPage:
        query = select(Campaign).where(Campaign.tenant_id == proved.tenant).options(selectinload(Campaign.sites))
        if status is not None:
            query = query.where(Campaign.status == status)
        if cursor is not None:
            query = query.where(Campaign.id < UUID(bytes=base64.urlsafe_b64decode(cursor + "==")))
        found = opened.scalars(query.order_by(Campaign.id.desc()).limit(limit + 1)).all()
        shown = found[:limit]
        more = base64.urlsafe_b64encode(shown[-1].id.bytes).decode().rstrip("=") if len(found) > limit else None
        return CampaignPage(items=[_shown(campaign) for campaign in shown], next_cursor=more)

    @app.post("/api/v1/campaigns", response_model=CampaignOut, status_code=201)
    def create(
        body: CampaignIn,
        request: Request,
        response: Response,
        proved: Annotated[Caller, Depends(permitted("campaigns.create"))],
        opened: Annotated[Session, Depends(session, scope="function")],
        idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
    ) -> CampaignOut | Response:
        actor = f"user:{proved.user}"
        digest = hashlib.sha256(body.model_dump_json().encode()).digest()
        if idempotency_key is not None:
            kept = opened.get(IdempotencyKey, (proved.tenant, actor, idempotency_key))
            if kept is not None and kept.request_hash != digest:
                raise HTTPException(422, "This Idempotency-Key was used for another request.")
            if kept is not None:
                return Response(kept.body, kept.status, media_type="application/json")
        campaign = _campaign(body, proved)
        event, now = uuid7(), campaign.created_at
        answer = _shown(campaign)
        details = answer.model_dump(mode="json", include={"id", "name", "type", "status", "budget", "currency"})
        subject = f"campaign/{campaign.id}"
        opened.add_all(
            [
                campaign,
                AuditEntry(
                    tenant_id=proved.tenant,
                    id=event,
                    at=now,
                    actor=actor,
                    action="campaign.created",
                    subject=subject,
                    request_id=request.state.request_id,
                    details=details,
                ),
                OutboxEvent(
                    tenant_id=proved.tenant,
                    id=event,
                    type="campaign.created",
                    subject=subject,
                    data=details,
                    created_at=now,
                ),
            ]
        )
        response.headers["etag"] = f'"{campaign.version}"'
        response.headers["location"] = f"/api/v1/campaigns/{campaign.id}"
        if idempotency_key is not None:
            opened.add(
                IdempotencyKey(
                    tenant_id=proved.tenant,
                    actor=actor,
                    key=idempotency_key,
                    request_hash=digest,
                    status=201,
                    headers=[f"{name}: {value}" for name, value in response.headers.items()],
                    body=answer.model_dump_json().encode(),
                    created_at=now,
                )
            )
        return answer

    return app


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
        type=campaign.type,
        status=campaign.status,
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
