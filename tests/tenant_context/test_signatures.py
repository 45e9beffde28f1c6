"""Our signatures, judged by botocore's own signers over whatever can be signed."""

import json
from datetime import UTC, datetime
from typing import Any
from unittest import mock
from urllib.parse import parse_qsl, urlsplit

import boto3
import botocore.auth
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from tenant_context.aws import Credentials, database_token, signed_headers

MOMENT = datetime(2026, 3, 2, 9, 30, 15, tzinfo=UTC)
moments = st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2099, 1, 1)).map(  # noqa: DTZ001
    lambda naive: naive.replace(microsecond=0, tzinfo=UTC)
)
words = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=40)
tokens = st.one_of(st.just(""), words)


def ours(access: str, secret: str, token: str, region: str = "us-east-1") -> Credentials:
    return Credentials(
        {"AWS_ACCESS_KEY_ID": access, "AWS_SECRET_ACCESS_KEY": secret, "AWS_SESSION_TOKEN": token, "AWS_REGION": region}
    )


def at(moment: datetime) -> Any:
    """The clock of botocore, stopped."""
    return mock.patch.object(botocore.auth, "get_current_datetime", return_value=moment.replace(tzinfo=None))


def theirs(
    credentials: Credentials, service: str, host: str, headers: dict[str, str], body: bytes, moment: datetime
) -> str:
    request = AWSRequest("POST", f"https://{host}/", headers=headers, data=body)
    boto = BotoCredentials(credentials.access_key, credentials.secret_key, credentials.token or None)
    with at(moment):
        SigV4Auth(boto, service, credentials.region).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    secret=words,
    token=tokens,
    body=st.binary(max_size=200),
    moment=moments,
    service=st.sampled_from(["sqs", "dynamodb", "events", "kms", "secretsmanager"]),
    region=st.sampled_from(["us-east-1", "eu-central-1"]),
    port=st.sampled_from(["", ":4566"]),
    target=st.from_regex(r"\A[A-Za-z0-9_.]{1,40}\Z"),
)
def test_every_request_is_signed_as_botocore_signs_it(
    secret: str, token: str, body: bytes, moment: datetime, service: str, region: str, port: str, target: str
) -> None:
    credentials = ours("AKIDEXAMPLE", secret, token, region)
    host = f"{service}.{region}.amazonaws.com{port}"
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    signed = signed_headers(credentials, service, host, headers, body, moment)
    assert signed["authorization"] == theirs(credentials, service, host, headers, body, moment)
    assert signed["x-amz-date"] == moment.strftime("%Y%m%dT%H%M%SZ")
    assert signed.get("x-amz-security-token", "") == token


def test_the_headers_given_stay_as_they_are() -> None:
    headers = {"content-type": "x"}
    signed_headers(ours("a", "b", ""), "sqs", "host", headers, b"", MOMENT)
    assert headers == {"content-type": "x"}


@given(
    secret=words,
    token=tokens,
    moment=moments,
    user=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=16),
    port=st.integers(1024, 65535),  # below, botocore leaves ports out that are usual for the web
    region=st.sampled_from(["us-east-1", "eu-west-3"]),
)
def test_a_database_token_is_the_one_boto3_makes(
    secret: str, token: str, moment: datetime, user: str, port: int, region: str
) -> None:
    host = "proxy.cluster-abc.us-east-1.rds.amazonaws.com"
    made = database_token(ours("AKIDEXAMPLE", secret, token, region), host, port, user, moment)
    session = _session()
    signer = session.client(
        "rds",
        region_name=region,
        endpoint_url="http://127.0.0.1:1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        aws_session_token=token or None,
    )
    with at(moment):
        judged = signer.generate_db_auth_token(host, port, user, Region=region)
    assert _parts(made) == _parts(judged)


_SESSIONS: list[Any] = []


def _session() -> Any:
    """One session: reading botocore's models is what takes long."""
    if not _SESSIONS:
        _SESSIONS.append(boto3.session.Session())
    return _SESSIONS[0]


def _parts(token: str) -> tuple[str, str, list[tuple[str, str]]]:
    """A token by what it says; the order of parameters in an address means nothing."""
    address = urlsplit("https://" + token)
    return address.netloc, address.path, sorted(parse_qsl(address.query))


def test_credentials_come_from_where_lambda_puts_them(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_SESSION_TOKEN": "c"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-north-1")
    found = Credentials()
    assert (found.access_key, found.secret_key, found.token, found.region) == ("a", "b", "c", "eu-north-1")


def test_a_signature_covers_the_body() -> None:
    one, other = (
        signed_headers(ours("a", "b", ""), "sqs", "host", {}, json.dumps(body).encode(), MOMENT)["authorization"]
        for body in ({"a": 1}, {"a": 2})
    )
    assert one != other
