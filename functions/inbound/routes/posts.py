"""The addresses that others post to. Each is acknowledged once what it told is in the inbox, and not before."""

from functions.inbound.routes.declared import Inbound, routes
from functions.inbound.schemas import ChallengeQuery, InboxReceiptOut, StripeReceiptOut
from shared.billing.errors import Nonsense
from shared.inbox.model import Delivery, Receipt, Source
from shared.inbox.rules import meta
from tenant_context.routing import Answer, Call, Proof

_SNS = ("text/plain", "application/json")
"""SNS says that its JSON is plain text."""
_UNAVAILABLE = (503,)


@routes.act(
    "POST", "/api/v1/inbound/ses", proof=Proof.PUBLIC, answer=InboxReceiptOut, content_types=_SNS, fails=_UNAVAILABLE
)
def ses(call: Call[None], inbound: Inbound) -> Answer:
    """Take a message of Amazon SNS: what SES tells of mails, or a subscription to confirm.

    Proved by its Signature (version 1 or 2) under a certificate of SNS, of one of this deployment's topics, sent at
    most two hours ago. Addresses that bounce for good, or whose people complain, are not mailed again.
    """
    return _taken(inbound, Source.SES, call)


@routes.act("POST", "/api/v1/inbound/meta", proof=Proof.PUBLIC, answer=InboxReceiptOut, fails=_UNAVAILABLE)
def of_meta(call: Call[None], inbound: Inbound) -> Answer:
    """Take what Meta tells of ads and leads.

    Proved by its X-Hub-Signature-256, under the app's secret; entries may be up to 48 hours old.
    """
    return _taken(inbound, Source.META, call)


@routes.read("/api/v1/inbound/meta", proof=Proof.PUBLIC, query=ChallengeQuery, answer=str)
def meta_challenge(call: Call[None], inbound: Inbound) -> Answer:
    """Prove to Meta that the address is ours, as it asks when the address is set up.

    Answers hub.challenge as plain text where hub.verify_token is the one that was agreed on.
    """
    said: ChallengeQuery = call.query
    wanted = inbound.secret.believed(lambda agreed: meta.challenge(said.as_sent(), agreed.meta_verify_token))
    return Answer(wanted.encode(), content_type="text/plain; charset=utf-8")


@routes.act("POST", "/api/v1/inbound/google", proof=Proof.PUBLIC, answer=InboxReceiptOut, fails=_UNAVAILABLE)
def google(call: Call[None], inbound: Inbound) -> Answer:
    """Take what Google's Pub/Sub pushes.

    Proved by the token in Authorization: Google's (RS256), for the audience and of the service account that were
    agreed on.
    """
    return _taken(inbound, Source.GOOGLE, call)


@routes.act("POST", "/api/v1/inbound/tiktok", proof=Proof.PUBLIC, answer=InboxReceiptOut, fails=_UNAVAILABLE)
def tiktok(call: Call[None], inbound: Inbound) -> Answer:
    """Take what TikTok tells.

    Proved by its TikTok-Signature, under the app's client secret, made at most 72 hours ago.
    """
    return _taken(inbound, Source.TIKTOK, call)


@routes.act("POST", "/api/v1/stripe/events", proof=Proof.PUBLIC, answer=StripeReceiptOut, fails=_UNAVAILABLE)
def stripe(call: Call[None], inbound: Inbound) -> Answer:
    """Take a Stripe event.

    Proved by its Stripe-Signature, made at most 300 seconds ago. Events of subscriptions and invoices, and cards
    that were given, are kept and worked on; all others are acknowledged and dropped, with a reason where they say what
    cannot be.
    """
    try:
        receipt = _received(inbound, Source.STRIPE, call)
    except Nonsense as error:
        # Sent again it would say the same.
        inbound.observability.warning("a signed event was let go", reason=str(error))
        return Answer({"received": True, "queued": False, "reason": str(error)})
    return Answer({"received": True, "queued": receipt.kept > 0, "reason": receipt.reason})


def _taken(inbound: Inbound, source: Source, call: Call[None]) -> Answer:
    receipt = _received(inbound, source, call)
    return Answer({"received": True, "kept": receipt.kept, "repeated": receipt.repeated})


def _received(inbound: Inbound, source: Source, call: Call[None]) -> Receipt:
    delivery = Delivery(call.raw, call.headers, inbound.clock())
    return inbound.receiving.take(source, delivery, call.request_id)
