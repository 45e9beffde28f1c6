"""What mails say, in text and in HTML."""

import html
from collections.abc import Mapping
from string import Template

from shared.mail.model import Kind, Mail

_SUBJECTS = {
    Kind.CONFIRM_ADDRESS: "Confirm your mail address",
    Kind.INVITATION: "You are invited to an organization at RMAP",
    Kind.RESET_PASSWORD: "Set a new password",
    Kind.PASSWORD_CHANGED: "Your password was changed",
    Kind.CHANGE_ADDRESS: "Confirm your new mail address",
    Kind.LEAVE_ADDRESS: "Your mail address is about to change",
    Kind.ADDRESS_CHANGED: "Your mail address was changed",
    Kind.ACCOUNT_ENDED: "Your account was deleted",
    Kind.TRIAL_ENDING: "Your trial of RMAP ends soon",
    Kind.PAYMENT_REMINDER: "A payment for RMAP did not go through",
    Kind.ACCESS_RESTRICTED: "Your organization at RMAP can only be read from now on",
    Kind.ACCESS_SUSPENDED: "Your organization at RMAP is suspended",
    Kind.WEBHOOK_FAILING: "A webhook endpoint of yours fails",
    Kind.WEBHOOK_DISABLED: "A webhook endpoint of yours was disabled",
    Kind.WEBHOOK_GONE: "A webhook endpoint of yours was disabled",
}
_TEXTS = {
    Kind.CONFIRM_ADDRESS: """Hello $name,

somebody signed up at RMAP with this mail address. If it was you, confirm it with this code, which is good for a day:

    $token

If it was not you, you need not do anything.""",
    Kind.INVITATION: """Hello,

you are invited to join the organization $organization at RMAP, in the role of $role. Accept it with this code, which is
good for seven days, once:

    $token

If you do not know why, you need not do anything.""",
    Kind.RESET_PASSWORD: """Hello $name,

somebody asked to set a new password for your account at RMAP. If it was you, use this code, which is good for an hour:

    $token

If it was not you, your password stays as it is. You need not do anything.""",
    Kind.PASSWORD_CHANGED: """Hello $name,

the password of your account at RMAP was changed just now, from the address $source_ip. Everybody who was logged in to
the account was logged out.

If it was not you, set a new password at once, and tell the owner of your organization.""",
    Kind.CHANGE_ADDRESS: """Hello $name,

you asked to use this mail address at RMAP from now on. Confirm it with this code, which is good for a day; the code
that went to your present address is needed as well:

    $token

If it was not you, you need not do anything.""",
    Kind.LEAVE_ADDRESS: """Hello $name,

somebody who is logged in to your account at RMAP asked to change its mail address to $email. If it was you, confirm
it with this code, which is good for a day; the code that went to the new address is needed as well:

    $token

If it was not you, nothing has changed yet: change your password at once, which ends every session.""",
    Kind.ADDRESS_CHANGED: """Hello $name,

the mail address of your account at RMAP is $email from now on; it was changed from the address $source_ip. This is the
last mail to the address before.""",
    Kind.ACCOUNT_ENDED: """Hello $name,

your account at RMAP was deleted just now, from the address $source_ip. You are a member of no organization any
more.""",
    Kind.TRIAL_ENDING: """Hello $name,

the trial of the organization $organization ends on $day (UTC). To go on, give a card in the portal that your billing
page opens: the plan is charged from then on. Without a card nothing is charged, and from that day the organization can
only be read; everything comes back with a card.""",
    Kind.PAYMENT_REMINDER: """Hello $name,

a payment for the organization $organization did not go through $days days ago. Give another card, or see what is open,
in the portal that your billing page opens. Nothing has changed for your organization yet: it can only be read after 28
days, and is suspended after 42.""",
    Kind.ACCESS_RESTRICTED: """Hello $name,

the organization $organization has owed a payment for $days days. It can be read, but nothing in it can be changed from
now on; it is suspended after 42 days. Everything comes back as soon as the payment is made.""",
    Kind.ACCESS_SUSPENDED: """Hello $name,

the organization $organization has owed a payment for $days days and is suspended: nobody can use it. Its data is kept.
Log in and pay in the portal that your billing page opens, or by the link in the mail that came with the invoice:
everything comes back with the payment.""",
    Kind.WEBHOOK_FAILING: """Hello $name,

deliveries to a webhook endpoint of the organization $organization have failed since $since (UTC). It is this one:

    $endpoint at $host

It failed so first: $reason Deliveries go on being tried, and nothing is lost. If it goes on failing, it is disabled
on $until (UTC).""",
    Kind.WEBHOOK_DISABLED: """Hello $name,

a webhook endpoint of the organization $organization has failed since $since (UTC), and was disabled just now. It is
this one:

    $endpoint at $host

What happens from now on is kept for it, for 30 days or as long as your plan keeps logs. Mend the receiver and change
the endpoint, if only by saving it as it is: then it is sent all it missed, in order.""",
    Kind.WEBHOOK_GONE: """Hello $name,

the receiver of a webhook endpoint of the organization $organization answered 410 Gone, by which it asks for nothing
more, and the endpoint was disabled just now. It is this one:

    $endpoint at $host

What happens from now on is kept for it, for 30 days or as long as your plan keeps logs. If that was a mistake, mend the
receiver and change the endpoint, if only by saving it as it is: then it is sent all it missed, in order.""",
}
_PAGE = Template(
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>$subject</title></head>'
    '<body style="font: 16px/1.5 sans-serif; max-width: 36em; margin: 2em auto">$paragraphs</body></html>'
)


def write(kind: Kind, values: Mapping[str, str]) -> Mail:
    """A mail of a kind; raises KeyError for a value that is missing."""
    subject = _SUBJECTS[kind]
    text = Template(_TEXTS[kind]).substitute({name: _one_line(value) for name, value in values.items()})
    paragraphs = "".join(_paragraph(one) for one in text.split("\n\n"))
    return Mail(subject, text, _PAGE.substitute(subject=html.escape(subject), paragraphs=paragraphs))


def _one_line(value: str) -> str:
    """What people call themselves stays in its place: no line of its own, and nothing that could be clicked."""
    return " ".join(value.split()).replace("://", " ").replace("www.", "www ")[:200]


def _paragraph(text: str) -> str:
    shown = html.escape(text.strip())
    if text.startswith("    "):
        return f'<pre style="font-size: 18px">{shown}</pre>'
    return f"<p>{shown}</p>"
