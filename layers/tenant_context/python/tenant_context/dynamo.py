"""DynamoDB with keys that begin with the tenant.

`TenantTable` is the only way for a tenant's code to reach items: it puts `tenant#<id>#` in front of every partition
key, so that a forged or mistaken key can name nothing of another tenant's. `Table` is the bare table, for the few
look-ups that happen before the tenant is known (an API key's prefix).

The hot paths' four operations are spoken here over the signed connection; models with more to them are pynamodb's,
below `shared/`, on keys made by `tenant_key`.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from tenant_context.aws import AwsClient, AwsError
from tenant_context.context import TenantContext
from tenant_context.dynamo_many import Many
from tenant_context.dynamo_values import decode_item, encode, encode_item

Item = dict[str, Any]
_RACES = 5
"""How often changes are made that met others' changes of the same items under way."""


class ConditionFailed(Exception):
    """The item was not as the condition asked."""


@dataclass(frozen=True, slots=True)
class Change:
    """One of several changes that are made together: Put, Update or Delete, and the request's own words."""

    kind: str
    request: Mapping[str, Any]


def tenant_key(tenant: UUID | str, key: str) -> str:
    """The partition key of a tenant's item."""
    return f"tenant#{tenant}#{key}"


def put_new(item: Item) -> Change:
    """An item that does not exist yet."""
    encoded = encode_item(item)
    return Change("Put", {"Item": encoded, "ConditionExpression": "attribute_not_exists(pk)"})


def delete_existing(pk: str, sk: str) -> Change:
    """The end of an item that is there."""
    return Change("Delete", {"Key": _key(pk, sk), "ConditionExpression": "attribute_exists(pk)"})


def count(pk: str, sk: str, name: str, step: int, *, most: int) -> Change:
    """A number of an item moved by a step, from 0 where there is none; it stays below `most` beforehand."""
    return Change(
        "Update",
        {
            "Key": _key(pk, sk),
            "UpdateExpression": "ADD #name :step",
            "ConditionExpression": "attribute_not_exists(#name) OR #name < :most",
            "ExpressionAttributeNames": {"#name": name},
            "ExpressionAttributeValues": {":step": encode(step), ":most": encode(most)},
        },
    )


def _key(pk: str, sk: str) -> dict[str, Any]:
    return {"pk": {"S": pk}, "sk": {"S": sk}}


