"""The parts that every operation shares: headers, the problem document and when it comes."""

from typing import Any

from tenant_context import errors
from tenant_context.errors import RmapError
from tenant_context.permissions import ROLES, allows
from tenant_context.room import stores
from tenant_context.routing import Proof, Route

Parts = dict[str, dict[str, Any]]

_TEXT = {"type": "string"}
HEADERS: Parts = {
    "X-Request-Id": {"description": "Names this request in the logs; quote it when you ask for help.", "schema": _TEXT},
    "X-Response-Time": {"description": "How long the function took.", "schema": _TEXT, "example": "4.210ms"},
    "RateLimit-Policy": {
        "description": "Requests at once (q) and in how many seconds they refill (w); calls of a UTC day, if limited.",
        "schema": _TEXT,
        "example": '"tenant";q=200;w=2, "day";q=100000;w=86400',
    },
    "RateLimit": {
        "description": "Requests left (r), and in how many seconds there are as many as ever (t).",
        "schema": _TEXT,
        "example": '"tenant";r=187;t=1, "day";r=99871;t=54000',
    },
    "ETag": {"description": "The version, to be sent as If-Match with an update.", "schema": _TEXT, "example": '"3"'},
    "Location": {"description": "Where the new thing is.", "schema": _TEXT},
    "X-Next-Cursor": {"description": "Where to go on; missing where that was all.", "schema": _TEXT},
    "X-Cache": {
        "description": "Whether the answer was there already: in the sandbox, in what all sandboxes share, or not.",
        "schema": {"type": "string", "enum": ["HIT sandbox", "HIT shared", "MISS"]},
    },
    "X-Freshness": {
        "description": "The end of the newest quarter of an hour that was counted there; else missing.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "X-Sales-Freshness": {
        "description": "The end of the newest quarter of an hour that something was sold in; else missing.",
        "schema": {"type": "string", "format": "date-time"},
    },
    "Content-Disposition": {"description": "The file's name.", "schema": _TEXT},
    "Idempotent-Replayed": {"description": "`true` where this is the answer to an earlier try.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds to wait before asking again.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "How to prove yourself.", "schema": _TEXT},
    "Allow": {"description": "The methods this address takes.", "schema": _TEXT},
}
ALWAYS = ("X-Request-Id", "X-Response-Time", "RateLimit-Policy", "RateLimit")
_EXTRA = {401: ("WWW-Authenticate",), 405: ("Allow",), 429: ("Retry-After",), 503: ("Retry-After",)}

FIELD_ERROR: dict[str, Any] = {
    "description": "One bad field.",
    "type": "object",
    "required": ["pointer", "code", "message"],
    "properties": {
        "pointer": {
            "type": "string",
            "description": "A JSON pointer into the body, or `?name` of a parameter.",
            "examples": ["/budget"],
        },
        "code": {"type": "string", "description": "Stable, for programs.", "examples": ["missing"]},
        "message": {"type": "string", "description": "A sentence, for people.", "examples": ["Field required"]},
    },
}
PROBLEM: dict[str, Any] = {
    "description": "What went wrong (RFC 9457).",
    "type": "object",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "properties": {
        "type": {"type": "string", "format": "uri", "description": "`urn:rmap:problem:` and the code."},
        "title": {"type": "string"},
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "detail": {"type": "string", "description": "What was wrong this time."},
        "instance": {"type": "string", "description": "The id of the request."},
        "code": {"type": "string", "description": "Stable, for programs."},
        "errors": {"type": "array", "items": {"$ref": "#/components/schemas/FieldError"}},
        "limit": {"type": "string", "description": "With `limit-reached`: the limit's name."},
        "value": {"type": "integer", "description": "With `limit-reached`: how much the plan and grants allow."},
        "usage": {
            "type": "integer",
            "description": "With `limit-reached`: how much is in use; with `rate-limited`: how much of the burst.",
        },
        "resets_at": {
            "type": ["string", "null"],
            "format": "date-time",
            "description": "With `limit-reached`: when the count begins anew; null where it does not.",
        },
        "feature": {"type": "string", "description": "With `feature-not-in-plan`: the feature's name."},
    },
}

_KINDS: tuple[type[RmapError], ...] = (
    errors.BadRequest,
    errors.Unauthenticated,
    errors.LimitReached,
    errors.Forbidden,
    errors.NotFound,
    errors.MethodNotAllowed,
    errors.Conflict,
    errors.PreconditionFailed,
    errors.TooLarge,
    errors.UnsupportedMediaType,
    errors.Invalid,
    errors.PreconditionRequired,
    errors.TooManyRequests,
    errors.RmapError,
    errors.Unavailable,
)
NAMES = {kind.status: "InternalError" if kind is errors.RmapError else kind.__name__ for kind in _KINDS}


def headers(*more: str) -> dict[str, Any]:
    """References to the headers of every answer, and some more."""
    return {name: {"$ref": f"#/components/headers/{name}"} for name in (*ALWAYS, *more)}


def responses() -> Parts:
    """One shared answer for each kind of problem."""
    return {NAMES[kind.status]: _response(kind) for kind in _KINDS}


def _response(kind: type[RmapError]) -> dict[str, Any]:
    example: dict[str, Any] = {
        "type": f"urn:rmap:problem:{kind.code}",
        "title": kind.title,
        "status": kind.status,
        "detail": kind.title,
        "instance": "Ff1c2h3TIAMEPrg=",
        "code": kind.code,
    }
    if kind is errors.LimitReached:
        example |= {"limit": "campaigns", "value": 50, "usage": 50, "resets_at": None}
    if kind is errors.Invalid:
        example["errors"] = [{"pointer": "/name", "code": "missing", "message": "Field required"}]
    return {
        "description": f"{kind.title}.",
        "headers": headers(*_EXTRA.get(kind.status, ())),
        "content": {
            "application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}, "example": example}
        },
    }


def possible(route: Route, *, takes_body: bool) -> list[int]:
    """The problems an operation can answer with, by status."""
    found = {400, 500, 503, *route.fails}
    if route.proof is not Proof.PUBLIC or takes_body:
        found.add(401)
    if route.proof is not Proof.PUBLIC:
        found.add(429)
    makes = route.proof is Proof.TOKEN and (route.method == "PUT" or (route.method == "POST" and takes_body))
    if makes or stores(route.permission, route.status):
        found.add(402)  # what is made is counted, or a feature of the plan, or there is no room
    if route.permission is not None:
        found.add(403)
    if "{" in route.path:
        found.add(404)
    if route.writes or (takes_body and route.proof is Proof.PUBLIC):
        found.add(409)
    if "If-Match" in route.headers:
        found |= {412, 428}
    if route.method != "GET":
        found |= {413, 415} if takes_body or not route.writes else {413}
    if takes_body or route.query is not None or route.writes:
        found.add(422)
    return sorted(found)


def needed(route: Route) -> str:
    """A sentence about who may call."""
    if route.proof is Proof.OPERATOR:
        return "For operators of the platform."
    if route.permission is None:
        return ""
    if route.owners:
        return "Needs an owner of the organization."
    if "." not in route.permission:
        return "Needs a signed-in user of any role."
    holders = [role for role, granted in ROLES.items() if allows(granted, route.permission)]
    who = f" Roles that hold it: {', '.join(holders)}." if holders and route.proof is Proof.TOKEN else ""
    return f"Needs the permission `{route.permission}`.{who}"
