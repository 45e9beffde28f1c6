"""What an organization is by what it pays, asked when it is had back."""

from shared.billing import rules
from shared.billing.repository import BillingRepository
from tenant_context.postgres import Transaction
from tenant_context.states import State


class Standing:
    """Judges by the present subscription: much may have been paid, or have ended, since it was closed."""

    def __init__(self, repository: BillingRepository) -> None:
        self._repository = repository

    def __call__(self, tx: Transaction, before: State) -> State:
        """The state that the transaction's tenant comes back in; `before` is what it was when it was closed."""
        return rules.standing(self._repository.lock(tx), before)
