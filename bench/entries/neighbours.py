"""Noisy tenants asking at once, let through or refused: what a quiet one's request takes beside them."""

import os
import random
import sys
import time
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, replace
from itertools import cycle
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, LiteralString, Self
from unittest.mock import patch
from uuid import UUID

import msgspec
import psutil
import psycopg
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bench.contestants import WrongAnswerError
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Figures, Row, compete
from bench.world import AUDIENCE, HOUR, ISSUER, World, http_event, silence, table, wire_function, world
from local import stack as local_stack
from local.instance import BENCH, Instance
from shared.signing.gateway import ALGORITHM
from shared.signing.model import Key, Ring
from shared.signing.repository import RingRepository
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now, uuid7
from tenant_context.dynamo import Table
from tenant_context.key_ring import State
from tenant_context.permissions import ROLES
from tenant_context.plans import PLANS, Rate

_COLUMNS = (
    Column("p50_us", "p50 µs"),
    Column("p99_us", "p99 µs"),
    Column("waited_p50_us", "p50 with endpoint µs"),
    Column("waited_p99_us", "p99 with endpoint µs"),
    Column("noise", "noise asked /s"),
    Column("admitted", "let through /s"),
    Column("refused", "refused /s"),
)
_NOISY, _QUIET = 100, 9_900
_CAMPAIGNS = 10
"""Of each tenant; what a request reads."""
_FILL: LiteralString = """
    WITH tenant AS (
        INSERT INTO tenants (tenant_id, slug, name, created_at, updated_at)
        SELECT id, 'bench-' || right(id::text, 12), 'Bench', now(), now() FROM unnest(%(tenants)s::uuid[]) id
        RETURNING tenant_id)
    INSERT INTO campaigns (tenant_id, id, name, type, status, budget, currency, starts_at, ends_at, version,
                           created_by, created_at, updated_at, launched_at)
    SELECT tenant_id, uuidv7(), 'Spring offer ' || n, 'in_store', 'active', 1250.00, 'EUR', now(),
           now() + interval '28 days', 2, %(user)s, now(), now(), now()
    FROM tenant, generate_series(1, %(campaigns)s) n"""
_SANDBOXES = 8
"""Sandboxes of noisy tenants, each a process with a handler, a connection and a memory of its own."""
_SHARED = ("postgres", "aws")
"""The servers of the benches' instance that serve everybody."""
_LEAD_S = 1.0
"""From the first of the noise to the first request that is timed: bursts are spent, and first leases taken."""
_FLOOD = Rate(1, 1, None)
"""What a tenant that floods may: nearly all it sends is refused."""
_PAUSE_S = 0.005
"""Between requests of the quiet tenant, so that they meet noise of many moments."""
_STARTER = PLANS["starter"].rate
_KID = "bench"
_OK, _REFUSED = 200, 429
_GOAL = 1.2
_ALONE, _ADMITTED, _REFUSALS = "alone", "beside noise let through", "beside noise refused"

_CHANCE = random.Random(1)
"""Of all rows together: were each to draw the same tenants, the first would pay the others' leases."""

