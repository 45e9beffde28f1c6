"""Tables of DynamoDB for tests: one context manager, and one table that watches how it is used."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any
from uuid import uuid4

from local.stack import Stack
from tenant_context.aws import AwsClient, AwsError
from tenant_context.dynamo import Item, Table


@contextmanager
def dynamo_table(stack: Stack) -> Iterator[str]:
    """A table of its own with the keys that all of ours have; its name. Gone when the block ends."""
    keys: Any = [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}]
    name = f"test-{uuid4().hex}"
    with closing(stack.client("dynamodb")) as client:
        client.create_table(
            TableName=name,
            KeySchema=keys,
            AttributeDefinitions=[{"AttributeName": one, "AttributeType": "S"} for one in ("pk", "sk")],
            BillingMode="PAY_PER_REQUEST",
        )
        yield name
        client.delete_table(TableName=name)


class Watched(Table):
    """A table that counts what it is asked, and fails when told to."""

    asked, failing = 0, False

    def get(self, pk: str, sk: str) -> Item | None:
        """One item."""
        self._note("InternalServerError", 500)
        return super().get(pk, sk)

    def query_from(self, pk: str, sk: str) -> list[Item]:
        """Items from a key on."""
        self._note("InternalServerError", 500)
        return super().query_from(pk, sk)

    def change_or_see(self, *args: Any, **how: Any) -> tuple[bool, Item]:
        """A change, or what stands against it."""
        self._note("ConnectionError", 0)
        return super().change_or_see(*args, **how)

    def _note(self, code: str, status: int) -> None:
        self.asked += 1
        if self.failing:
            raise AwsError(code, "on purpose", status)


@contextmanager
def watched(name: str) -> Iterator[Watched]:
    """The table of a name, with a connection of its own."""
    with closing(AwsClient("dynamodb")) as wire:
        yield Watched(name, wire)
