"""The words of mails."""

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Which mails there are."""

    CONFIRM_ADDRESS = "confirm-address"
    INVITATION = "invitation"
    RESET_PASSWORD = "reset-password"  # noqa: S105  a word, not a secret
    PASSWORD_CHANGED = "password-changed"  # noqa: S105
    CHANGE_ADDRESS = "change-address"
    LEAVE_ADDRESS = "leave-address"
    ADDRESS_CHANGED = "address-changed"
    ACCOUNT_ENDED = "account-ended"
    TRIAL_ENDING = "trial-ending"
    PAYMENT_REMINDER = "payment-reminder"
    ACCESS_RESTRICTED = "access-restricted"
    ACCESS_SUSPENDED = "access-suspended"
    WEBHOOK_FAILING = "webhook-failing"
    WEBHOOK_DISABLED = "webhook-disabled"
    WEBHOOK_GONE = "webhook-gone"
    NOBODY = "nobody"
    """Asked for by somebody who is not known: nothing is sent, at the same pace."""


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail as it is sent."""

    subject: str
    text: str
    html: str
