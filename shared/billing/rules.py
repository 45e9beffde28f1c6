"""What Stripe's words mean for a tenant, and which of two words is the newer one."""

from dataclasses import replace
from datetime import datetime, timedelta

from shared.billing.model import (
    BillingEvent,
    BillingState,
    CustomerMade,
    Ends,
    Moved,
    Outcome,
    Plan,
    PlanPrice,
    Reminder,
)
from tenant_context.states import State, held_to

TRIAL_DAYS = 14
ATTEMPTS = 5
"""How often the queue hands a message out before it goes to the dead-letter queue."""

PRICES: dict[Plan, PlanPrice] = {
    plan: PlanPrice(plan, f"RMAP {name}", f"rmap_{plan}", f"rmap_{plan}_monthly", unit_amount, "usd")
    for plan, name, unit_amount in (
        (Plan.FREE, "Free", 0),
        (Plan.STARTER, "Starter", 4_900),
        (Plan.PROFESSIONAL, "Professional", 19_900),
        (Plan.ENTERPRISE, "Enterprise", 99_900),
    )
}
"""What Stripe is told when it does not know a plan's price yet; afterwards Stripe's own amount counts."""

PLAN_OF: dict[str, Plan] = {price.lookup_key: plan for plan, price in PRICES.items()}

_STATUS_OF: dict[str, State] = {
    "trialing": State.ACTIVE,
    "active": State.ACTIVE,
    "incomplete": State.RESTRICTED,
    "past_due": State.PAST_DUE,
    "unpaid": State.RESTRICTED,
    "paused": State.RESTRICTED,
    "canceled": State.RESTRICTED,
    "incomplete_expired": State.RESTRICTED,
}
"""What each status of a subscription makes of the tenant; an unknown one leaves the tenant as it is."""
ENDED = frozenset({"canceled", "incomplete_expired"})
NEVER_BEGAN = frozenset({"incomplete", "incomplete_expired"})
_ENDS_WHEN = {State.CLOSING: Ends.WITH_PERIOD, State.CLOSED: Ends.AT_ONCE}
_GIVEN_UP = frozenset(_ENDS_WHEN)
"""Statuses of an organization that is not to go on paying."""

_IN_ORDER = tuple(Plan)
_GOOD = frozenset({"trialing", "active", "paused", "incomplete"})
OWING = ("past_due", "unpaid")
UNPAID = frozenset({*OWING, "incomplete"})
"""Where a payment that failed is the reason of how things are: where nothing is owed, it is nobody's concern."""
PAID_UP = frozenset({None, *_GOOD})
LIVE = frozenset({"trialing", "active", "past_due", "unpaid", "paused"})
"""Subscriptions that can be changed."""

REMINDERS = (
    Reminder("reminder-2", 2, "payment-reminder", ""),
    Reminder("reminder-7", 7, "payment-reminder", ""),
    Reminder("reminder-14", 14, "payment-reminder", ""),
    Reminder("reminder-21", 21, "payment-reminder", ""),
    Reminder("restricted", 28, "access-restricted", "restricted"),
    Reminder("suspended", 42, "access-suspended", "suspended"),
)
"""What comes of not paying, day by day. Until the first day nothing does: a card that expired is soon replaced."""

UNBILLED_WARNED, UNBILLED_RESTRICTED = "unbilled-warned", "unbilled-restricted"
WARNED_AFTER, RESTRICTED_AFTER = timedelta(days=7), timedelta(days=14)
"""What comes of billing that cannot be set up: a plan is not had for ever without it. Nobody is restricted unwarned."""
_UNBILLED = frozenset({State.BILLING_PENDING, State.RESTRICTED, State.SUSPENDED})

