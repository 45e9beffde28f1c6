"""10,000 tenants, 100 of them far over their limits: what a quiet one's request takes beside them."""

import random
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from uuid import UUID

import msgspec
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import AUDIENCE, HOUR, ISSUER, World, http_event, silence, table, wire_function, world
from shared.signing.gateway import ALGORITHM
from shared.signing.model import Key, Ring
from shared.signing.repository import RingRepository
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.dynamo import Table
from tenant_context.errors import TooManyRequests
from tenant_context.key_ring import State
from tenant_context.leases import SharedBuckets
from tenant_context.permissions import ROLES
from tenant_context.plans import PLANS, Rate
from tenant_context.rate import RateLimiter

_COLUMNS = (Column("p50_us", "p50 µs"), Column("p99_us", "p99 µs"), Column("mean_us", "mean µs"))
_NOISY, _QUIET = 100, 9_900
_NOISE = 5
"""Requests of noisy tenants before each of a quiet one."""
_SMALL = Rate(2, 4, None)
"""What noisy tenants may: so little that nearly all they send is refused, as it is for a tenant that floods."""
_STARTER = PLANS["starter"].rate
_KID = "bench"
_OK, _REFUSED = 200, 429

Send = Callable[[int], object]
"""One request of the tenant of a number; the first hundred are noisy."""


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, requests = (8, 100) if quick else (60, 200)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        rates, ring = kept.enter_context(table(place.stack)), kept.enter_context(table(place.stack))
        tell("10,000 tokens")
        tokens = _tokens(ring)
        limiter = _limiter(rates, kept)
        handler = _handler(place, rates, ring, tokens, kept)
        kept.enter_context(silence())
        turns = {
            (f"{what}, {name}", about): _Turns(send, requests, noise)
            for what, send in (("limiter", limiter), ("handler", handler))
            for name, noise, about in (
                ("alone", 0, "requests of quiet tenants only"),
                ("among noise", _NOISE, f"{_NOISE} requests of noisy tenants before each"),
            )
        }
        rows = compete([Contestant(*key, one.turn) for key, one in turns.items()], rounds, {}, tell)
        rows = [replace(row, facts=turns[row.name, row.about].percentiles()) for row in rows]
    return Result("neighbours", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


class _Turns:
    """So many requests of quiet tenants at a turn, each timed; percentiles are of all turns but the first together."""

    def __init__(self, send: Send, requests: int, noise: int) -> None:
        self._send, self._requests, self._noise = send, requests, noise
        self._chance = random.Random(1)
        self._turns: list[list[float]] = []

    def turn(self) -> Figures:
        """Take a turn."""
        took = []
        for _ in range(self._requests):
            for _ in range(self._noise):
                self._send(self._chance.randrange(_NOISY))
            quiet = self._chance.randrange(_NOISY, _NOISY + _QUIET)
            began = time.perf_counter()
            self._send(quiet)
            took.append((time.perf_counter() - began) * 1e6)
        self._turns.append(took)
        return {"mean_us": sum(took) / len(took)}

    def percentiles(self) -> Figures:
        """Of all requests that count."""
        took = sorted(one for turn in self._turns[1:] for one in turn)
        return {"p50_us": took[len(took) // 2], "p99_us": took[len(took) * 99 // 100]}


def _rate(number: int) -> Rate:
    return _SMALL if number < _NOISY else _STARTER


def _limiter(rates: str, kept: ExitStack) -> Send:
    client = kept.enter_context(closing(AwsClient("dynamodb")))
    limiter = RateLimiter(utc_now, SharedBuckets(Table(rates, client)))
    tenants = [uuid7() for _ in range(_NOISY + _QUIET)]

    def send(number: int) -> None:
        try:
            limiter.take(tenants[number], _rate(number))
        except TooManyRequests:
            if number >= _NOISY:
                raise WrongAnswerError("a quiet tenant was refused") from None

    return send


def _handler(place: World, rates: str, ring: str, tokens: list[str], kept: ExitStack) -> Send:
    """The real handler of campaigns; a quiet tenant reads its list, which is empty."""
    more = {"RMAP_TABLE_RATES": rates, "RMAP_TABLE_SIGNING_KEYS": ring}
    module = wire_function("campaigns", place.environment() | more)
    kept.callback(module.database.close)

    def send(number: int) -> None:
        headers = {"authorization": f"Bearer {tokens[number]}"}
        status = module.handler(http_event("GET", "/api/v1/campaigns", headers=headers), None)["statusCode"]
        if status != _OK and (status != _REFUSED or number >= _NOISY):
            raise WrongAnswerError(f"{status} for tenant {number}")

    return send


def _tokens(ring: str) -> list[str]:
    """An owner's token of each tenant, signed here: KMS would take minutes."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with closing(AwsClient("dynamodb")) as client:
        made = Key(_KID, _KID, ALGORITHM, public, State.SIGNING, made_at=0, signing_at=0)
        RingRepository(Table(ring, client)).save(Ring(keys=(made,)))
    return [_token(key, uuid7(), _rate(number)) for number in range(_NOISY + _QUIET)]


def _token(key: RSAPrivateKey, tenant: UUID, rate: Rate) -> str:
    now = int(utc_now().timestamp())
    claims = {
        "sub": str(uuid7()),
        "tid": str(tenant),
        "role": "owner",
        "permissions": sorted(ROLES["owner"]),
        "rate": rate.claim(),
        "sid": str(uuid7()),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "nbf": now,
        "exp": now + HOUR,
        "jti": str(uuid7()),
    }
    signed = f"{_part({'alg': 'RS256', 'typ': 'JWT', 'kid': _KID})}.{_part(claims)}"
    return f"{signed}.{_text(key.sign(signed.encode(), PKCS1v15(), SHA256()))}"


def _part(content: object) -> str:
    return _text(msgspec.json.encode(content))


def _text(content: bytes) -> str:
    return urlsafe_b64encode(content).decode().rstrip("=")


def _goals(rows: list[Row]) -> list[Goal]:
    by_name = {row.name: row for row in rows}
    goals = []
    for what in ("limiter", "handler"):
        ratio = by_name[f"{what}, among noise"].median("p99_us") / by_name[f"{what}, alone"].median("p99_us")
        goals.append(Goal(f"{what}: p99 among noise at most 1.2 of alone", f"{ratio:.2f}", ratio <= 1.2))  # noqa: PLR2004
    return goals


_NOTES = (
    "One sandbox, one request after the other, as Lambda has it. Short turns alternate; percentiles are of all.",
    "Nearly every quiet request is its tenant's first in this sandbox, so a lease of one update is in p50 and in p99.",
    "What noise that was let through does to the database is not in this; nor is the concurrency that Lambda has.",
)
