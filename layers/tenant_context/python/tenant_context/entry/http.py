"""The HTTP door: API Gateway's payload 2.0 in, RFC 9457 problems or answers out, never a stack trace.

In this order: the edge (where there is one), no webhook of our own, address and method, body size, proof (token, key,
operator), tenant named twice, permission, the tenant's state, rate, body and parameters, then the route, in the
tenant's transaction where it writes.
"""

import base64
import re
from collections.abc import Mapping
from typing import Any, Protocol, cast
from uuid import UUID

from tenant_context import bodies
from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.context import Source, TenantContext
from tenant_context.errors import (
    BadRequest,
    Forbidden,
    NotFound,
    OwnWebhook,
    RmapError,
    Unauthenticated,
    Unavailable,
    UnsupportedMediaType,
)
from tenant_context.events import WEBHOOK_AGENT
from tenant_context.observability import Invocation, Observability
from tenant_context.plans import USUAL
from tenant_context.rate import RateLimiter, policy, untouched
from tenant_context.refusals import StorageFull
from tenant_context.room import stores
from tenant_context.routing import SIGNED_IN, Answer, Call, Proof, Route, Routes, at_status, encode
from tenant_context.states import admit

_VERSIONED = re.compile(r"/api/v(\d+)(/|$)")
_KNOWN_VERSIONS = frozenset({"1"})
_BEARER = "bearer "
_POLICY, _UNTOUCHED = policy(USUAL.rate), untouched(USUAL.rate)
"""What an answer says on its limits where nobody was proved."""


class Prover(Protocol):
    """Proves a caller from the request's credential; raises `Unauthenticated`."""

    def prove(self, credential: str, request_id: str, address: str = "") -> TenantContext:
        """The context the credential opens, for who asks from an address."""


class Writer(Protocol):
    """Runs the routes that write, each in its tenant's transaction."""

    def write(self, route: Route, call: Call[Any], service: Any, method: str, path: str) -> Answer:
        """The route's answer, once its transaction has committed."""


class Gate(Protocol):
    """What stands in front of the API, where something does."""

    def admit(self, headers: Mapping[str, str]) -> None:
        """Refuses, as `Forbidden`, what went around it."""

    def caller(self, headers: Mapping[str, str], neighbour: str) -> str:
        """The address of who asked it."""


class Meter(Protocol):
    """Counts requests."""

    def count(self, tenant: TenantContext) -> None:
        """One more."""

    def tell_if_due(self) -> None:
        """Tell what was counted, if it is time; never raises."""


class _Uncounted:
    """Where nothing counts requests."""

    def count(self, tenant: TenantContext) -> None:
        pass

    def tell_if_due(self) -> None:
        pass


