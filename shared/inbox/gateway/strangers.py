"""The other side: fetches certificates of SNS and keys of Google, confirms subscriptions, and asks nobody else."""

from urllib.parse import urlsplit

from shared.inbox.errors import SignatureRefused
from shared.inbox.rules.google import KEYS_URL
from shared.inbox.rules.sns import is_certificate, is_confirmation
from shared.outbound.gateway.client import Strangers
from tenant_context.errors import Unavailable

_KEPT_BYTES = 50_000


class Places:
    """The few addresses that may be asked; `stand_in` is asked in their place where one is given."""

    def __init__(self, strangers: Strangers, stand_in: str = "") -> None:
        self._strangers = strangers
        self._stand_in = stand_in

    def read(self, url: str) -> str:
        """A certificate or a key set. Errors: SignatureRefused where there is none, Unavailable."""
        if not (is_certificate(url) or url == KEYS_URL):
            raise SignatureRefused("Nothing is read from there.")
        return self._get(url)

    def confirm(self, url: str) -> str:
        """A subscription of SNS. Errors: SignatureRefused where SNS does not want it, Unavailable."""
        if not is_confirmation(url):
            raise SignatureRefused("Nothing is confirmed there.")
        return self._get(url)

    def _get(self, url: str) -> str:
        outcome = self._strangers.get(self._place(url), {"accept": "*/*", "user-agent": "rmap"}, keep=_KEPT_BYTES)
        if outcome.status is not None and 400 <= outcome.status < 500:  # noqa: PLR2004  HTTP's own boundaries
            raise SignatureRefused(f"What it names is not there: the answer was {outcome.status}.")
        if outcome.error:
            raise Unavailable(outcome.error)
        return outcome.body.decode(errors="replace")

    def _place(self, url: str) -> str:
        if not self._stand_in:
            return url
        parts = urlsplit(url)
        return f"{self._stand_in}/pages/{parts.hostname}{parts.path}" + (f"?{parts.query}" if parts.query else "")
