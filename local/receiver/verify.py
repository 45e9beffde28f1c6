"""Judges Standard Webhooks signatures with the reference library, which shares no code with the sender."""

from binascii import Error as NotBase64

from standardwebhooks import Webhook, WebhookVerificationError


def verify(secrets: list[str], headers: dict[str, str], body: bytes) -> tuple[bool | None, str]:
    """Whether any of the secrets signed this, and why not; None when there is no secret to judge by."""
    if not secrets:
        return None, "no secret set for this path"
    reason = ""
    for secret in secrets:
        try:
            Webhook(secret).verify(body, headers, json_parse=False)
        except (WebhookVerificationError, NotBase64, ValueError, RuntimeError) as error:
            reason = str(error) or type(error).__name__
        else:
            return True, "signature verified"
    return False, reason
