"""Our signatures, judged by botocore's own signer."""

from datetime import UTC, datetime
from unittest.mock import patch

import botocore.auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotoCredentials
from hypothesis import given
from hypothesis import strategies as st

from tenant_context.aws import Credentials, database_token, signed_headers

MOMENT = datetime(2026, 3, 2, 9, 0, 1, tzinfo=UTC)
KEYS = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "a/secret+key", "AWS_REGION": "eu-west-1"}
TOKEN = {"AWS_SESSION_TOKEN": "a+token/with=signs"}


def judged(service: str, host: str, headers: dict[str, str], body: bytes, *, token: bool) -> str:
    """The Authorization header that botocore would send."""
    request = AWSRequest("POST", f"https://{host}/", headers=dict(headers), data=body)
    keys = BotoCredentials(
        KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], TOKEN["AWS_SESSION_TOKEN"] if token else None
    )
    with patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        botocore.auth.SigV4Auth(keys, service, KEYS["AWS_REGION"]).add_auth(request)
    return str(request.headers["Authorization"])


@given(
    body=st.binary(max_size=200),
    service=st.sampled_from(["sqs", "dynamodb", "events", "kms", "secretsmanager"]),
    token=st.booleans(),
    target=st.from_regex(r"\A[A-Za-z0-9_.]{1,40}\Z"),
)
def test_a_call_is_signed_as_botocore_signs_it(body: bytes, service: str, token: bool, target: str) -> None:  # noqa: FBT001
    host = f"{service}.eu-west-1.amazonaws.com"
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": target}
    credentials = Credentials({**KEYS, **(TOKEN if token else {})})
    ours = signed_headers(credentials, service, host, headers, body, MOMENT)
    assert ours["authorization"] == judged(service, host, headers, body, token=token)


def test_a_database_token_is_the_one_boto3_makes() -> None:
    keys = BotoCredentials(KEYS["AWS_ACCESS_KEY_ID"], KEYS["AWS_SECRET_ACCESS_KEY"], TOKEN["AWS_SESSION_TOKEN"])
    host, port, user = "proxy.example.eu-west-1.rds.amazonaws.com", 5432, "rmap_app"
    request = AWSRequest("GET", f"https://{host}:{port}/?Action=connect&DBUser={user}")
    with patch("botocore.auth.get_current_datetime", return_value=MOMENT.replace(tzinfo=None)):
        botocore.auth.SigV4QueryAuth(keys, "rds-db", KEYS["AWS_REGION"], expires=900).add_auth(request)
    theirs = str(request.url).removeprefix("https://")
    ours = database_token(Credentials({**KEYS, **TOKEN}), host, port, user, MOMENT)
    assert ours.split("?")[0] == theirs.split("?")[0]
    assert sorted(ours.split("?")[1].split("&")) == sorted(theirs.split("?")[1].split("&"))
