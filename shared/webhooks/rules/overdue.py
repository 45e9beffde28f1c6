"""Deliveries whose next attempt should have begun long ago: nothing that asks for it may be on its way any more.

What the dispatcher fails at five times, by an error of our own, is in the dead-letter queue of SQS after half an hour.
The delivery cannot know: it waits, and somebody has to say so.
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from shared.webhooks.model import State

AFTER = timedelta(hours=1)


def is_overdue(delivery: Mapping[str, Any], now: datetime) -> bool:
    """Whether a delivery waits for an attempt that nobody is at, long after its time."""
    if delivery["state"] != State.WAITING or int(delivery.get("claimed_until") or 0) > now.timestamp():
        return False
    moments = (delivery["updated_at"], delivery.get("next_attempt_at"))
    return now - max(datetime.fromisoformat(moment) for moment in moments if moment) > AFTER
