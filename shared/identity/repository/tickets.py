"""Tickets, in DynamoDB: what is handed out once, holds for minutes, and is found again by what was handed out."""

import hashlib

from tenant_context.dynamo import ConditionFailed, Item, Table


class TicketRepository:
    """Tickets of every kind; only digests of their tokens are kept."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def put(self, kind: str, token: str, content: Item, expires_at: int) -> None:
        """Keep a ticket until a time (seconds since 1970)."""
        self._table.put({**content, "pk": _key(kind, token), "sk": "ticket", "expires_at": expires_at})

    def put_once(self, kind: str, token: str, content: Item, expires_at: int) -> Item:
        """Keep a ticket unless there is one; answers the content of the one that is kept."""
        item = {**content, "pk": _key(kind, token), "sk": "ticket", "expires_at": expires_at}
        try:
            self._table.put(item, only_if_absent=True)
        except ConditionFailed:
            return self._table.get(item["pk"], "ticket") or item
        return item

    def find(self, kind: str, token: str, now: float) -> Item | None:
        """The content of a ticket that holds."""
        item = self._table.get(_key(kind, token), "ticket")
        return item if item and int(item["expires_at"]) > now else None

    def mark(self, kind: str, token: str, name: str) -> Item | None:
        """Set a mark on a ticket; answers its content with all marks, None where it was used up."""
        try:
            return self._table.update(
                _key(kind, token),
                "ticket",
                "SET #mark = :yes",
                {":yes": True},
                condition="attribute_exists(pk)",
                names={"#mark": name},
            )
        except ConditionFailed:
            return None

    def take(self, kind: str, token: str) -> bool:
        """Use a ticket up; False where somebody else just did."""
        return self._table.take(_key(kind, token), "ticket")


def _key(kind: str, token: str) -> str:
    return f"ticket#{kind}#{hashlib.sha256(token.encode()).hexdigest()}"
