"""When sensors were last heard of, in PostgreSQL."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, LiteralString

from tenant_context.postgres import Transaction

STEADY = timedelta(minutes=10)
"""What a device tells of stays as far behind where its clock is wrong: to this, as pushes come sooner or later."""
_HEAR: LiteralString = """
    INSERT INTO sensor_beats AS b (tenant_id, sensor_id, seen_at, measured_at, lag_s, steady_since, clock_s)
    SELECT %(tenant)s, i.sensor_id, i.at, i.measured_at, extract(epoch FROM i.at - i.measured_at), i.at,
           extract(epoch FROM i.at - i.clock_at)
    FROM unnest(%(sensors)s::uuid[], %(newest)s::timestamptz[], %(clocks)s::timestamptz[], %(received)s::timestamptz[])
         AS i (sensor_id, measured_at, clock_at, at)
    JOIN sensors s ON s.tenant_id = %(tenant)s AND s.id = i.sensor_id
    ORDER BY i.sensor_id
    ON CONFLICT (tenant_id, sensor_id) DO UPDATE
    SET seen_at = excluded.seen_at, measured_at = coalesce(excluded.measured_at, b.measured_at),
        lag_s = coalesce(excluded.lag_s, b.lag_s), clock_s = coalesce(excluded.clock_s, b.clock_s),
        steady_since = CASE WHEN excluded.lag_s IS NULL OR abs(excluded.lag_s - b.lag_s) <= %(steady)s
                            THEN b.steady_since ELSE excluded.seen_at END
    WHERE b.seen_at <= excluded.seen_at"""


class BeatRepository:
    """Signs of life of one tenant's sensors."""

    @classmethod
    def hear_each(cls, tx: Transaction, told: Sequence[tuple[str, Sequence[Sequence[Any]]]]) -> None:
        """Several words, each with when it was received; sensors are locked in one order, whoever told first."""
        waves: list[dict[Any, tuple[str, Sequence[Any]]]] = []
        for received, beats in told:
            for beat in beats:
                wave = next((one for one in waves if beat[0] not in one), None)
                if wave is None:
                    waves.append(wave := {})
                wave[beat[0]] = received, beat
        for wave in waves:
            moments, found = zip(*wave.values(), strict=True)
            cls._hear(tx, moments, found)

    @classmethod
    def hear(cls, tx: Transaction, received_at: str, beats: Sequence[Sequence[Any]]) -> None:
        """Note of which sensors was heard, each with the newest it told of and what its clock said.

        An older word than one that was noted changes nothing.
        """
        cls._hear(tx, [received_at] * len(beats), beats)

    @staticmethod
    def _hear(tx: Transaction, received: Sequence[str], beats: Sequence[Sequence[Any]]) -> None:
        sensors, newest, clocks = (list(column) for column in zip(*beats, strict=True))
        values = {"sensors": sensors, "newest": newest, "clocks": clocks, "received": list(received)}
        tx.run(_HEAR, {**values, "tenant": tx.tenant.tenant, "steady": STEADY.total_seconds()})
