"""The challenge that shows that an endpoint's URL is its owner's: whoever asked for it can have it answer as told.

A signed POST of the event `webhook.verification` holds a challenge; the answer is 2xx with that challenge as its whole
body, or as the member `challenge` of a JSON object. A server that sends back whatever it gets does not pass by that.
"""

import hmac
import json

from shared.outbound.model import Outcome
from shared.webhooks.model import Asked, Wish

SECONDS = 10.0
SPACING = 5.0
"""Seconds between challenges of one URL that somebody asks for: it may be nobody's who asks."""
AT_ONCE = 5
"""Challenges of one tenant at once, in all sandboxes together: who hangs holds no more of them."""
WAITS = (10, 60, 300)
"""Seconds until a challenge that failed comes again by itself: the receiver may not be up yet."""
LONGEST_ANSWER = 2_000
KEYLESS = "It has no signing key: make one, POST rotate-secret."
UNANSWERED = 'The answer has to be the challenge itself, or {"challenge": …} with it; it was something else.'


def wait_of(wish: Wish, asked: Asked | None, url: str, now: float) -> float | None:
    """Seconds until a URL is challenged for a wish: 0 for now, None where a newer wish or challenge stands for it."""
    if asked is None or asked.url != url or asked.by == wish.name:
        return 0
    if wish.time > 1 or asked.at >= wish.asked_at:
        return None
    return max(0.0, asked.at + SPACING - now)


def judge(outcome: Outcome, challenge: str) -> str:
    """Why an answer does not pass, in a sentence; empty where it does."""
    if outcome.error:
        return outcome.error
    return "" if hmac.compare_digest(_answered(outcome.body), challenge.encode()) else UNANSWERED


def _answered(body: bytes) -> bytes:
    text = body[:LONGEST_ANSWER].strip()
    if not text.startswith(b"{"):
        return text.strip(b'"')
    try:
        said = json.loads(text)
    except (ValueError, RecursionError):
        return b""
    found = said.get("challenge") if isinstance(said, dict) else None
    return found.encode(errors="replace") if isinstance(found, str) else b""
