"""The list of breached passwords, asked by range: only five characters of a digest ever leave us."""

import re

from shared.federation.errors import ListUnreachable
from shared.outbound.gateway.client import Strangers

PUBLIC_LIST = "https://api.pwnedpasswords.com"
_KEPT_BYTES = 200_000


class Breaches:
    """Pwned Passwords' range search, or another list that speaks like it."""

    def __init__(self, strangers: Strangers, url: str = "") -> None:
        self._strangers = strangers
        self._url = url or PUBLIC_LIST

    def range(self, prefix: str) -> dict[str, int]:
        """How often each password was seen whose SHA-1 begins with the five digits, by the rest of the digest.

        Errors: ListUnreachable.
        """
        if re.fullmatch(r"[0-9A-F]{5}", prefix) is None:
            raise ListUnreachable("A range is five hexadecimal digits.")
        headers = {"add-padding": "true", "user-agent": "rmap"}
        outcome = self._strangers.get(f"{self._url}/range/{prefix}", headers, keep=_KEPT_BYTES)
        if outcome.error:
            raise ListUnreachable(outcome.error)
        lines = re.findall(r"^([0-9A-F]{35}):([0-9]{1,12})\r?$", outcome.body.decode("ascii", "replace"), re.MULTILINE)
        return {suffix: int(count) for suffix, count in lines if int(count)}
