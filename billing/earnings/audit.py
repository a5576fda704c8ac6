"""Proves that what publishers are owed is what they earned, less what was taken back and paid out."""

from __future__ import annotations

from collections import defaultdict

from django.db.models import F, Sum

from billing.earnings.models import WHOLE_BP, Earning, Payout, PayoutState, Publisher
from billing.earnings.reversals import TakeBack
from billing.ledger import balances
from billing.money import NANOS_IN_CENT

GONE = (PayoutState.SENDING, PayoutState.PAID, PayoutState.RETURNED)  # out of the balance


def differences() -> list[str]:
    """One sentence for each publisher whose earnings, take-backs and payouts do not sum to their balance."""
    owed: dict[str, int] = defaultdict(int)
    exact: dict[str, int] = defaultdict(int)  # Σ gross × share, ten-thousandths of a nano-dollar
    net: dict[str, int] = defaultdict(int)
    rows = Earning.objects.values_list("seller_id", "fee_bp").order_by()
    for seller_id, fee_bp, gross, earned in rows.annotate(g=Sum("gross_nanos"), n=Sum("net_nanos")):
        exact[seller_id] += int(gross) * (WHOLE_BP - fee_bp)
        net[seller_id] += int(earned)
        owed[seller_id] += int(earned)
    taken = TakeBack.objects.filter(returned_at=None).values_list("seller_id").order_by()
    for seller_id, nanos in taken.annotate(n=Sum("net_nanos")):
        owed[seller_id] -= int(nanos)
    gone = Payout.objects.filter(state__in=GONE).values_list("seller_id").order_by()
    for seller_id, cents in gone.annotate(n=Sum(F("cents") - F("reversed_cents"))):
        owed[seller_id] -= int(cents) * NANOS_IN_CENT
    for seller_id, nanos in balances.payable_adjustments().items():
        owed[seller_id] += nanos
    payable = balances.payables()
    wrong = [
        f"publisher {seller_id}: owed {payable.get(seller_id, 0)}, earned less taken back and paid {owed[seller_id]}"
        for seller_id in sorted({*owed, *payable})
        if owed[seller_id] != payable.get(seller_id, 0)
    ]
    carried = dict(Publisher.objects.values_list("seller_id", "carried"))
    return wrong + [
        f"publisher {seller_id}: earned {net[seller_id]} and carried {carried.get(seller_id)} of {exact[seller_id]}"
        for seller_id in sorted(exact)
        if divmod(exact[seller_id], WHOLE_BP) != (net[seller_id], carried.get(seller_id))
    ]
