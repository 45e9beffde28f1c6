"""The ring in DynamoDB: one item, so that each step is one conditional write and nobody ever reads half a step."""

from dataclasses import asdict, fields
from typing import Any

from shared.signing.errors import RingMoved
from shared.signing.model import Key, Ring
from tenant_context.dynamo import ConditionFailed, Table
from tenant_context.key_ring import RING, State

_CHANGE = "SET #version = :next, #keys = :keys, claim = :claim, claimed_until = :until"
_NAMES = {"#version": "version", "#keys": "keys"}


class RingRepository:
    """Reads the ring and writes it; `tenant_context.key_ring` reads what is written here."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def find(self) -> Ring:
        """The ring as last written; an empty one where there was none."""
        item = self._table.get(*RING)
        if item is None:
            return Ring()
        return Ring(item["version"], tuple(map(_key, item["keys"])), item["claim"], item["claimed_until"])

    def save(self, ring: Ring) -> None:
        """Write the ring in place of the one it was made from. Errors: RingMoved."""
        values = {
            ":next": ring.version + 1,
            ":keys": [asdict(key) for key in ring.keys],
            ":claim": ring.claim,
            ":until": ring.claimed_until,
        }
        condition = "attribute_not_exists(pk)"
        if ring.version:
            values[":version"] = ring.version
            condition = "#version = :version"
        try:
            self._table.update(*RING, _CHANGE, values, condition=condition, names=_NAMES)
        except ConditionFailed as error:
            raise RingMoved from error


def _key(item: dict[str, Any]) -> Key:
    found = {field.name: item[field.name] for field in fields(Key)}
    return Key(**{**found, "state": State(item["state"])})
