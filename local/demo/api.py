"""A small client of the platform's API: what a program of a tenant would be."""

import http.client
import json
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

_TIMEOUT = 60.0
_TRIES = 8
_BUSY = frozenset({429, 502, 503})


class ApiError(Exception):
    """An answer other than 2xx: its status and its problem document."""

    def __init__(self, method: str, path: str, status: int, problem: Any) -> None:
        detail = problem.get("detail") if isinstance(problem, dict) else str(problem)[:300]
        super().__init__(f"{method} {path} answered {status}: {detail}")
        self.status = status
        self.problem = problem


def connection_to(url: str) -> http.client.HTTPConnection:
    """A connection to an address's host, over TLS where the address begins with https."""
    parts = urlsplit(url)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    return kind(parts.netloc, timeout=_TIMEOUT)


class Api:
    """Calls the API at an address, with a bearer token or a device key once it has one."""

    def __init__(self, url: str, *, token: str = "", key: str = "") -> None:
        self.url = url
        self.key = key
        self._base = urlsplit(url).path
        self._credentials = {"authorization": f"Bearer {token}"} if token else {"x-api-key": key} if key else {}

    def get(self, path: str) -> Any:
        """The JSON of a GET."""
        return self.call("GET", path)

    def post(self, path: str, body: Any = None, **headers: str) -> Any:
        """The JSON of a POST of JSON."""
        data = None if body is None else json.dumps(body).encode()
        return self.call("POST", path, data, {"content-type": "application/json", **headers})

    def put(self, path: str, body: Any, *, version: int) -> Any:
        """The JSON of a PUT of JSON over what is at this version."""
        headers = {"content-type": "application/json", "if-match": f'"{version}"'}
        return self.call("PUT", path, json.dumps(body).encode(), headers)

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Any:
        """One call; a busy platform (429, 502, 503) is asked again, as a good client does. Raises `ApiError`."""
        for attempt in range(_TRIES):
            status, text = self._send(method, path, body, headers or {})
            answer = json.loads(text) if text[:1] in {b"{", b"["} else text.decode()
            if status < http.client.MULTIPLE_CHOICES:
                return answer
            if status not in _BUSY or attempt == _TRIES - 1:
                raise ApiError(method, path, status, answer)
            time.sleep(0.1 * 2**attempt)
        raise AssertionError("unreachable")

    def _send(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> tuple[int, bytes]:
        connection = connection_to(self.url)
        try:
            connection.request(method, self._base + path, body, {**self._credentials, **headers})
            response = connection.getresponse()
            return response.status, response.read()
        finally:
            connection.close()


class GaveUp(Exception):
    """Something that had to happen did not, in time."""


def wait_for(what: str, ask: Callable[[], Any], *, seconds: float = 60.0) -> Any:
    """Ask until the answer is truthy; `GaveUp` after `seconds`."""
    until = time.monotonic() + seconds
    while True:
        late = time.monotonic() >= until  # then this is the last look
        answer = ask()
        if answer:
            return answer
        if late:
            raise GaveUp(f"{what} did not happen within {seconds:.0f} s; `make logs` shows why.")
        time.sleep(0.1)
