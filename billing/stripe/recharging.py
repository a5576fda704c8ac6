"""Buying credit by itself: a payment with the kept card while its owner is away, under the attempt's own key."""

from __future__ import annotations

from datetime import datetime, timedelta

import stripe
from django.db.models import Q
from django.utils import timezone

from billing.credit import recharge
from billing.credit.models import AttemptState, RechargeAttempt
from billing.gate import leases
from billing.ledger.balances import balance
from billing.stripe import customers, topups
from billing.stripe.client import client, linked

LOST_AFTER = timedelta(minutes=1)  # a caller that fell silent: called again under the same key
KEYS_LIVE = timedelta(hours=20)  # Stripe forgets idempotency keys after a day: later an attempt is looked for instead


def run(now: datetime) -> int:
    """Looks at whose credit runs low, and pays what is to be paid; how many succeeded."""
    for wish in recharge.due(now):
        begin(wish.workspace_id, now)
    silent = Q(called_at=None) | Q(called_at__lte=now - LOST_AFTER)
    return sum(_pay(attempt, now) for attempt in RechargeAttempt.objects.filter(silent, state=AttemptState.OPEN)[:100])


def begin(workspace_id: str, now: datetime) -> RechargeAttempt | None:
    """An attempt for this workspace, where its credit is low and it has a card."""
    has, idle = balance(workspace_id), leases.idle(workspace_id)
    # What is lent and not spent comes back: it is not gone.
    spendable = has.promo_nanos + has.credit_nanos + idle.get("promo", 0) + idle.get("credit", 0)
    wish = recharge.of(workspace_id)
    if wish is None or spendable >= wish.below_nanos:
        return recharge.begin(workspace_id, spendable, "", now)
    try:
        card = customers.card(workspace_id)
    except stripe.StripeError:
        return None  # the next round asks again
    return recharge.begin(workspace_id, spendable, card.id, now) if card is not None else None


def _pay(attempt: RechargeAttempt, now: datetime) -> bool:
    # Conditional on what was read: two at once give one.
    mine = RechargeAttempt.objects.filter(pk=attempt.pk, state=AttemptState.OPEN, called_at=attempt.called_at)
    if not mine.update(called_at=timezone.now()):
        return False
    customer = linked("customer", attempt.workspace_id)
    if customer is None:
        recharge.failed(attempt, "", "no customer", now)
        return False
    try:
        intent = _made(attempt, customer) if attempt.created_at < now - KEYS_LIVE else _make(attempt, customer)
    except stripe.CardError as error:
        return _declined(attempt, error, now)
    except stripe.InvalidRequestError as error:  # the card was removed meanwhile
        recharge.failed(attempt, "", str(error.user_message), now)
        return False
    except stripe.StripeError:
        return False  # called again under the same key
    if intent is None:
        recharge.failed(attempt, "", "Stripe was never reached", now)
        return False
    if intent.status in ("requires_action", "requires_payment_method"):
        recharge.failed(attempt, intent.id, intent.status, now, confirm=intent.status == "requires_action")
        return False
    return topups.settle(intent.id) is not None


def _make(attempt: RechargeAttempt, customer: str) -> stripe.PaymentIntent:
    return client().v1.payment_intents.create(
        {
            "amount": attempt.cents,
            "currency": "usd",
            "customer": customer,
            "payment_method": attempt.card,
            "off_session": True,
            "confirm": True,
            "metadata": {**topups.about(attempt.workspace_id, attempt.cents, attempt.pk), "automatic": "yes"},
        },
        {"idempotency_key": f"recharge-{attempt.pk}"},
    )


def _made(attempt: RechargeAttempt, customer: str) -> stripe.PaymentIntent | None:
    """The payment that an old attempt led to, if it arrived."""
    since = int((attempt.created_at - LOST_AFTER).timestamp())
    for intent in (
        client()
        .v1.payment_intents.list({"customer": customer, "created": {"gte": since}, "limit": 100})
        .auto_paging_iter()
    ):
        if intent.metadata.to_dict().get("attempt") == attempt.pk:
            return intent
    return None


def _declined(attempt: RechargeAttempt, error: stripe.CardError, now: datetime) -> bool:
    intent = error.error.payment_intent if error.error else None
    reason = str(error.user_message or error.code)
    recharge.failed(attempt, intent.id if intent else "", reason, now, confirm=error.code == "authentication_required")
    return False
