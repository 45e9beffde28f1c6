"""Each source's row at the door: how it is believed, and how its deliveries are read."""

from collections.abc import Collection, Mapping, Sequence

from shared.billing.gateway import told
from shared.billing.gateway.inbox import StripeInbox
from shared.inbox.gateway.elsewhere import Elsewhere
from shared.inbox.gateway.secrets import Agreed, InboundSecret
from shared.inbox.gateway.tokens import GoogleTokens
from shared.inbox.model import Delivery, Door, Entry, Source
from shared.inbox.rules import google, hmacs, meta, ses, sns, tiktok


class Doors:
    """What the sources are believed by in this deployment."""

    def __init__(
        self,
        stripe: StripeInbox,
        secret: InboundSecret,
        elsewhere: Elsewhere,
        tokens: GoogleTokens,
        topics: Collection[str],
    ) -> None:
        self._stripe = stripe
        self._secret = secret
        self._elsewhere = elsewhere
        self._tokens = tokens
        self._topics = topics

    def all(self) -> Mapping[Source, Door]:
        """The registry."""
        return {
            Source.STRIPE: Door(self._of_stripe, _told_by_stripe),
            Source.SES: Door(self._of_sns, ses.read),
            Source.META: Door(self._of_meta, meta.read),
            Source.GOOGLE: Door(self._of_google, google.read),
            Source.TIKTOK: Door(self._of_tiktok, tiktok.read),
        }

    def _of_stripe(self, delivery: Delivery) -> None:
        self._stripe.verify(delivery.body, delivery.headers.get("stripe-signature", ""))

    def _of_sns(self, delivery: Delivery) -> None:
        message = sns.read(delivery.body)
        sns.check_origin(message, self._topics, delivery.at)
        sns.verify(message, self._elsewhere.certificate(message.certificate_url), delivery.at)

    def _of_meta(self, delivery: Delivery) -> None:
        self._secret.believed(lambda agreed: hmacs.verify_meta(delivery, agreed.meta_app_secret))
        meta.check_age(delivery.body, delivery.at)

    def _of_google(self, delivery: Delivery) -> None:
        def verify(agreed: Agreed) -> None:
            self._tokens.verify(delivery, agreed.google_audience, agreed.google_service_account)

        self._secret.believed(verify)

    def _of_tiktok(self, delivery: Delivery) -> None:
        self._secret.believed(lambda agreed: hmacs.verify_tiktok(delivery, agreed.tiktok_client_secret))


def _told_by_stripe(body: bytes) -> Sequence[Entry]:
    """The one entry of an event that says something of a tenant's billing. Errors: BadRequest, Nonsense."""
    found = told.read(body)
    if found is None:
        return ()
    return (Entry(found.id, found.type, found.subject[:255], found.created, body, found.tenant),)
