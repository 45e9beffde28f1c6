"""Answers that sandboxes share, in DynamoDB, and who is working one out.

An answer stands under what was asked and says which version of the numbers it is of: who knows the version that holds
now takes it, or leaves it. One at a time works out what is asked for; others wait for a moment and look again.
"""

import time
import zlib
from collections.abc import Callable
from contextlib import suppress

from tenant_context.aws import AwsError
from tenant_context.clock import Clock
from tenant_context.context import TenantContext
from tenant_context.dynamo import ConditionFailed, Table, TenantTable
from tenant_context.errors import Unavailable

KEPT_SECONDS = 24 * 3600
LONGEST = 350_000
"""Bytes of a packed answer that DynamoDB takes as one item."""
FLIGHT_SECONDS = 5
_LOOK_EVERY = 0.05
_LATEST, _FLIGHT = "answer", "flight"


class SharedAnswers:
    """One tenant's answers at a time. DynamoDB being away is no reason to answer nothing: it is then as if empty."""

    def __init__(self, table: Table, clock: Clock, sleep: Callable[[float], None] = time.sleep) -> None:
        self._table = table
        self._clock = clock
        self._sleep = sleep

    def get(self, tenant: TenantContext, key: str, version: str) -> bytes | None:
        """The answer of this version, if somebody kept it."""
        with suppress(AwsError, Unavailable, OSError):
            item = TenantTable(self._table, tenant).get(f"answer#{key}", _LATEST)
            if item is not None and item.get("version") == version:
                return zlib.decompress(item["body"])
        return None

    def put(self, tenant: TenantContext, key: str, version: str, answer: bytes) -> None:
        """Keep an answer, where the table takes it."""
        packed = zlib.compress(answer, 1)
        if len(packed) > LONGEST:
            return
        expires = int(self._clock().timestamp()) + KEPT_SECONDS
        item = {"version": version, "body": packed, "expires_at": expires}
        with suppress(AwsError, Unavailable, OSError):
            TenantTable(self._table, tenant).put(f"answer#{key}", _LATEST, item)

    def begin(self, tenant: TenantContext, key: str, version: str) -> bool:
        """Whether this caller is to work it out; nobody else is told so for some seconds."""
        now = self._clock().timestamp()
        try:
            TenantTable(self._table, tenant).update(
                f"answer#{key}",
                _FLIGHT,
                "SET version = :version, ends = :until, expires_at = :gone",
                {":version": version, ":until": str(now + FLIGHT_SECONDS), ":now": str(now), ":gone": int(now) + 60},
                condition="attribute_not_exists(pk) OR version <> :version OR ends < :now",
            )
        except ConditionFailed:
            return False
        except (AwsError, Unavailable, OSError):
            return True
        return True

    def end(self, tenant: TenantContext, key: str, version: str) -> None:
        """It was worked out, or could not be: whoever comes next may."""
        with suppress(AwsError, Unavailable, OSError):
            TenantTable(self._table, tenant).delete(f"answer#{key}", _FLIGHT, only_if=("version", version))

    def wait(self, tenant: TenantContext, key: str, version: str) -> bytes | None:
        """What somebody else works out, once it is there; None when that takes too long."""
        for _ in range(int(FLIGHT_SECONDS / _LOOK_EVERY)):
            self._sleep(_LOOK_EVERY)
            if (answer := self.get(tenant, key, version)) is not None:
                return answer
        return None
