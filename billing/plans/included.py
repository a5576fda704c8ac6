"""A subscription's included usage: granted for each period, and prorated where the plan changes within one.

The share of a plan is the part of the period in which it ran, by the second, as Stripe prorates its fee:

    from change to end    grant    ⌊included × (end − changed) / (end − start)⌋
    from start to change  share    ⌊included × (changed − start) / (end − start)⌋ of what was granted for all of it

What was used beyond the share is billed with the next invoice, in whole cents rounded down; what was not is kept until the
end of the period.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.ledger import lots, postings
from billing.money import NANOS_IN_CENT
from billing.plans.models import Subscription, SubscriptionState


def follow(before: Subscription | None, after: Subscription, now: datetime) -> int:
    """Grants and takes back what the subscription's change from `before` means; cents to bill for use beyond a share.

    The same twice does it once.
    """
    excess = 0
    with transaction.atomic():
        changed = after.changed_at
        if before and changed and before.changed_at != changed and before.period_start == after.period_start:
            excess = _take_back(before, changed, now)
        _grant(after, now)
    return excess


def source(subscription: Subscription) -> str:
    """Of the grant for the running period by the running deal, and of its lot."""
    start, changed = subscription.period_start, subscription.changed_at
    assert start is not None
    deal = f":{changed:%Y%m%dT%H%M%S}" if changed and changed >= start else ""
    return f"included:{subscription.stripe_id}:{start:%Y%m%dT%H%M%S}{deal}"


def _since(subscription: Subscription) -> datetime:
    """When in its running period the deal began."""
    assert subscription.period_start is not None
    changed = subscription.changed_at
    return max(changed, subscription.period_start) if changed else subscription.period_start


def _share(subscription: Subscription, start: datetime, end: datetime) -> int:
    """Of the period's included nano-dollars, the part from `start` to `end`, rounded down."""
    assert subscription.period_start is not None
    assert subscription.period_end is not None
    whole = max(int((subscription.period_end - subscription.period_start).total_seconds()), 1)
    return subscription.included_nanos * max(int((end - start).total_seconds()), 0) // whole


def _grant(subscription: Subscription, now: datetime) -> None:
    end = subscription.period_end
    if subscription.state != SubscriptionState.ACTIVE or subscription.period_start is None or end is None or end <= now:
        return
    nanos = _share(subscription, _since(subscription), end)
    if nanos:
        postings.grant_promo(subscription.workspace_id, nanos, source(subscription), subscription.plan.name, end)


def _take_back(subscription: Subscription, changed: datetime, now: datetime) -> int:
    lot = lots.of_source(source(subscription)) if subscription.included_nanos else None
    if lot is None:
        return 0
    left = postings.cut_short(lot.pk, now)
    used, share = lot.amount_nanos - left, _share(subscription, _since(subscription), changed)
    keeps = min(share - used, left)
    if keeps > 0:
        kept = f"{source(subscription)}:kept"
        postings.grant_promo(subscription.workspace_id, keeps, kept, lot.memo, subscription.period_end)
    return max(used - share, 0) // NANOS_IN_CENT
