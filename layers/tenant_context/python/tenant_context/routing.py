"""Routes as declarations: what address, who may, which shapes. One without a permission does not start.

    routes = Routes("campaigns")

    @routes.write("POST", "/api/v1/campaigns", permission="campaigns.create", body=CampaignIn, answer=CampaignOut)
    def create(call: Call[CampaignIn], tx: Transaction) -> Answer: ...

    @routes.read("/api/v1/campaigns/{campaign_id}", permission="campaigns.read", answer=CampaignOut)
    def show(call: Call[None]) -> Answer: ...

The same declarations make the OpenAPI document.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any, Generic, TypeVar
from uuid import UUID

import msgspec

from tenant_context.bodies import kind_of
from tenant_context.context import TenantContext
from tenant_context.errors import BadRequest, MethodNotAllowed, NotFound, PreconditionRequired
from tenant_context.states import Need

JSON = ("application/json",)
MAX_BODY = 1_048_576
"""Bytes of a request's body unless its route says otherwise."""

SIGNED_IN = "signed-in"
"""The permission of routes that any signed-in user may use, on themselves."""

Body = TypeVar("Body")


class Proof(StrEnum):
    """What a route asks of its caller before anything else."""

    TOKEN = "token"  # noqa: S105  a word, not a secret
    KEY = "key"
    PUBLIC = "public"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a route says: `content` is ready bytes, or anything msgspec encodes.

    `kept` is what is remembered in its place for a repeated Idempotency-Key, where the content shows a secret once.
    """

    content: Any = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str = "application/json"
    kept: Any = None


@dataclass(slots=True)
class Call(Generic[Body]):
    """One request as a route sees it: everything is checked already."""

    tenant: TenantContext
    path: Mapping[str, str]
    query: Any
    body: Body
    headers: Mapping[str, str]
    raw: bytes
    source_ip: str
    request_id: str

    @property
    def content_type(self) -> str:
        """The media type of the body, without its parameters, in lower case."""
        return kind_of(self.headers, self.raw)

    def id(self, name: str) -> UUID:
        """An id of the path; the entry point has checked that it is one."""
        return UUID(self.path[name])

    def expected_version(self) -> int:
        """The version that If-Match names; raises `PreconditionRequired` without the header."""
        value = self.headers.get("if-match")
        if value is None:
            raise PreconditionRequired("Send If-Match with the ETag you read, so that no change is lost.")
        match = re.fullmatch(r'(?:W/)?"([0-9]{1,18})"', value.strip())
        if match is None:
            raise BadRequest('If-Match is one ETag as this API gives it, for example "3".')
        return int(match[1])


def etag(version: int) -> dict[str, str]:
    """The header that names a version."""
    return {"etag": f'"{version}"'}


Handler = Callable[..., Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """One declaration."""

    method: str
    path: str
    handler: Handler
    permission: str | None
    proof: Proof
    body: Any
    query: Any
    answer: Any
    status: int
    writes: bool
    content_types: tuple[str, ...]
    max_body: int
    summary: str
    hidden: bool
    headers: tuple[str, ...] = ()
    recent: bool = False
    """Whether its user must have proved who they are within fifteen minutes: for what is sensitive."""
    reads: Any = None
    """The body's shape where the route reads `call.raw` itself: for the OpenAPI document."""
    fails: tuple[int, ...] = ()
    """The problems it may answer with beside those that follow from the declaration: for the OpenAPI document."""
    owners: bool = False
    """Whether only the organization's owners may ask it, as its service judges: for the OpenAPI document."""
    need: Need | None = None
    """What it wants of its tenant's state, where its permission and method do not say it; its service asks for more."""
    lines: bool = False
    """Whether it answers JSON Lines, each of the answer's shape: for the OpenAPI document."""
    types: tuple[str, ...] = ()
    """The media types it answers in, where that is not JSON: for the OpenAPI document."""
    tells: tuple[str, ...] = ()
    """The headers of its answer beside those that follow from the declaration: for the OpenAPI document."""

    @property
    def operation(self) -> str:
        """The route's name in logs, metrics and OpenAPI: `campaigns.launch`, by function and handler."""
        function = self.handler.__module__.removeprefix("functions.").partition(".")[0]
        return f"{function}.{self.handler.__name__}"


