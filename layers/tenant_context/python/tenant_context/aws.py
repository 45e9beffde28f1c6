"""Calls to AWS services that speak JSON, signed here (Signature Version 4) and sent over one kept connection.

Importing boto3 and making a client costs a cold start 150 to 250 ms and a call 0.6 ms; the hot paths of this platform
need six operations of five services, all of one wire form. So they are signed here (decision record 0005). Everything
else uses boto3. The signature is judged in the tests by botocore's own signer.
"""

import hashlib
import hmac
import os
import random
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec

from tenant_context.exchange import Connection

_ATTEMPTS = 4
_RETRIED_STATUS = frozenset({429, 500, 502, 503, 504})
_RETRIED_CODES = frozenset(
    {"ThrottlingException", "Throttling", "ProvisionedThroughputExceededException", "RequestLimitExceeded"}
)
_TARGETS = {
    "sqs": ("AmazonSQS", "1.0"),
    "dynamodb": ("DynamoDB_20120810", "1.0"),
    "events": ("AWSEvents", "1.1"),
    "kms": ("TrentService", "1.1"),
    "secretsmanager": ("secretsmanager", "1.1"),
}


class AwsError(Exception):
    """An AWS service said no, or did not answer; `code` is its own word for it."""

    def __init__(self, code: str, message: str, status: int, answer: Mapping[str, Any] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.status = status
        self.answer = answer or {}
        """The rest of what it said, where it said more."""


class Credentials:
    """The execution role's keys, as Lambda puts them into the environment."""

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        source = os.environ if environ is None else environ
        self.access_key = source.get("AWS_ACCESS_KEY_ID", "")
        self.secret_key = source.get("AWS_SECRET_ACCESS_KEY", "")
        self.token = source.get("AWS_SESSION_TOKEN", "")
        self.region = source.get("AWS_REGION") or source.get("AWS_DEFAULT_REGION") or "us-east-1"


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@lru_cache(maxsize=16)
def _signing_key(secret: str, day: str, region: str, service: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


def signed_headers(
    credentials: Credentials,
    service: str,
    host: str,
    headers: Mapping[str, str],
    body: bytes,
    moment: datetime,
) -> dict[str, str]:
    """The headers of one `POST /`, signed; `moment` is UTC.

    Source: AWS Signature Version 4 for API requests.
    """
    stamp = f"{moment.isoformat()[:19].replace('-', '').replace(':', '')}Z"
    scope = f"{stamp[:8]}/{credentials.region}/{service}/aws4_request"
    signed = {**headers, "host": host, "x-amz-date": stamp}
    if credentials.token:
        signed["x-amz-security-token"] = credentials.token
    names = sorted(signed)
    listed = ";".join(names)
    lines = "".join([f"{name}:{signed[name]}\n" for name in names])
    request = f"POST\n/\n\n{lines}\n{listed}\n{_hash(body)}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{_hash(request.encode())}"
    key = _signing_key(credentials.secret_key, stamp[:8], credentials.region, service)
    signature = hmac.digest(key, to_sign.encode(), "sha256").hex()
    signed["authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={listed}, Signature={signature}"
    )
    return signed


def database_token(credentials: Credentials, host: str, port: int, user: str, moment: datetime) -> str:
    """A password for RDS or its proxy, good for 15 minutes: the signed address of a `connect` call."""
    stamp = moment.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{stamp[:8]}/{credentials.region}/rds-db/aws4_request"
    query = {
        "Action": "connect",
        "DBUser": user,
        "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
        "X-Amz-Credential": f"{credentials.access_key}/{scope}",
        "X-Amz-Date": stamp,
        "X-Amz-Expires": "900",
        "X-Amz-SignedHeaders": "host",
    }
    if credentials.token:
        query["X-Amz-Security-Token"] = credentials.token
    text = "&".join(f"{quote(name, safe='-_.~')}={quote(query[name], safe='-_.~')}" for name in sorted(query))
    request = f"GET\n/\n{text}\nhost:{host}:{port}\n\nhost\n{_hash(b'')}"
    to_sign = f"AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{_hash(request.encode())}"
    key = _signing_key(credentials.secret_key, stamp[:8], credentials.region, "rds-db")
    signature = hmac.new(key, to_sign.encode(), "sha256").hexdigest()
    return f"{host}:{port}/?{text}&X-Amz-Signature={signature}"


class AwsClient:
    """One service behind one kept connection; `call("SendMessage", {...})` answers the parsed JSON."""

    def __init__(
        self,
        service: str,
        *,
        credentials: Credentials | None = None,
        endpoint: str | None = None,
        timeout: float = 5.0,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._service = service
        self._target, self._version = _TARGETS[service]
        self._credentials = credentials or Credentials()
        self._timeout = timeout
        self._sleep = sleep
        address = urlsplit(endpoint or _endpoint(service, self._credentials.region))
        self._tls = address.scheme == "https"
        self._host = address.hostname or ""
        self._port = address.port or (443 if self._tls else 80)
        default = 443 if self._tls else 80
        self._host_header = self._host if self._port == default else f"{self._host}:{self._port}"
        self._connection: Connection | None = None

    def call(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Send one operation; raise `AwsError` when the service refuses or stays silent.

        Throttling, faults and dropped connections are tried again, four times in all, so an operation may reach the
        service twice: callers send only what may be repeated.
        """
        return self._send(operation, payload, _ATTEMPTS)

    def call_briefly(self, operation: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        """The same, tried twice only (a kept connection may have been dropped), for what is not worth a wait."""
        return self._send(operation, payload, 2)

    def _send(self, operation: str, payload: Mapping[str, Any], attempts: int) -> dict[str, Any]:
        body = msgspec.json.encode(payload)
        for attempt in range(1, attempts + 1):
            try:
                status, answer = self._post(operation, body)
            except OSError as error:
                self.close()
                if attempt == attempts:
                    raise AwsError("ConnectionError", f"{self._service} does not answer: {error}", 0) from error
            else:
                if status < 300:  # noqa: PLR2004  HTTP's own boundary
                    return _read(answer) if answer else {}
                failure = _failure(status, answer)
                again = status in _RETRIED_STATUS or failure.code in _RETRIED_CODES
                if attempt == attempts or not again:
                    raise failure
            self.rest(attempt)
        raise AssertionError("unreachable")

    def rest(self, attempt: int) -> None:
        """Wait a little before what the service had no room for is tried again, longer after each attempt."""
        self._sleep(random.uniform(0, 0.05 * 2**attempt))  # noqa: S311  jitter, not a secret

    def _post(self, operation: str, body: bytes) -> tuple[int, bytes]:
        headers = signed_headers(
            self._credentials,
            self._service,
            self._host_header,
            {
                "content-type": f"application/x-amz-json-{self._version}",
                "x-amz-target": f"{self._target}.{operation}",
            },
            body,
            datetime.now(UTC),
        )
        if self._connection is None:
            self._connection = Connection(self._host, self._port, tls=self._tls, timeout=self._timeout)
        return self._connection.post(headers, body)

    def close(self) -> None:
        """Drop the connection; the next call opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _endpoint(service: str, region: str) -> str:
    named = os.environ.get(f"AWS_ENDPOINT_URL_{service.upper()}") or os.environ.get("AWS_ENDPOINT_URL")
    return named or f"https://{service}.{region}.amazonaws.com"


_read = msgspec.json.Decoder(dict[str, Any]).decode


def _failure(status: int, answer: bytes) -> AwsError:
    try:
        parsed = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeDecodeError):
        parsed = None
    if not isinstance(parsed, dict):
        parsed = {}
    code = str(parsed.get("__type") or parsed.get("code") or status).rpartition("#")[2]
    return AwsError(code, str(parsed.get("message") or parsed.get("Message") or answer[:200]), status, parsed)
