"""A table of real DynamoDB semantics for each module, and what identity's services stand on."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from local.stack import Stack
from shared.identity.gateway.tokens import TokenSigner
from tenant_context.aws import AwsClient
from tenant_context.postgres import Database
from tests.dynamo import dynamo_table
from tests.shared.identity.services import Clock, OneKey, Stores


@pytest.fixture(scope="module")
def table_name(servers: Stack) -> Iterator[str]:
    """Its name."""
    with dynamo_table(servers) as made:
        yield made


@pytest.fixture(scope="session")
def kms(servers: Stack) -> Iterator[AwsClient]:
    """A connection to KMS."""
    assert servers.aws_endpoint_url
    with closing(AwsClient("kms")) as client:
        yield client


@pytest.fixture(scope="session")
def one_key(kms: AwsClient) -> Iterator[OneKey]:
    """A key to sign tokens with, for as long as the tests run."""
    ring = OneKey(kms)
    yield ring
    kms.call("ScheduleKeyDeletion", {"KeyId": ring.signing().arn, "PendingWindowInDays": 7})


@pytest.fixture
def wire(servers: Stack) -> Iterator[AwsClient]:
    """A connection to DynamoDB, for one thread."""
    assert servers.aws_endpoint_url
    with closing(AwsClient("dynamodb")) as client:
        yield client


@pytest.fixture
def stores(database: Database, table_name: str, kms: AwsClient, one_key: OneKey) -> Stores:
    """What the services stand on; the clock is `stores.clock`."""
    return Stores(database, table_name, TokenSigner(one_key, kms), kms, Clock())