PROVISIONED = "billing.provisioned"
REREAD = "billing.reread"
FAILED = "billing.failed"
PAYMENT_FAILED = "invoice.payment_failed"
PAYMENT_MADE = "invoice.paid"
WRITTEN_OFF = "invoice.marked_uncollectible"
VOIDED = "invoice.voided"
PAYMENTS = frozenset({PAYMENT_FAILED, PAYMENT_MADE, WRITTEN_OFF, VOIDED})
OWED_BY, SETTLED_BY = (PAYMENT_FAILED, WRITTEN_OFF), (PAYMENT_MADE, VOIDED)
"""What makes an invoice a debt, and what ends that for good: to be written off does not, though Stripe then goes on."""
TOLD = PAYMENTS | {"invoice.finalized"}
"""What of an invoice the organization is told, under the same name."""
TRIAL_ENDS = "customer.subscription.trial_will_end"
_RANKS = {
    PROVISIONED: 0,
    "customer.subscription.created": 1,
    "customer.subscription.deleted": 3,
    PAYMENT_FAILED: 1,
    PAYMENT_MADE: 2,
}
_USUAL_RANK = 2


def rank(kind: str) -> int:
    """The order of events of the same second: Stripe's times have no fractions, lives have an order."""
    return _RANKS.get(kind, _USUAL_RANK)


def is_newer(event: BillingEvent, created: datetime, kind: str) -> bool:
    """Whether an event is not before one of the type `kind` that Stripe made at `created`."""
    return (event.created, rank(event.type)) >= (created, rank(kind))


def concerns(event: BillingEvent, state: BillingState) -> bool:
    """Whether an event is about the tenant's own customer and present subscription, or the birth of its next one.

    Invoices are owed beyond the subscription that they are of.
    """
    if state.customer is not None and event.customer != state.customer:
        return False
    if event.type in PAYMENTS:
        return True
    if state.subscription in {None, event.subscription}:
        return True
    return event.status is not None and event.status not in ENDED


def judge(event: BillingEvent, state: BillingState, newest: list[tuple[datetime, str]]) -> Outcome:
    """What to do with a word about the subscription, beside the newest ones that were followed.

    An older one is let go, a newer one followed. Within one second a life's order decides; where it does not, or where
    the word is about another subscription than the present one, nobody can tell but Stripe.
    """
    overtaken = any(event.created < created for created, _ in newest)
    if event.type == REREAD:
        # Something newer came while Stripe was asked: then it is asked for that second.
        return Outcome.DOUBTFUL if overtaken else Outcome.APPLIED
    if state.subscription not in {None, event.subscription}:
        return Outcome.DOUBTFUL
    if overtaken:
        return Outcome.OUTDATED
    rivals = [kind for created, kind in newest if created == event.created]
    if not rivals or _said(follow(state, event)) == _said(state):
        return Outcome.APPLIED
    if REREAD in rivals or any(rank(kind) == rank(event.type) for kind in rivals):
        return Outcome.DOUBTFUL
    return Outcome.APPLIED if all(rank(kind) < rank(event.type) for kind in rivals) else Outcome.OUTDATED


def _said(state: BillingState) -> BillingState:
    """What Stripe says of the subscription alone."""
    return replace(state, reason="", status=State.ACTIVE, dunning_since=None, dunning_stage="")


def follow(state: BillingState, event: BillingEvent) -> BillingState:
    """The state after a subscription's event, as far as that tells; what else is owed is for `owe` to say."""
    stage = "" if event.status in _GOOD else state.dunning_stage
    after = replace(
        state,
        plan=event.plan or state.plan,
        as_of=event.created,
        customer=state.customer or event.customer,
        subscription=event.subscription,
        subscription_status=event.status,
        period_end=event.period_end,
        trial_end=event.trial_end,
        cancels=event.cancels,
        next_plan=event.next_plan,
        dunning_since=None,
        dunning_stage=stage,
    )
    after = _moved(state, after)
    return replace(after, reason="" if after.status is State.ACTIVE else state.reason)


def owe(before: BillingState, after: BillingState, since: datetime | None, *, settled: bool = False) -> BillingState:
    """The state with the moment from which something has been owed, and what it has led to before.

    While an invoice is owed a subscription that is paid itself makes it no better than past due. `settled`: none is.
    """
    if since is None and after.subscription_status in OWING:
        since = after.as_of
    if since is not None:
        stage = before.dunning_stage
    elif after.subscription_status in _GOOD or (settled and after.subscription_status in ENDED):
        stage = ""
    else:
        stage = after.dunning_stage
    return _moved(before, replace(after, dunning_since=since, dunning_stage=stage))