class Table(Many):
    """One table with the string keys `pk` and `sk`."""

    def __init__(self, name: str, client: AwsClient | None = None) -> None:
        super().__init__(name, client or AwsClient("dynamodb"))

    def get(self, pk: str, sk: str) -> Item | None:
        """The item as last written, or None."""
        answer = self._client.call(
            "GetItem",
            {"TableName": self._name, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}, "ConsistentRead": True},
        )
        return decode_item(answer["Item"]) if "Item" in answer else None

    def put(self, item: Item, *, only_if_absent: bool = False) -> None:
        """Write an item; with `only_if_absent`, raise `ConditionFailed` where one stands already."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "Item": encode_item(item),
        }
        if only_if_absent:
            request["ConditionExpression"] = "attribute_not_exists(pk)"
        self._change("PutItem", request)

    def update(
        self,
        pk: str,
        sk: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] | None = None,
    ) -> Item:
        """Apply an update expression and answer the new item; `ConditionFailed` where the condition does not hold."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "Key": {"pk": {"S": pk}, "sk": {"S": sk}},
            "UpdateExpression": expression,
            "ReturnValues": "ALL_NEW",
        }
        if values:
            request["ExpressionAttributeValues"] = {name: encode(value) for name, value in values.items()}
        if condition:
            request["ConditionExpression"] = condition
        if names:
            request["ExpressionAttributeNames"] = dict(names)
        return decode_item(self._change("UpdateItem", request).get("Attributes", {}))

    def change_or_see(
        self,
        pk: str,
        sk: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str,
        names: Mapping[str, str],
    ) -> tuple[bool, Item]:
        """Apply an update expression where a condition holds: whether it did, and how the item stands then.

        For what is not worth a wait; it may be applied twice.
        """
        request = {
            "TableName": self._name,
            "Key": _key(pk, sk),
            "UpdateExpression": expression,
            "ConditionExpression": condition,
            "ExpressionAttributeValues": {name: encode(value) for name, value in values.items()},
            "ExpressionAttributeNames": dict(names),
            "ReturnValues": "ALL_NEW",
            "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
        }
        try:
            return True, decode_item(self._client.call_briefly("UpdateItem", request)["Attributes"])
        except AwsError as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return False, decode_item(error.answer.get("Item", {}))

    def delete(self, pk: str, sk: str, *, only_if: tuple[str, Any] | None = None) -> None:
        """Remove an item, with `only_if` only while that attribute has that value; nothing to remove is no error."""
        request: dict[str, Any] = {"TableName": self._name, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}
        if only_if is not None:
            request["ConditionExpression"] = "#name = :value"
            request["ExpressionAttributeNames"] = {"#name": only_if[0]}
            request["ExpressionAttributeValues"] = {":value": encode(only_if[1])}
        with suppress(ConditionFailed):
            self._change("DeleteItem", request)

    def take(self, pk: str, sk: str) -> bool:
        """Remove an item; whether it was there, for exactly one of those who ask at once."""
        request: dict[str, Any] = {"TableName": self._name, "Key": {"pk": {"S": pk}, "sk": {"S": sk}}}
        try:
            self._change("DeleteItem", {**request, "ConditionExpression": "attribute_exists(pk)"})
        except ConditionFailed:
            return False
        return True

    def together(self, *changes: Change) -> None:
        """Make all of the changes or none; `ConditionFailed` where one's condition does not hold."""
        request = {
            "TransactItems": [{change.kind: {"TableName": self._name, **change.request}} for change in changes],
            "ClientRequestToken": str(uuid4()),  # a request that is sent again counts once
        }
        for _ in range(_RACES):
            try:
                self._client.call("TransactWriteItems", request)
            except AwsError as error:
                if "ConditionalCheckFailed" in str(error):
                    raise ConditionFailed from error
                if "TransactionConflict" not in str(error):
                    raise
            else:
                return
        raise ConditionFailed

    def query_from(self, pk: str, sk: str) -> list[Item]:
        """Every item of a partition from a sort key on, as last written."""
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "pk = :pk AND sk >= :sk",
            "ExpressionAttributeValues": {":pk": {"S": pk}, ":sk": {"S": sk}},
            "ConsistentRead": True,
        }
        found: list[Item] = []
        while True:
            answer = self._client.call("Query", request)
            found += map(decode_item, answer.get("Items", []))
            if "LastEvaluatedKey" not in answer:
                return found
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

    def query(
        self,
        pk: str,
        *,
        index: str = "",
        limit: int = 100,
        descending: bool = False,
        start: Item | None = None,
        consistent: bool = False,
        between: tuple[str, str] | None = None,
    ) -> tuple[list[Item], Item | None]:
        """A page of the items of one partition by sort key, and where the next page starts.

        `consistent` for the table itself as last written; an index follows after a moment. `between` bounds the sort
        key, both ends included.
        """
        name = f"{index}pk" if index else "pk"
        request: dict[str, Any] = {
            "TableName": self._name,
            "KeyConditionExpression": "#pk = :pk",
            "ExpressionAttributeNames": {"#pk": name},
            "ExpressionAttributeValues": {":pk": {"S": pk}},
            "Limit": limit,
            "ScanIndexForward": not descending,
        }
        if index:
            request["IndexName"] = index
        if consistent:
            request["ConsistentRead"] = True
        if between:
            request["KeyConditionExpression"] += " AND #sk BETWEEN :low AND :high"
            request["ExpressionAttributeNames"]["#sk"] = f"{index}sk" if index else "sk"
            request["ExpressionAttributeValues"] |= {":low": {"S": between[0]}, ":high": {"S": between[1]}}
        if start:
            request["ExclusiveStartKey"] = {key: encode(value) for key, value in start.items()}
        answer = self._client.call("Query", request)
        last = answer.get("LastEvaluatedKey")
        return [decode_item(item) for item in answer.get("Items", [])], decode_item(last) if last else None

    def _change(self, operation: str, request: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._client.call(operation, request)
        except AwsError as error:
            if error.code == "ConditionalCheckFailedException":
                raise ConditionFailed from error
            raise


class TenantTable:
    """One tenant's share of a table."""

    def __init__(self, table: Table, tenant: TenantContext) -> None:
        self._table = table
        self._tenant = tenant.tenant

    def key(self, key: str) -> str:
        """The partition key in the table."""
        return tenant_key(self._tenant, key)

    def get(self, key: str, sk: str) -> Item | None:
        """The tenant's item, or None."""
        return self._table.get(self.key(key), sk)

    def get_many(self, keys: list[tuple[str, str]]) -> Iterator[Item]:
        """The tenant's items that exist among the keys."""
        return self._table.get_many([(self.key(key), sk) for key, sk in keys])

    def put(self, key: str, sk: str, item: Item, *, only_if_absent: bool = False) -> None:
        """Write a tenant's item."""
        self._table.put(self.item(key, sk, item), only_if_absent=only_if_absent)

    def item(self, key: str, sk: str, item: Item) -> Item:
        """The item as it is written, for those that are written together."""
        return {**item, "pk": self.key(key), "sk": sk, "tenant": str(self._tenant)}

    def update(
        self,
        key: str,
        sk: str,
        expression: str,
        values: Mapping[str, Any],
        *,
        condition: str = "",
        names: Mapping[str, str] | None = None,
    ) -> Item:
        """Change a tenant's item."""
        return self._table.update(self.key(key), sk, expression, values, condition=condition, names=names)

    def delete(self, key: str, sk: str, *, only_if: tuple[str, Any] | None = None) -> None:
        """Remove a tenant's item; with `only_if`, only while that attribute has that value."""
        self._table.delete(self.key(key), sk, only_if=only_if)

    def query(
        self,
        key: str,
        *,
        index: str = "",
        limit: int = 100,
        descending: bool = False,
        start: Item | None = None,
        consistent: bool = False,
        between: tuple[str, str] | None = None,
    ) -> tuple[list[Item], Item | None]:
        """A page of a tenant's partition; in an index too, partition keys are made by `key`."""
        return self._table.query(
            self.key(key),
            index=index,
            limit=limit,
            descending=descending,
            start=start,
            consistent=consistent,
            between=between,
        )
