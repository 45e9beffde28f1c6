"""Passkeys, in DynamoDB: listed by user, and found by credential id before a user is known."""

from datetime import datetime
from uuid import UUID

from shared.identity.model import Passkey
from tenant_context.dynamo import ConditionFailed, Item, Table, count, delete_existing, put_new


class PasskeyRepository:
    """A passkey is two items and one of a count, changed together or not at all: none is there twice or by half."""

    def __init__(self, table: Table, most: int) -> None:
        self._table = table
        self._most = most

    def add(self, passkey: Passkey) -> bool:
        """Keep a new one; False where it is known already, to anybody, or its user has as many as one may have."""
        user = _user(passkey.user)
        item: Item = {
            "public_key": passkey.public_key,
            "sign_count": passkey.sign_count,
            "name": passkey.name,
            "transports": list(passkey.transports),
            "synced": passkey.synced,
            "backed_up": passkey.backed_up,
            "created_at": passkey.created_at.isoformat(),
        }
        try:
            self._table.together(
                put_new({**item, "pk": user, "sk": _sort(passkey.id)}),
                put_new({"pk": _sort(passkey.id), "sk": "user", "user": passkey.user}),
                count(user, "passkeys", "held", 1, most=self._most),
            )
        except ConditionFailed:
            return False
        return True

    def of_user(self, user: UUID) -> list[Passkey]:
        """The user's passkeys."""
        items = self._table.query_from(_user(user), "passkey#")
        return [_passkey(user, item) for item in items if item["sk"].startswith("passkey#")]

    def find(self, user: UUID, credential: str) -> Passkey | None:
        """A passkey of this user."""
        item = self._table.get(_user(user), _sort(credential))
        return _passkey(user, item) if item else None

    def user_of(self, credential: str) -> UUID | None:
        """Whose passkey it is."""
        item = self._table.get(_sort(credential), "user")
        return UUID(item["user"]) if item else None

    def use(self, passkey: Passkey, sign_count: int, *, backed_up: bool, now: datetime) -> bool:
        """Keep that it signed; False where its counter did not go forward, or it is gone."""
        counts = "sign_count < :count" if sign_count else "sign_count = :count"
        try:
            self._table.update(
                _user(passkey.user),
                _sort(passkey.id),
                "SET sign_count = :count, backed_up = :backed_up, last_used_at = :now",
                {":count": sign_count, ":backed_up": backed_up, ":now": now.isoformat()},
                condition=counts,
            )
        except ConditionFailed:
            return False
        return True

    def remove(self, user: UUID, credential: str) -> bool:
        """Forget a passkey of this user; False where there is none."""
        try:
            self._table.together(
                delete_existing(_user(user), _sort(credential)),
                delete_existing(_sort(credential), "user"),
                count(_user(user), "passkeys", "held", -1, most=self._most + 1),
            )
        except ConditionFailed:
            return False
        return True


def _user(user: UUID) -> str:
    return f"user#{user}"


def _sort(credential: str) -> str:
    return f"passkey#{credential}"


def _passkey(user: UUID, item: Item) -> Passkey:
    used = item.get("last_used_at")
    return Passkey(
        id=item["sk"].removeprefix("passkey#"),
        user=user,
        name=item["name"],
        public_key=item["public_key"],
        sign_count=int(item["sign_count"]),
        transports=tuple(item["transports"]),
        synced=item["synced"],
        backed_up=item["backed_up"],
        created_at=datetime.fromisoformat(item["created_at"]),
        last_used_at=datetime.fromisoformat(used) if used else None,
    )
