"""Mail addresses that are not mailed again, in DynamoDB: by a keyed hash, so that the list tells nobody's address.

An item for each address; it goes with the organization that the mail was for, or with the person whose address it is,
and by itself after two years where it belongs to nobody.
"""

import hashlib
import hmac
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from tenant_context.dynamo import ConditionFailed, Table
from tenant_context.wire import one_form

_PURPOSE = b"rmap mail suppressions"
_SORT = "mail"
_ADDRESS = "address#"
_NOBODYS = timedelta(days=730)
_NEWER = "attribute_not_exists(as_of) OR as_of < :as_of"
"""What is known is never overwritten by an older word, in whichever order they come."""


@dataclass(frozen=True, slots=True)
class Suppression:
    """Why an address is not mailed, and since when."""

    why: str
    since: datetime


class Suppressions:
    """The list; `pepper` reads the platform's, from which the hash's key is derived. Whoever forgets needs none."""

    def __init__(self, table: Table, pepper: Callable[[], str] = str) -> None:
        self._table = table
        self._pepper = pepper

    def find(self, address: str) -> Suppression | None:
        """Whether an address is on the list. Errors: AwsError."""
        item = self._table.get(self._key(address), _SORT)
        if item is None or not item.get("why"):
            return None
        return Suppression(str(item["why"]), datetime.fromtimestamp(int(item["as_of"]) / 1000, UTC))

    def add(self, address: str, suppression: Suppression, *, tenant: UUID | None, user: UUID | None) -> bool:
        """Put an address on the list; False where something newer is known of it. Errors: AwsError."""
        key = self._key(address)
        values: dict[str, Any] = {":why": suppression.why, ":as_of": _milliseconds(suppression.since)}
        sets, drops = ["why = :why", "as_of = :as_of"], []
        if tenant is not None:
            values[":tenant"] = str(tenant)
            sets.append("#tenant = :tenant")
        if tenant is None and user is None:
            values[":expires_at"] = int((suppression.since + _NOBODYS).timestamp())
            sets.append("expires_at = :expires_at")
        else:
            drops.append("expires_at")
        if user is not None:
            # The pointer first: an item that it does not lead to would outlive its person.
            self._table.put({"pk": _person(user), "sk": key})
        expression = f"SET {', '.join(sets)}" + (f" REMOVE {', '.join(drops)}" if drops else "")
        names = {"#tenant": "tenant"} if tenant is not None else None
        try:
            self._table.update(key, _SORT, expression, values, condition=_NEWER, names=names)
        except ConditionFailed:
            return False
        return True

    def lift(self, address: str, at: datetime) -> None:
        """Take an address off the list: what happened before that puts it there no more. Errors: AwsError."""
        with suppress(ConditionFailed):
            self._table.update(
                self._key(address),
                _SORT,
                "SET as_of = :as_of, expires_at = :expires_at REMOVE why",
                {":as_of": _milliseconds(at), ":expires_at": int((at + _NOBODYS).timestamp())},
                condition=_NEWER,
            )

    def forget(self, user: UUID) -> None:
        """Take away what is known of a person's addresses. Errors: AwsError."""
        for pointer in self._table.query_from(_person(user), _ADDRESS):
            self._table.delete(pointer["sk"], _SORT)
            self._table.delete(pointer["pk"], pointer["sk"])

    def _key(self, address: str) -> str:
        key = hmac.new(self._pepper().encode(), _PURPOSE, hashlib.sha256).digest()
        return f"{_ADDRESS}{hmac.new(key, str(one_form(address)).encode(), hashlib.sha256).hexdigest()}"


def _person(user: UUID) -> str:
    return f"person#{user}"


def _milliseconds(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)
