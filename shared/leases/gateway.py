"""Leases in DynamoDB, which keep one timed run from being started twice."""

from datetime import datetime

from pynamodb.attributes import NumberAttribute, UnicodeAttribute
from pynamodb.exceptions import PutError
from pynamodb.models import Model

_LEASE_SECONDS = 48 * 3600
"""A slot's lease outlives every retry of its call."""


class Leases:
    """Which timed runs were started; the schedule calls at least once, and a lease makes it once."""

    def __init__(self, table: str, region: str, host: str | None) -> None:
        meta = type("Meta", (), {"table_name": table, "region": region, "host": host})
        self._model: type[_Lease] = type("Lease", (_Lease,), {"Meta": meta})

    def take(self, job: str, slot: str, now: datetime) -> bool:
        """Whether the caller is the first to ask for this slot of the job."""
        lease = self._model(f"job#{job}", slot)
        lease.taken_at = now.isoformat()
        lease.expires_at = int(now.timestamp()) + _LEASE_SECONDS
        try:
            lease.save(condition=self._model.pk.does_not_exist())
        except PutError as error:
            if error.cause_response_code == "ConditionalCheckFailedException":
                return False
            raise
        return True


class _Lease(Model):
    """A job's slot at `job#<name>`."""

    pk = UnicodeAttribute(hash_key=True)
    sk = UnicodeAttribute(range_key=True)
    taken_at = UnicodeAttribute()
    expires_at = NumberAttribute()
