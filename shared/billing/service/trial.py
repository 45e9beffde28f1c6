"""The word to owners that their trial is about to end: three days before, as Stripe says it."""

from shared.billing import rules
from shared.billing.model import BillingEvent, Outcome
from shared.billing.repository import BillingRepository
from shared.billing.service.dunning import Mails
from shared.billing.service.following import tell
from tenant_context.postgres import Transaction

_HEARD = frozenset({Outcome.APPLIED, Outcome.OUTDATED, Outcome.DOUBTFUL})
"""Late or doubtful, the trial ends all the same; what came before or is another's is not told."""


class TrialEnd:
    """Tells owners, once for each of Stripe's words; emits tenant.trial_ending."""

    def __init__(self, repository: BillingRepository, mails: Mails) -> None:
        self._repository = repository
        self._mails = mails

    def __call__(self, tx: Transaction, event: BillingEvent, outcome: Outcome) -> bool:
        """Tell them, if it is that; whether it was. Nothing is told of a trial that has ended or is cancelled."""
        if event.type != rules.TRIAL_ENDS or outcome not in _HEARD or event.trial_end is None:
            return False
        state = self._repository.lock(tx)
        if state.subscription_status != "trialing" or state.cancels or event.trial_end <= tx.now:
            return False
        tell(tx, "tenant.trial_ending", state)
        day = event.trial_end.strftime("%Y-%m-%d")
        for name, email, organization in self._repository.owners(tx):
            values = {"name": name, "organization": organization, "day": day}
            # Before the commit: should that fail, a mail comes twice, and none is forgotten.
            self._mails.send("trial-ending", email, values, request_id=tx.tenant.request_id, tenant=tx.tenant.tenant)
        return True