Send = Callable[[str], int]
"""One request with a token; answers the status."""


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, seconds = (3, 1.5) if quick else (20, 4.0)
    with ExitStack() as kept:
        place = kept.enter_context(world(campaigns=1))
        rates, ring = kept.enter_context(table(place.stack)), kept.enter_context(table(place.stack))
        tell("tokens of 10,000 tenants")
        tokens = _tokens(place, ring)
        tell(f"{_SANDBOXES + 1} sandboxes")
        environment = place.environment() | {"RMAP_TABLE_RATES": rates, "RMAP_TABLE_SIGNING_KEYS": ring}
        sandboxes = [kept.enter_context(_Sandbox(environment)) for _ in range(_SANDBOXES)]
        for one in sandboxes:
            one.wait()
        kept.enter_context(_processors())
        endpoint = kept.enter_context(_endpoint())
        quiet = _handler(environment)
        kept.enter_context(silence())
        noises = {
            (_ALONE, "nobody else asks"): [],
            (_ADMITTED, f"{_NOISY} tenants, each within starter's rate"): tokens.admitted,
            (_REFUSALS, f"{_NOISY} tenants far over theirs"): tokens.flooding,
        }
        turns = {key: _Turns(quiet, endpoint, sandboxes, tokens, seconds, noise) for key, noise in noises.items()}
        rows = compete([Contestant(*key, one.turn) for key, one in turns.items()], rounds, {}, tell)
        rows = [replace(row, facts=turns[row.name, row.about].facts()) for row in rows]
    return Result("neighbours", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


@contextmanager
def _processors() -> Iterator[None]:
    """Divide the machine as a cloud is: the quiet sandbox has a processor, and all others are on the rest.

    PostgreSQL and the AWS endpoint go before the noisy sandboxes there, since in a cloud they have machines of their
    own; what noise makes them do goes before nobody, and the quiet one waits for it.
    """
    cores = sorted(os.sched_getaffinity(0))
    servers = [pid for name, pid, *_ in local_stack.status(Instance.of(BENCH)) if name in _SHARED and pid]
    os.sched_setaffinity(0, cores[:1])
    for pid in servers:
        _pin(pid, cores[1:] or cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, cores)
        for pid in servers:
            _pin(pid, cores)


def _pin(pid: int, cores: Iterable[int]) -> None:
    """Let a process, its threads and its children run on these processors only."""
    for one in (pid, *(child.pid for child in psutil.Process(pid).children(recursive=True))):
        for thread in Path(f"/proc/{one}/task").glob("*"):
            os.sched_setaffinity(int(thread.name), cores)


class _Endpoint:
    """How long this process has waited for the local AWS endpoint, in seconds."""

    waited = 0.0


@contextmanager
def _endpoint() -> Iterator[_Endpoint]:
    """Times every call of AWS while the block lasts."""
    endpoint, send = _Endpoint(), AwsClient._send  # noqa: SLF001  what both kinds of calls come to

    def timed(client: AwsClient, operation: str, payload: Mapping[str, Any], attempts: int) -> dict[str, Any]:
        began = time.perf_counter()
        try:
            return send(client, operation, payload, attempts)
        finally:
            endpoint.waited += time.perf_counter() - began

    with patch.object(AwsClient, "_send", timed):
        yield endpoint


@dataclass(frozen=True)
class _Tokens:
    """Access tokens: of noisy tenants at starter's rate, of others at next to none, of quiet ones."""

    admitted: list[str]
    flooding: list[str]
    quiet: list[str]


class _Sandbox:
    """A process with the real handler; while it is told to, it asks as fast as it can."""

    def __init__(self, environment: dict[str, str]) -> None:
        spawn = get_context("spawn")
        self._here, self._there = spawn.Pipe()
        self._process = spawn.Process(target=_serve, args=(environment, self._there), daemon=True)

    def __enter__(self) -> Self:
        self._process.start()
        self._there.close()  # so that its end is noticed here
        return self

    def wait(self) -> None:
        """Until it is ready to be told something."""
        self._here.recv()

    def __exit__(self, *_: object) -> None:
        self._here.send(None)
        self._process.join()

    def begin(self, tokens: list[str]) -> None:
        """Ask with these, one after the other, until `end`."""
        self._here.send(tokens)

    def end(self) -> Counter[int]:
        """How often each status was answered."""
        self._here.send([])
        answered: Counter[int] = self._here.recv()
        return answered


def _serve(environment: dict[str, str], pipe: Connection) -> None:
    """What a sandbox's process does: asks with the tokens it is given until it is given none; None ends it."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores - {min(cores)} or cores)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    sys.stdout.flush()
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    send = _handler(environment)
    pipe.send("ready")
    while tokens := pipe.recv():
        mine, found = cycle(tokens), Counter[int]()
        while not pipe.poll():
            found[send(next(mine))] += 1
        pipe.recv()
        pipe.send(found)


class _Noise:
    """Sandboxes that ask for as long as the block lasts, each for noisy tenants of its own."""

    def __init__(self, sandboxes: list[_Sandbox], tokens: list[str], expected: set[int]) -> None:
        self.statuses: Counter[int] = Counter()
        self._sandboxes = sandboxes if tokens else []
        self._tokens = tokens
        self._expected = expected

    def __enter__(self) -> Self:
        for number, one in enumerate(self._sandboxes):
            one.begin(self._tokens[number::_SANDBOXES])
        return self

    def __exit__(self, *_: object) -> None:
        self.statuses = sum((one.end() for one in self._sandboxes), Counter[int]())
        if set(self.statuses) - self._expected:
            raise WrongAnswerError(f"noise was answered {dict(self.statuses)}")


class _Turns:
    """Some seconds of one quiet request after another, each timed; percentiles are of all turns but the first."""

    def __init__(
        self,
        quiet: Send,
        endpoint: _Endpoint,
        sandboxes: list[_Sandbox],
        tokens: _Tokens,
        seconds: float,
        noise: list[str],
    ) -> None:
        self._quiet, self._endpoint, self._sandboxes = quiet, endpoint, sandboxes
        self._tokens, self._seconds, self._noise = tokens, seconds, noise
        self._turns: list[list[tuple[float, float]]] = []
        self._statuses: list[Counter[int]] = []

    def turn(self) -> Figures:
        """Take a turn."""
        took = []
        expected = {_OK} if self._noise is self._tokens.admitted else {_OK, _REFUSED}
        with _Noise(self._sandboxes, self._noise, expected) as noise:
            time.sleep(_LEAD_S)
            until = time.perf_counter() + self._seconds
            while time.perf_counter() < until:
                took.append(self._timed())
                time.sleep(_PAUSE_S)
        self._turns.append(took)
        self._statuses.append(noise.statuses)
        return {"mean_us": sum(own for own, _ in took) / len(took)}

    def _timed(self) -> tuple[float, float]:
        """What a quiet tenant's request takes in microseconds, without and with its waits for the endpoint."""
        token = _CHANCE.choice(self._tokens.quiet)
        began, waited = time.perf_counter(), self._endpoint.waited
        status = self._quiet(token)
        took, waited = time.perf_counter() - began, self._endpoint.waited - waited
        if status != _OK:
            raise WrongAnswerError(f"a quiet tenant was answered {status}")
        return (took - waited) * 1e6, took * 1e6

    def facts(self) -> Figures:
        """Of all requests that count."""
        own = sorted(one for turn in self._turns[1:] for one, _ in turn)
        whole = sorted(one for turn in self._turns[1:] for _, one in turn)
        said, seconds = sum(self._statuses[1:], Counter[int]()), (self._seconds + _LEAD_S) * len(self._turns[1:])
        return {
            "p50_us": own[len(own) // 2],
            "p99_us": own[len(own) * 99 // 100],
            "waited_p50_us": whole[len(whole) // 2],
            "waited_p99_us": whole[len(whole) * 99 // 100],
            "noise": said.total() / seconds,
            "admitted": said[_OK] / seconds,
            "refused": said[_REFUSED] / seconds,
        }


def _handler(environment: dict[str, str]) -> Send:
    """The real handler of campaigns, with connections of its own; tenants read their lists of campaigns."""
    module = wire_function("campaigns", environment)

    def send(token: str) -> int:
        headers = {"authorization": f"Bearer {token}"}
        answer = module.handler(http_event("GET", "/api/v1/campaigns", headers=headers), None)
        return int(answer["statusCode"])

    return send


def _tokens(place: World, ring: str) -> _Tokens:
    """Tenants with campaigns, and their owners' tokens, signed here: KMS would take minutes."""
    key = generate_private_key(public_exponent=65537, key_size=2048)
    public = key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    with closing(AwsClient("dynamodb")) as client:
        made = Key(_KID, _KID, ALGORITHM, public, State.SIGNING, made_at=0, signing_at=0)
        RingRepository(Table(ring, client)).save(Ring(keys=(made,)))
    noisy, quiet = [uuid7() for _ in range(_NOISY)], [uuid7() for _ in range(_QUIET)]
    with psycopg.connect(place.stack.database_admin_url, dbname=place.address.name, autocommit=True) as admin:
        admin.execute("SET session_replication_role = replica")  # the limits of plans are not what is measured
        admin.execute(_FILL, {"tenants": noisy + quiet, "user": place.user, "campaigns": _CAMPAIGNS})
        admin.execute("VACUUM ANALYZE campaigns")
    sorts = ((noisy, _STARTER), (noisy, _FLOOD), (quiet, _STARTER))
    return _Tokens(*([_token(key, tenant, rate) for tenant in tenants] for tenants, rate in sorts))


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
    alone, *others = rows
    goals = []
    for row in others:
        ratio, whole = (row.median(metric) / alone.median(metric) for metric in ("p99_us", "waited_p99_us"))
        reason = "" if ratio <= _GOAL else "What PostgreSQL does for the noise has one processor here."
        got = f"{ratio:.2f} ({whole:.2f} with waits for the local endpoint)"
        goals.append(Goal(f"p99 {row.name} at most {_GOAL} of alone", got, ratio <= _GOAL, reason))
    return goals


_NOTES = (
    f"One run: {_SANDBOXES} processes ask at once, each with a handler, connections and leases of its own.",
    "Each request reads a tenant's list of campaigns; nearly every quiet one is of a tenant that has no lease yet.",
    "As on Lambda the quiet sandbox has a processor of its own; PostgreSQL, the real one, goes before noisy sandboxes.",
    "DynamoDB is the local endpoint, one process for all tenants and no measure of DynamoDB: waits for it stand apart.",
    "Noise let through does all its work; its tenants keep to their plan, so only capacity protects the quiet one.",
    "Noise refused is what limits are for: it ends at the limiter, so its row is the cost of being asked at all.",
)
