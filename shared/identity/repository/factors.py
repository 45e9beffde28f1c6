"""What users have beside their passwords, in DynamoDB: an authenticator app, recovery codes."""

from uuid import UUID

from shared.identity.model import Factors, Totp
from tenant_context.dynamo import ConditionFailed, Table


class FactorRepository:
    """One user's factors at a time; what is used once is used up by a condition, so never twice."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def of(self, user: UUID) -> Factors:
        """What the user has set up, read at once."""
        items = {item["sk"]: item for item in self._table.query_from(_user(user), "passkey#")}
        return Factors(
            totp=bool(items.get("totp", {}).get("confirmed")),
            passkeys=sum(sort_key.startswith("passkey#") for sort_key in items),
            recovery_codes=len(items.get("recovery", {}).get("codes", ())),
        )

    def totp(self, user: UUID) -> Totp | None:
        """The user's authenticator app, set up or about to be."""
        item = self._table.get(_user(user), "totp")
        return Totp(item["sealed"], item["confirmed"], int(item["last_step"])) if item else None

    def begin_totp(self, user: UUID, sealed: bytes) -> bool:
        """Keep a secret that waits for its first code; False where one is set up already."""
        try:
            self._table.update(
                _user(user),
                "totp",
                "SET sealed = :sealed, confirmed = :no, last_step = :none",
                {":sealed": sealed, ":no": False, ":none": 0},
                condition="attribute_not_exists(pk) OR confirmed = :no",
            )
        except ConditionFailed:
            return False
        return True

    def use_step(self, user: UUID, totp: Totp, step: int) -> bool:
        """Use a step up, and so confirm the app; False where it or a later one was used, or the secret is another."""
        try:
            self._table.update(
                _user(user),
                "totp",
                "SET last_step = :step, confirmed = :yes",
                {":step": step, ":yes": True, ":sealed": totp.sealed},
                condition="last_step < :step AND sealed = :sealed",
            )
        except ConditionFailed:
            return False
        return True

    def remove_totp(self, user: UUID) -> None:
        """Forget the app."""
        self._table.delete(_user(user), "totp")

    def remove_codes(self, user: UUID) -> None:
        """Forget the recovery codes."""
        self._table.delete(_user(user), "recovery")

    def forget(self, user: UUID) -> None:
        """Forget the app and the recovery codes."""
        self.remove_totp(user)
        self.remove_codes(user)

    def put_codes(self, user: UUID, digests: list[str]) -> None:
        """Keep the digests of fresh recovery codes in place of any before."""
        self._table.put({"pk": _user(user), "sk": "recovery", "codes": dict.fromkeys(digests, True)})

    def use_code(self, user: UUID, digest: str) -> bool:
        """Use a recovery code up; False where it is none, or was used."""
        try:
            self._table.update(
                _user(user),
                "recovery",
                "REMOVE codes.#digest",
                {},
                condition="attribute_exists(codes.#digest)",
                names={"#digest": digest},
            )
        except ConditionFailed:
            return False
        return True


def _user(user: UUID) -> str:
    return f"user#{user}"