class Routes:
    """The routes of one function, found by a literal look-up first and patterns after."""

    def __init__(self) -> None:
        self.all: list[Route] = []
        self._literal: dict[str, dict[str, Route]] = {}
        self._patterns: list[tuple[re.Pattern[str], dict[str, Route]]] = []
        self._by_path: dict[str, dict[str, Route]] = {}

    def read(
        self,
        path: str,
        *,
        permission: str | None = None,
        proof: Proof = Proof.TOKEN,
        query: Any = None,
        answer: Any = None,
        hidden: bool = False,
        recent: bool = False,
        fails: tuple[int, ...] = (),
        lines: bool = False,
        types: tuple[str, ...] = (),
        tells: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        """Declare a GET."""
        return self._declare(
            "GET",
            path,
            permission=permission,
            proof=proof,
            query=query,
            answer=answer,
            hidden=hidden,
            recent=recent,
            fails=fails,
            lines=lines,
            types=types,
            tells=tells,
        )

    def write(
        self,
        method: str,
        path: str,
        *,
        permission: str | None = None,
        proof: Proof = Proof.TOKEN,
        body: Any = None,
        query: Any = None,
        answer: Any = None,
        status: int = 200,
        max_body: int = MAX_BODY,
        headers: tuple[str, ...] = (),
        recent: bool = False,
        owners: bool = False,
    ) -> Callable[[Handler], Handler]:
        """Declare a change; its handler also gets the tenant's open transaction, `tx`."""
        return self._declare(
            method,
            path,
            permission=permission,
            proof=proof,
            body=body,
            query=query,
            answer=answer,
            status=status,
            writes=True,
            max_body=max_body,
            headers=headers,
            recent=recent,
            owners=owners,
        )

    def act(
        self,
        method: str,
        path: str,
        *,
        permission: str | None = None,
        proof: Proof = Proof.TOKEN,
        body: Any = None,
        reads: Any = None,
        query: Any = None,
        answer: Any = None,
        status: int = 200,
        content_types: tuple[str, ...] = JSON,
        max_body: int = MAX_BODY,
        recent: bool = False,
        fails: tuple[int, ...] = (),
        need: Need | None = None,
    ) -> Callable[[Handler], Handler]:
        """Declare a call that opens no tenant's transaction of itself (log-in, ingest)."""
        return self._declare(
            method,
            path,
            permission=permission,
            proof=proof,
            body=body,
            reads=reads,
            query=query,
            answer=answer,
            status=status,
            content_types=content_types,
            max_body=max_body,
            recent=recent,
            fails=fails,
            need=need,
        )

    def _declare(
        self,
        method: str,
        path: str,
        *,
        permission: str | None,
        proof: Proof,
        body: Any = None,
        query: Any = None,
        answer: Any = None,
        status: int = 200,
        writes: bool = False,
        content_types: tuple[str, ...] = JSON,
        max_body: int = MAX_BODY,
        hidden: bool = False,
        headers: tuple[str, ...] = (),
        recent: bool = False,
        reads: Any = None,
        fails: tuple[int, ...] = (),
        owners: bool = False,
        need: Need | None = None,
        lines: bool = False,
        types: tuple[str, ...] = (),
        tells: tuple[str, ...] = (),
    ) -> Callable[[Handler], Handler]:
        if proof in {Proof.TOKEN, Proof.KEY} and permission is None:
            raise TypeError(f"{method} {path} declares no permission")
        if recent and proof is not Proof.TOKEN:
            raise TypeError(f"{method} {path} asks a key or nobody to log in again")
        if method in {"PATCH", "PUT"} and writes:
            headers = (*headers, "If-Match")

        def declare(handler: Handler) -> Handler:
            summary = (handler.__doc__ or "").strip().partition("\n")[0]
            route = Route(
                method=method,
                path=path,
                handler=handler,
                permission=permission,
                proof=proof,
                body=body,
                query=query,
                answer=answer,
                status=status,
                writes=writes,
                content_types=content_types,
                max_body=max_body,
                summary=summary,
                hidden=hidden,
                headers=headers,
                recent=recent,
                reads=reads,
                fails=fails,
                owners=owners,
                need=need,
                lines=lines,
                types=types,
                tells=tells,
            )
            self._add(route)
            return handler

        return declare

    def _add(self, route: Route) -> None:
        methods = self._by_path.get(route.path)
        if methods is None:
            methods = self._by_path[route.path] = {}
            if "{" in route.path:
                pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(route.path))
                self._patterns.append((re.compile(pattern), methods))
            else:
                self._literal[route.path] = methods
        if route.method in methods:
            raise TypeError(f"{route.method} {route.path} is declared twice")
        methods[route.method] = route
        self.all.append(route)

    def find(self, method: str, path: str) -> tuple[Route, Mapping[str, str]]:
        """The route of a request and its path parameters; raises `NotFound` or `MethodNotAllowed`."""
        methods, parameters = self._match(path)
        route = methods.get("GET" if method == "HEAD" else method)
        if route is None or (method == "HEAD" and route.status != 200):  # noqa: PLR2004  a GET that does something
            raise MethodNotAllowed(_listed(methods))
        return route, parameters

    def methods(self, path: str) -> tuple[str, ...]:
        """The methods an address takes; raises `NotFound`."""
        return _listed(self._match(path)[0])

    def _match(self, path: str) -> tuple[dict[str, Route], Mapping[str, str]]:
        literal = self._literal.get(path)
        if literal is not None:
            return literal, {}
        for pattern, methods in self._patterns:
            match = pattern.fullmatch(path)
            if match is not None:
                return methods, match.groupdict()
        raise NotFound(f"There is no address {path[:200]} here.")


def _listed(methods: Mapping[str, Route]) -> tuple[str, ...]:
    reads = "GET" in methods and methods["GET"].status == 200  # noqa: PLR2004  as above
    return tuple(sorted({*methods, *({"HEAD"} if reads else ())}))


def encode(content: Any) -> bytes:
    """JSON bytes of an answer; ready bytes pass through."""
    if content is None:
        return b""
    if isinstance(content, bytes):
        return content
    return msgspec.json.encode(content)


def at_status(route: Route, answer: Answer) -> Answer:
    """The answer at the status its route declares, unless it says another one itself."""
    if answer.status != 200 or route.status == 200:  # noqa: PLR2004  HTTP's plain OK
        return answer
    return replace(answer, status=route.status)