class HttpEntry:
    """`handler(event, context)` of an HTTP function."""

    def __init__(
        self,
        routes: Routes,
        service: Any,
        *,
        observability: Observability,
        limiter: RateLimiter,
        clock: Clock,
        provers: Mapping[Proof, Prover],
        writer: Writer | None = None,
        edge: Gate | None = None,
        meter: Meter | None = None,
    ) -> None:
        self._routes = routes
        self._service = service
        self._observability = observability
        self._limiter = limiter
        self._clock = clock
        self._provers = provers
        self._writer = writer
        self._edge = edge
        self._meter = meter or _Uncounted()
        needed = {route.proof for route in routes.all} - {Proof.PUBLIC}
        if missing := needed - provers.keys():
            raise TypeError(f"no way to prove: {', '.join(sorted(missing))}")
        if writer is None and any(route.writes for route in routes.all):
            raise TypeError("a route writes, but the function has no database")

    def __call__(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """Answer one request."""
        http = event["requestContext"]
        request_id = http.get("requestId") or getattr(context, "aws_request_id", "")
        with self._observability.invocation(request_id, "unrouted") as invocation:
            extra: dict[str, str] = {}
            try:
                answer = self._answer(event, http, request_id, invocation, extra)
                body = encode(answer.content)
            except RmapError as error:
                answer, body = _refusal(error, request_id)
            except AwsError as error:
                self._observability.exception("an AWS service failed", code=error.code)
                answer, body = _refusal(Unavailable("A service behind this one does not answer."), request_id)
            except Exception:  # noqa: BLE001  the door: whatever it was, the caller gets a problem document
                self._observability.exception("unforeseen error")
                answer, body = _refusal(RmapError("The error was logged under this request id."), request_id)
            invocation.success = answer.status < 500  # noqa: PLR2004  HTTP's own boundary
            invocation.keys["status"] = answer.status
            self._meter.tell_if_due()
            return self._wire(answer, body, request_id, invocation, extra, head=http["http"]["method"] == "HEAD")

    def _answer(
        self,
        event: Mapping[str, Any],
        http: Mapping[str, Any],
        request_id: str,
        invocation: Invocation,
        extra: dict[str, str],
    ) -> Answer:
        headers: Mapping[str, str] = event.get("headers") or {}
        address = http["http"].get("sourceIp", "")
        if self._edge is not None:
            self._edge.admit(headers)
            address = self._edge.caller(headers, address)
        if headers.get("user-agent", "").startswith(WEBHOOK_AGENT):
            raise OwnWebhook("Webhooks of this platform cannot call it; have them call a receiver of your own.")
        path = _versioned(event["rawPath"], headers)
        method = http["http"]["method"]
        if method == "OPTIONS":
            return self._options(path)
        route, parameters = self._routes.find(method, path)
        invocation.operation = route.operation
        tenant = self._prove(route, headers, request_id, address)
        if tenant is not None:
            invocation.caller(tenant)
            _agree(tenant, headers)
            self._permit(route, tenant)
            left = self._limiter.take(tenant.tenant, tenant.rate)
            extra |= {"ratelimit-policy": policy(tenant.rate), "ratelimit": left}
            self._meter.count(tenant)
        raw = bodies.raw_body(event, headers, route.max_body)
        call = Call(
            tenant=cast("TenantContext", tenant),  # only public routes have none, and they read none
            path=_checked(parameters),
            query=bodies.parse_query(route.query, event.get("rawQueryString") or ""),
            body=None,
            headers=headers,
            raw=raw,
            source_ip=address,
            request_id=request_id,
        )
        if route.body is not None or (raw and not route.writes):
            _check_content_type(route, call)
        if route.body is not None:
            call.body = bodies.parse_body(route.body, raw)
        if not route.writes:
            return at_status(route, route.handler(call, self._service))
        if self._writer is None:
            raise TypeError("a write without a database")
        return self._writer.write(route, call, self._service, method, path)

    def _permit(self, route: Route, tenant: TenantContext) -> None:
        if tenant.source is Source.KEY and (route.recent or route.permission == SIGNED_IN):
            raise Forbidden("This is for users, not for keys.")
        if route.permission is not None and route.permission != SIGNED_IN:
            tenant.require(route.permission)
        admit(tenant.state, route.permission, route.method, route.need)
        if tenant.full and stores(route.permission, route.status):
            raise StorageFull(tenant.full.gb, tenant.full.size)
        if route.recent:
            tenant.require_recent(self._clock().timestamp())

    def _prove(self, route: Route, headers: Mapping[str, str], request_id: str, address: str) -> TenantContext | None:
        if route.proof is Proof.PUBLIC:
            return None
        authorization = headers.get("authorization", "")
        takes_keys = route.proof is Proof.KEY or (route.proof is Proof.TOKEN and not authorization)
        credential = headers.get("x-api-key", "") if takes_keys else ""
        if not credential and authorization[: len(_BEARER)].lower() == _BEARER:
            credential = authorization[len(_BEARER) :].strip()
        if not credential and route.proof is Proof.KEY:
            credential = _password(authorization)
        if not credential:
            raise Unauthenticated("Send Authorization: Bearer <token or API key>.")
        if route.proof is Proof.KEY and _is_token(credential):
            raise Unauthenticated(f"This address takes API keys with {route.permission} only, and no user's token.")
        return self._provers[route.proof].prove(credential, request_id, address)

    def _options(self, path: str) -> Answer:
        allowed = self._routes.methods(path)
        return Answer(status=204, headers={"allow": ", ".join(allowed)})

    def _wire(
        self,
        answer: Answer,
        body: bytes,
        request_id: str,
        invocation: Invocation,
        extra: Mapping[str, str],
        *,
        head: bool,
    ) -> dict[str, Any]:
        headers = {
            "content-type": answer.content_type,
            "cache-control": "no-store",
            "x-content-type-options": "nosniff",
            "ratelimit-policy": _POLICY,
            "ratelimit": _UNTOUCHED,
            "x-request-id": request_id,
            **extra,
            **{name.lower(): value for name, value in answer.headers.items()},
        }
        # Both are lists (RFC 9651): what a route limits beside its calls comes after them.
        for name in extra.keys() & answer.headers.keys():
            headers[name] = f"{extra[name]}, {answer.headers[name]}"
        binary = not answer.content_type.startswith(("application/json", "application/problem", "text/"))
        headers["x-response-time"] = f"{invocation.elapsed_ms():.3f}ms"
        return {
            "statusCode": answer.status,
            "headers": headers,
            "body": "" if head else base64.b64encode(body).decode() if binary else body.decode(),
            "isBase64Encoded": binary and not head,
        }


def _is_token(credential: str) -> bool:
    """Whether it is written as access tokens are: three parts, of which the first is a JSON object in base64."""
    return credential.startswith("eyJ") and credential.count(".") == 2  # noqa: PLR2004  RFC 7519


def _password(authorization: str) -> str:
    """The password of Basic authentication (RFC 7617), where a device that knows nothing else puts its key."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return ""
    try:
        return base64.b64decode(credentials.strip(), validate=True).decode().partition(":")[2]
    except ValueError:
        return ""


def _versioned(path: str, headers: Mapping[str, str]) -> str:
    """The path with its version: what stands in it decides, else X-API-Version, else 1."""
    if not path.startswith("/api/"):
        return path
    if match := _VERSIONED.match(path):
        if match[1] not in _KNOWN_VERSIONS:
            raise NotFound(f"There is no version {match[1][:5]} of this API.")
        return path
    version = headers.get("x-api-version", "1").strip()
    if version not in _KNOWN_VERSIONS:
        raise BadRequest("X-API-Version names no version of this API; 1 is one.")
    return f"/api/v{version}{path.removeprefix('/api')}"


def _checked(parameters: Mapping[str, str]) -> Mapping[str, str]:
    """Ids in paths are UUIDs; one that is not names nothing."""
    for name, value in parameters.items():
        if not name.endswith("_id"):
            continue
        try:
            UUID(value)
        except ValueError as error:
            raise NotFound from error
    return parameters


def _agree(tenant: TenantContext, headers: Mapping[str, str]) -> None:
    """The credential's tenant is authoritative; a header that says otherwise is refused."""
    named = headers.get("x-tenant-id")
    if named is not None and named.strip().lower() != str(tenant.tenant):
        raise Forbidden("X-Tenant-ID names another tenant than the credential.")


def _check_content_type(route: Route, call: Call[Any]) -> None:
    if call.content_type not in route.content_types:
        raise UnsupportedMediaType(f"Send Content-Type: {' or '.join(route.content_types)}.")


def _refusal(error: RmapError, request_id: str) -> tuple[Answer, bytes]:
    body = bodies.problem(error.status, error.code, error.title, error.detail, request_id, error.errors, error.members)
    return Answer(status=error.status, headers=error.headers, content_type="application/problem+json"), body
