"""One access token checked: signature, times, issuer, audience, and whether its session has ended."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA256

from bench.contestants import WrongAnswerError
from bench.harness.cpu import metered, repeated
from bench.harness.report import Column, Goal, Result
from bench.harness.rounds import Contestant, Row, compete
from bench.world import AUDIENCE, ISSUER, World, world
from shared.identity.gateway.tokens import jwk
from tenant_context.aws import AwsClient
from tenant_context.clock import utc_now
from tenant_context.dynamo import Table
from tenant_context.identity import TokenProver, TokenVerifier
from tenant_context.key_ring import KeyRing
from tenant_context.revocations import Revocations
from tenant_context.settings import TokenSettings

_COLUMNS = (Column("client_us", "CPU µs", 1), Column("wall_us", "wall µs", 1))


class Layer:
    """The kernel's prover, as every function has it."""

    def __init__(self, place: World, ring: KeyRing, client: AwsClient) -> None:
        settings = TokenSettings(ISSUER, place.revocations, place.ring, AUDIENCE)
        self._verifier = TokenVerifier(settings, utc_now, ring)
        self._prover = TokenProver(self._verifier, Revocations(Table(place.revocations, client), utc_now))
        self._token = place.token

    def check(self) -> str:
        """The user that the token speaks for."""
        return str(self._prover.prove(self._token, "bench").user)

    def check_anew(self) -> str:
        """The same, as if the token had not been seen before."""
        self._verifier._verified.clear()  # noqa: SLF001  white box
        return self.check()


class Plain:
    """PyJWT with its key client, as its documentation shows it; the key client keeps the keys it fetched."""

    def __init__(self, place: World, url: str) -> None:
        self._client = jwt.PyJWKClient(url, cache_keys=True)
        self._token = place.token

    def check(self) -> str:
        """The user that the token speaks for."""
        key = self._client.get_signing_key_from_jwt(self._token)
        claims = jwt.decode(self._token, key.key, algorithms=["RS256"], audience=AUDIENCE, issuer=ISSUER)
        return str(claims["sub"])


def run(*, quick: bool, tell: Callable[[str], None]) -> Result:
    """Measure."""
    rounds, times = (3, 300) if quick else (9, 2000)
    with world(campaigns=1) as place, closing(AwsClient("dynamodb")) as dynamodb:
        ring = KeyRing(Table(place.ring, dynamodb), utc_now)
        layer = Layer(place, ring, dynamodb)
        with _served(place, ring) as url:
            rows = _compete(place, ring, layer, Plain(place, url), rounds, times, tell)
    return Result("token", __doc__ or "", rounds, _COLUMNS, rows, _goals(rows), _NOTES)


def _compete(
    place: World,
    ring: KeyRing,
    layer: Layer,
    plain: Plain,
    rounds: int,
    times: int,
    tell: Callable[[str], None],
) -> list[Row]:
    if {layer.check(), layer.check_anew(), plain.check()} != {str(place.user)}:
        raise WrongAnswerError("the contestants do not see the same user")
    signed, _, signature = place.token.rpartition(".")
    (published,) = ring.published()
    key, proof = published.public, jwt.utils.base64url_decode(signature)

    def limit() -> None:
        key.verify(proof, signed.encode(), PKCS1v15(), SHA256())

    def turn(work: Callable[[], object]) -> Callable[[], dict[str, float]]:
        return metered(repeated(work), times, backends=tuple)

    contestants = [
        Contestant("ours, seen before", "the kernel's prover, warm", turn(layer.check)),
        Contestant("ours, never seen", "every check verifies the signature", turn(layer.check_anew)),
        Contestant("PyJWT + PyJWKClient", "the plain way, its keys fetched already", turn(plain.check)),
        Contestant("limit", "cryptography's RSA verification alone", turn(limit)),
    ]
    return compete(contestants, rounds, {}, tell)


@contextmanager
def _served(place: World, ring: KeyRing) -> Iterator[str]:
    """The key set at an address, as the auth function serves it."""
    body = json.dumps({"keys": [jwk(key) for key in ring.published()]}).encode()

    class Keys(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Keys)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{place.key_id}"
    finally:
        server.shutdown()
        server.server_close()


def _goals(rows: list[Row]) -> list[Goal]:
    used = {row.name: row.median("client_us") for row in rows}
    peer = used["PyJWT + PyJWKClient"]
    seen, fresh = used["ours, seen before"] / peer, used["ours, never seen"] / peer
    return [
        Goal("a token seen before costs less than the plain way", f"{seen:.2f} of it", seen < 1),
        Goal("and so does one never seen", f"{fresh:.2f} of it", fresh < 1),
    ]


_NOTES = (
    "Ours also asks whether the session has ended: from memory, read again every three seconds, that reading included.",
    "A verdict is kept by the hash of the whole token, and its times are judged again at each request.",
)