def _moved(before: BillingState, after: BillingState) -> BillingState:
    """The state after a change, with the tenant's status that comes of it."""
    if _is_beyond_stripe(before):
        return after
    return replace(after, status=_judged(after, before.status))


def _judged(state: BillingState, otherwise: State) -> State:
    """The tenant's status by what it pays and owes, under what an operator ordered."""
    status = _standing(state.subscription_status, state.dunning_stage, otherwise)
    if state.dunning_since is not None and status in {State.ACTIVE, State.BILLING_PENDING}:
        status = State.PAST_DUE
    return held_to(state.held, status)


def _standing(subscription: str | None, stage: str, otherwise: State) -> State:
    """The tenant's status by its subscription's and by what not paying has led to."""
    if stage == "suspended":
        return State.SUSPENDED
    if stage == "restricted":
        return State.RESTRICTED
    if subscription == "incomplete" and otherwise is State.BILLING_PENDING:
        return otherwise  # its first one; a later one lets nobody in before it is paid
    return _STATUS_OF.get(subscription or "", otherwise)


def _is_beyond_stripe(state: BillingState) -> bool:
    """Whether Stripe has no say: but a suspension for not paying ends with the payment, and a hold says so itself."""
    suspended = state.status is State.SUSPENDED and state.dunning_stage != "suspended" and state.held is None
    return suspended or state.status in _GIVEN_UP


def standing(state: BillingState, before: State) -> State:
    """What an organization that is had back, or let go by operators, is by its present subscription.

    `before` is what it was when it was closed. What the platform had suspended comes back read-only.
    """
    if before is State.SUSPENDED and state.dunning_stage != "suspended" and state.held is None:
        return State.RESTRICTED
    return _judged(state, before if state.subscription_status else State.BILLING_PENDING)


def ending(state: BillingState, why: BillingEvent | CustomerMade | Moved) -> Ends | None:
    """What is to be asked of Stripe, so that nobody pays for an organization that is given up; None: nothing.

    By the state of now and not by the word alone, so that words that come late or twice end in the same.
    """
    if state.customer is None:
        return None
    if isinstance(why, CustomerMade):
        return _ENDS_WHEN.get(state.status)
    # Who was suspended while closing wishes to close all the same.
    wanted = _ENDS_WHEN.get(state.status, Ends.WITH_PERIOD if state.leaving else Ends.NEVER)
    if isinstance(why, Moved):
        return wanted if _GIVEN_UP & {why.before, why.after} else None
    if why.status in {None, *ENDED}:
        return None
    is_so = {Ends.AT_ONCE: False, Ends.WITH_PERIOD: why.cancels, Ends.NEVER: not why.closing}[wanted]
    return None if is_so else wanted


def reminders(since: datetime, now: datetime) -> list[Reminder]:
    """The steps of dunning that are due, in order."""
    return [one for one in REMINDERS if now - since >= timedelta(days=one.day)]


def press(state: BillingState, stage: str) -> BillingState:
    """The state after a step of dunning; what is closed or suspended for another reason stays so."""
    if stage in {"", state.dunning_stage} or (_is_beyond_stripe(state) and state.status not in _GIVEN_UP):
        return state
    return _moved(state, replace(state, dunning_stage=stage))


def is_upgrade(present: Plan, wished: Plan) -> bool:
    """Whether a plan is above another."""
    return _IN_ORDER.index(wished) > _IN_ORDER.index(present)


def is_waiting(state: BillingState) -> bool:
    """Whether the tenant's billing has not been set up yet, whatever that has led to."""
    return state.subscription is None and state.status in _UNBILLED


def news(before: BillingState, after: BillingState) -> str | None:
    """The type of the event that tells of a change, if there is anything to tell."""
    if after.status is State.ACTIVE and (before.status is State.BILLING_PENDING or is_waiting(before)):
        return "tenant.billing_ready"
    told = replace(after, as_of=before.as_of, reason=before.reason, dunning_since=before.dunning_since)
    if told != before:
        return "tenant.subscription_changed"
    return None
