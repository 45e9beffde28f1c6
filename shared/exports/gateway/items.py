"""A tenant's items in a table of DynamoDB, found by reading all of it.

Keys begin with what an item is asked by (a session's id, a key's prefix), so that not every item of a tenant can be
asked for; but each says whose it is. Exports and erasures are rare, and what they find is complete. Left aside is that
a tenant's tokens are good no more, which is known until they have expired. Flags are one item for all tenants and are
emptied of one by `shared/erasure/gateway.py`.
"""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from tenant_context.aws import AwsClient, AwsError
from tenant_context.dynamo import tenant_key
from tenant_context.dynamo_values import Item, decode
from tenant_context.revocations import PARTITION
from tenant_context.state_news import place_of

_READ = 1000
_BATCH = 25


class TenantItems:
    """One table."""

    def __init__(self, table: str, client: AwsClient) -> None:
        self._table = table
        self._client = client

    def read(self, tenant: UUID, after: Any) -> tuple[list[Item], Any]:
        """Some items, and where to read on (None: that was all); a page may hold none and yet not be the last."""
        request: dict[str, Any] = {
            "TableName": self._table,
            "ConsistentRead": True,
            "Limit": _READ,
            "FilterExpression": "(tenant = :tenant OR begins_with(pk, :prefix) OR pk = :state) AND pk <> :ended",
            "ExpressionAttributeValues": {
                ":tenant": {"S": str(tenant)},
                ":prefix": {"S": tenant_key(tenant, "")},
                ":state": {"S": place_of(tenant)[0]},
                ":ended": {"S": PARTITION},
            },
        }
        if after:
            request["ExclusiveStartKey"] = after
        answer = self._client.call("Scan", request)
        items = [{name: decode(value) for name, value in item.items()} for item in answer.get("Items", [])]
        return items, answer.get("LastEvaluatedKey")

    def page(self, tenant: UUID, after: Any) -> tuple[list[Any], Any]:
        """The keys of some items, and where to read on."""
        items, last = self.read(tenant, after)
        return [[item["pk"], item["sk"]] for item in items], last

    def delete(self, keys: Sequence[Any]) -> None:
        """Remove items; those that are gone are no error."""
        for start in range(0, len(keys), _BATCH):
            waiting: dict[str, Any] = {
                self._table: [
                    {"DeleteRequest": {"Key": {"pk": {"S": pk}, "sk": {"S": sk}}}}
                    for pk, sk in keys[start : start + _BATCH]
                ]
            }
            for _ in range(10):
                waiting = self._client.call("BatchWriteItem", {"RequestItems": waiting}).get("UnprocessedItems") or {}
                if not waiting:
                    break
            else:
                raise AwsError("ProvisionedThroughputExceededException", f"{self._table} takes no more for now", 400)
