"""A table of real DynamoDB semantics for each module."""

from collections.abc import Iterator
from uuid import uuid4

import pytest

from local.stack import Stack


@pytest.fixture(scope="module")
def table_name(servers: Stack) -> Iterator[str]:
    """Its name."""
    client = servers.client("dynamodb")
    name = f"test-{uuid4().hex}"
    client.create_table(
        TableName=name,
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    yield name
    client.delete_table(TableName=name)
    client.close()
