"""The peer's callers and its log: who asks, proved by PyJWT on each request, and one JSON line about it."""

import json
import logging
import time
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any
from uuid import UUID

import jwt
from fastapi import Depends, HTTPException
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from tenant_context.clock import uuid7

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Scope]]
Send = Callable[[Scope], Awaitable[None]]

_bearer = HTTPBearer()
_log = logging.getLogger("peer")
_CLAIMS = ["sub", "tid", "role", "permissions", "sid", "iss", "aud", "iat", "exp", "jti"]


@dataclass(frozen=True)
class Caller:
    """A proved caller."""

    tenant: UUID
    user: UUID
    permissions: frozenset[str]

    @property
    def actor(self) -> str:
        """The caller as the audit log names it."""
        return f"user:{self.user}"

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


class Tokens:
    """Dependencies that prove callers by their access tokens."""

    def __init__(self, public_key: str, issuer: str, audience: str) -> None:
        self._key = jwt.PyJWK.from_json(public_key).key
        self._issuer = issuer
        self._audience = audience

    async def caller(self, credentials: Annotated[HTTPAuthorizationCredentials, Depends(_bearer)]) -> Caller:
        """Whoever the token was given to; async, because a hop to a thread costs more than the signature."""
        try:
            claims = jwt.decode(
                credentials.credentials,
                self._key,
                algorithms=["RS256"],
                audience=self._audience,
                issuer=self._issuer,
                leeway=30,
                options={"require": _CLAIMS},
            )
        except jwt.InvalidTokenError as error:
            raise HTTPException(401, "The access token is not valid.") from error
        return Caller(UUID(claims["tid"]), UUID(claims["sub"]), frozenset(claims["permissions"]))

    def holding(self, permission: str) -> Callable[[Caller], Awaitable[Caller]]:
        """A caller with a permission."""

        async def check(proved: Annotated[Caller, Depends(self.caller)]) -> Caller:
            if not proved.may(permission):
                raise HTTPException(403, "The permission is missing.")
            return proved

        return check


def log_to(stream: Any) -> None:
    """Write the peer's lines there."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    _log.handlers, _log.propagate = [handler], False
    _log.setLevel(logging.INFO)
