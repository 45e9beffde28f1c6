"""Codes of authenticator apps."""

import hmac
from datetime import datetime


def step_of(code: str, secret: str, now: datetime) -> int | None:
    """The 30-second step a code is good for: the present one, the one before or the one after (RFC 6238)."""
    import pyotp  # noqa: PLC0415  few requests of a sandbox bring a code

    totp = pyotp.TOTP(secret)
    present = totp.timecode(now)
    for step in (present, present - 1, present + 1):
        if hmac.compare_digest(totp.generate_otp(step), code):
            return step
    return None
