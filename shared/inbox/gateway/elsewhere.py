"""What is fetched before a delivery can be believed: by a function that has the internet, as this side has not."""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol
from uuid import UUID

from shared.inbox.errors import SignatureRefused
from shared.inbox.model import NOBODY
from shared.inbox.rules.google import KEYS_URL
from tenant_context.errors import RmapError, Unavailable

READ, CONFIRM = "read", "confirm"
REFUSALS: Mapping[str, type[RmapError]] = {SignatureRefused.code: SignatureRefused}
"""The other side's errors that are not over when one asks again."""
_KEPT = 20
_CERTIFICATE_SECONDS = 86_400.0
_KEYS_SECONDS = 3_600.0
_AGAIN_SECONDS = 10.0
_MOST_A_MINUTE = 30


class Egress(Protocol):
    """Calls the function that has the internet."""

    def call(self, operation: str, data: dict[str, Any], *, tenant: UUID, request_id: str) -> Any:
        """Its answer. Errors: those of `REFUSALS`; Unavailable."""


class Elsewhere:
    """Certificates and keys, each fetched once in a while; and few of them, whoever asks for what."""

    def __init__(self, egress: Egress, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._egress = egress
        self._monotonic = monotonic
        self._found: OrderedDict[str, tuple[float, bytes]] = OrderedDict()
        self._asked: deque[float] = deque()

    def certificate(self, url: str) -> bytes:
        """A certificate of SNS. Errors: SignatureRefused where there is none, Unavailable."""
        return self._kept(url, _CERTIFICATE_SECONDS) or self._fetch(url)

    def google_keys(self, *, again: bool = False) -> bytes:
        """Google's keys, as a JSON Web Key Set; `again` where one was named that is not among them."""
        return self._kept(KEYS_URL, _AGAIN_SECONDS if again else _KEYS_SECONDS) or self._fetch(KEYS_URL)

    def confirm(self, url: str, request_id: str) -> None:
        """Confirm a subscription of SNS. Errors: SignatureRefused where SNS does not want it, Unavailable."""
        self._egress.call(CONFIRM, {"url": url}, tenant=NOBODY, request_id=request_id)

    def _kept(self, url: str, longest: float) -> bytes | None:
        at, found = self._found.get(url, (float("-inf"), b""))
        return found if self._monotonic() - at < longest else None

    def _fetch(self, url: str) -> bytes:
        """Fetch it, unless so much was fetched within a minute that somebody makes us do it."""
        now = self._monotonic()
        while self._asked and now - self._asked[0] > 60.0:  # noqa: PLR2004  a minute
            self._asked.popleft()
        if len(self._asked) >= _MOST_A_MINUTE:
            raise Unavailable("Too much has to be looked up just now; try again.", retry_after=60)
        self._asked.append(now)
        found = str(self._egress.call(READ, {"url": url}, tenant=NOBODY, request_id="inbound")).encode()
        self._found.pop(url, None)
        self._found[url] = (now, found)
        if len(self._found) > _KEPT:
            self._found.popitem(last=False)
        return found
