"""One log-in with mail address and password, through the real handler: what of it is not Argon2."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from uuid import uuid4

from bench.contestants import WrongAnswerError
from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Row, compete
from bench.world import World, http_event, queue, silence, table, wire_function, world

_COLUMNS = (
    Column("wall_us", "wall µs"),
    Column("client_us", "client CPU µs"),
    Column("database_us", "database CPU µs"),
)
_MOST = 0.15
_PASSWORD = "a password of the benchmarks"  # noqa: S105  nobody's


class Door:
    """The auth function of a world, with one user."""

    def __init__(self, place: World, names: dict[str, str]) -> None:
        self._auth = wire_function("auth", place.environment() | names)
        self._email = f"somebody@{uuid4().hex}.example"
        body = {"email": self._email, "password": _PASSWORD, "name": "Somebody", "organization": {"name": "Bench"}}
        self._send("signup", body, 201)
        login = self._auth.users.find_login(self._email)
        self._hash = login.password_hash

    def log_in(self) -> None:
        """The whole of it."""
        self._send("login", {"email": self._email, "password": _PASSWORD}, 200)

    def check_password(self) -> None:
        """Argon2 alone, on the same hash."""
        if not self._auth.passwords.matches(self._hash, _PASSWORD):
            raise WrongAnswerError("the password is not the one")

    def _send(self, what: str, body: Mapping[str, object], status: int) -> None:
        event = http_event(
            "POST", f"/api/v1/auth/{what}", headers={"content-type": "application/json"}, body=json.dumps(body)
        )
        answer = self._auth.handler(event, None)
        if answer["statusCode"] != status:
            raise WrongAnswerError(answer["body"])

    def close(self) -> None:
        """Let go of the database."""
        self._auth.database.close()


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 5) if quick else (9, 20)
    with world(campaigns=1) as place, _names(place) as names, silence(), ExitStack() as stack:
        door = Door(place, names)
        stack.callback(door.close)

        def turn(work: Callable[[], object]) -> Callable[[], dict[str, float]]:
            return metered(repeated(work), times, backends=place.backends)

        contestants = [
            Contestant("log-in", "the real handler, gateway event in, tokens out", turn(door.log_in)),
            Contestant("limit", "Argon2id with the same costs, alone", turn(door.check_password)),
        ]
        rows = compete(contestants, rounds, {}, tell)
    return Result("login", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


@contextmanager
def _names(place: World) -> Iterator[dict[str, str]]:
    """What the auth function needs beside the world's own things."""
    with ExitStack() as stack:
        names = {
            f"RMAP_TABLE_{name}": stack.enter_context(table(place.stack))
            for name in ("SESSIONS", "API_KEYS", "CREDENTIALS", "TICKETS", "SUPPRESSIONS")
        }
        yield names | {
            "RMAP_FIELD_KEY": "unused",
            "RMAP_QUEUE_MAILS": stack.enter_context(queue(place.stack)),
            "RMAP_FUNCTION_IDENTITY_EGRESS": "unused",
            "RMAP_RP_ID": "localhost",
            "RMAP_RP_ORIGINS": "http://localhost",
        }


def _goals(rows: list[Row]) -> list[Goal]:
    wall = {row.name: row.median("wall_us") for row in rows}
    outside = 1 - wall["limit"] / wall["log-in"]
    reason = "KMS signs and DynamoDB answers at the local endpoint, which is one Python process for all of AWS"
    return [
        Goal(
            "less than 15% of a log-in's time is spent outside Argon2",
            f"{outside:.0%}",
            outside < _MOST,
            "" if outside < _MOST else reason,
        )
    ]


_NOTES = (
    "A log-in reads three counts of tries and the second factor, keeps the session and an event, and has KMS sign.",
    "Argon2id: 64 MiB, 3 passes, 4 lanes (RFC 9106, section 4), on as many processors as this machine has.",
)
