"""Many items of DynamoDB in one call.

Writes that each have a condition go as PartiQL: a batch of its statements is the only call that makes several, of which
one that fails leaves the others alone (decision record 0031).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import count
from typing import Any

from tenant_context.aws import AwsClient, AwsError
from tenant_context.dynamo_values import Item, decode, decode_item, encode, encode_item

_BATCH = 100
_BATCH_WRITES = 25
_RACES = 5


@dataclass(frozen=True, slots=True)
class Update:
    """One of several updates that are sent together and each go their own way.

    `text` is PartiQL from SET on, with a `?` for each of `values`; it names its item by `pk = ? AND sk = ?`.
    """

    text: str
    values: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Updated:
    """What became of an update: made, or refused by its condition, or gone wrong with `error`.

    `raw` is how the item stands where the text ends with RETURNING ALL NEW *, and how it stood where it was refused, in
    DynamoDB's JSON form; None where there is none.
    """

    is_made: bool
    raw: Mapping[str, Any] | None = None
    error: str = ""

    def get(self, name: str, default: Any = None) -> Any:
        """An attribute of the item."""
        value = (self.raw or {}).get(name)
        return default if value is None else decode(value)


class Many:
    """What a table does with many of its items."""

    def __init__(self, name: str, client: AwsClient) -> None:
        self._name = name
        self._client = client

    def get_many(self, keys: Sequence[tuple[str, str]], *, consistent: bool = False) -> Iterator[Item]:
        """The items that exist among the keys, in any order; `consistent` for those as last written."""
        for start in range(0, len(keys), _BATCH):
            some = {
                "Keys": [{"pk": {"S": pk}, "sk": {"S": sk}} for pk, sk in keys[start : start + _BATCH]],
                "ConsistentRead": consistent,
            }
            wanted: dict[str, Any] = {self._name: some}
            for attempt in count():
                if attempt:
                    self._client.rest(min(attempt, _RACES))
                answer = self._client.call("BatchGetItem", {"RequestItems": wanted})
                for item in answer.get("Responses", {}).get(self._name, []):
                    yield decode_item(item)
                wanted = answer.get("UnprocessedKeys") or {}
                if not wanted:
                    break

    def put_many(self, items: Sequence[Item]) -> None:
        """Write items, each over what stands there; an error leaves some of them written."""
        for start in range(0, len(items), _BATCH_WRITES):
            some = items[start : start + _BATCH_WRITES]
            puts = [{"PutRequest": {"Item": encode_item(item)}} for item in some]
            left: dict[str, Any] = {self._name: puts}
            for attempt in range(_RACES):
                left = self._client.call("BatchWriteItem", {"RequestItems": left}).get("UnprocessedItems") or {}
                if not left:
                    break
                self._client.rest(attempt)
            else:
                raise AwsError("ProvisionedThroughputExceededException", "items were left unwritten", 400)

    def insert_many(self, items: Sequence[Item]) -> None:
        """Write those items that do not exist yet; an error leaves some of them written."""
        for start in range(0, len(items), _BATCH_WRITES):
            some = items[start : start + _BATCH_WRITES]
            statements = [
                {"Statement": f'INSERT INTO "{self._name}" VALUE {{{_marks(tuple(item))}}}',
                 "Parameters": [encode(value) for value in item.values()]}
                for item in some
            ]  # fmt: skip
            answer = self._client.call("BatchExecuteStatement", {"Statements": statements})
            for response in answer["Responses"]:
                if (error := response.get("Error")) and error.get("Code") != "DuplicateItem":
                    raise AwsError(str(error.get("Code")), str(error.get("Message")), 400)

    def update_many(self, updates: Sequence[Update]) -> list[Updated]:
        """Make updates that say themselves under which condition, each for itself; what became of them, in order."""
        made: list[Updated] = []
        for start in range(0, len(updates), _BATCH_WRITES):
            statements = [
                {
                    "Statement": f'UPDATE "{self._name}" {update.text}',
                    "Parameters": [{"S": one} if type(one) is str else encode(one) for one in update.values],
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
                for update in updates[start : start + _BATCH_WRITES]
            ]
            answer = self._client.call("BatchExecuteStatement", {"Statements": statements})
            made += map(_updated, answer["Responses"])
        return made


@lru_cache
def _marks(names: tuple[str, ...]) -> str:
    return ", ".join(f"'{name}': ?" for name in names)


def _updated(response: Mapping[str, Any]) -> Updated:
    error = response.get("Error")
    if error is None:
        return Updated(True, response.get("Item"))
    code = error.get("Code")
    return Updated(False, error.get("Item") or None, "" if code == "ConditionalCheckFailed" else str(error))
