"""One effect for a write that is sent twice: the answer is a row of the same transaction as the change.

The row is inserted last, so that the usual case costs no look-up: a second attempt breaks on the primary key and its
whole transaction is undone, whatever it did; then the first answer is read. Kept in PostgreSQL, not in DynamoDB, so
that there is no moment between the change and the memory of it (decision record 0004).
"""

import hashlib
from dataclasses import dataclass
from typing import LiteralString

from psycopg import errors

from tenant_context.context import TenantContext
from tenant_context.errors import BadRequest, FieldError, Invalid
from tenant_context.postgres import Database, Transaction
from tenant_context.routing import Answer

CONSTRAINT = "idempotency_keys_pkey"
_MAX_LENGTH = 255

_REMEMBER: LiteralString = """
    INSERT INTO idempotency_keys (tenant_id, actor, key, request_hash, status, headers, body, created_at)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s)"""
_RESERVE: LiteralString = """
    INSERT INTO idempotency_keys (tenant_id, actor, key, request_hash, status, headers, body, created_at)
    VALUES (%s, %s, %s, %s, %s, '{}', '', %s) ON CONFLICT DO NOTHING"""
_RELEASE: LiteralString = "DELETE FROM idempotency_keys WHERE tenant_id = %s AND actor = %s AND key = %s"
_RESERVED, _FINISHED = 0, 200
_RECALL: LiteralString = """
    SELECT request_hash, status, headers, body FROM idempotency_keys
    WHERE tenant_id = %s AND actor = %s AND key = %s"""


@dataclass(frozen=True, slots=True)
class Attempt:
    """A write that carries an Idempotency-Key."""

    key: str
    request_hash: bytes

    @classmethod
    def of(cls, key: str, method: str, path: str, raw: bytes, if_match: str) -> "Attempt":
        """Read the header; the hash covers the method, the address, the version and the body's exact bytes."""
        if not 1 <= len(key) <= _MAX_LENGTH or not key.isprintable():
            raise BadRequest(f"Idempotency-Key has 1 to {_MAX_LENGTH} printable characters.")
        digest = hashlib.sha256(f"{method}\n{path}\n{if_match}\n".encode())
        digest.update(raw)
        return cls(key, digest.digest())

    def remember(self, tx: Transaction, answer: Answer, body: bytes) -> None:
        """Queue the row that keeps the answer, in the same transaction."""
        tx.run(
            _REMEMBER,
            (
                tx.tenant.tenant,
                tx.tenant.actor,
                self.key,
                self.request_hash,
                answer.status,
                [f"{name}: {value}" for name, value in answer.headers.items()],
                body,
                tx.now,
            ),
        )

    def recall(self, database: Database, tenant: TenantContext) -> Answer | None:
        """The first attempt's answer, or None where there was none; `Invalid` where it asked for something else."""
        rows = database.read(tenant, _RECALL, (tenant.tenant, tenant.actor, self.key))
        if not rows:
            return None
        request_hash, status, headers, body = rows[0]
        self._check(request_hash)
        kept = dict(line.split(": ", 1) for line in headers)
        return Answer(content=bytes(body), status=status, headers={**kept, "idempotent-replayed": "true"})

    def reserve(self, database: Database, tenant: TenantContext) -> bool:
        """Keep the key for this request alone, before somebody else is asked to do it who does not compare requests.

        True, where the request was `finish`ed before. Errors: Invalid, where the key was used for something else.
        """
        with database.transaction(tenant) as tx:
            tx.run(_RESERVE, (tenant.tenant, tenant.actor, self.key, self.request_hash, _RESERVED, tx.now))
            row = tx.one(_RECALL, (tenant.tenant, tenant.actor, self.key))
        if row is None:
            return False
        self._check(row[0])
        return bool(row[1] != _RESERVED)

    def finish(self, tx: Transaction) -> None:
        """Queue that what a reserved key asked for is done; its answer is not kept."""
        tx.run(_RELEASE, (tx.tenant.tenant, tx.tenant.actor, self.key))
        tx.run(_RESERVE, (tx.tenant.tenant, tx.tenant.actor, self.key, self.request_hash, _FINISHED, tx.now))

    def _check(self, request_hash: bytes) -> None:
        if bytes(request_hash) != self.request_hash:
            raise Invalid(
                "This Idempotency-Key was used for another request.",
                errors=(FieldError("", "idempotency-key-reused", "use a fresh key for a new request"),),
            )


def is_repeat(error: BaseException) -> bool:
    """Whether an error is the idempotency row's own: the first attempt has committed."""
    return isinstance(error, errors.UniqueViolation) and error.diag.constraint_name == CONSTRAINT
