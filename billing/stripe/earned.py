"""Which usage a payment that goes back had paid for, so that its publishers' earnings go back by the same share.

Called in the transaction that posts the refund; billing.earnings.take_backs takes them later, and gives them again.
"""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from billing.earnings import take_backs
from billing.ledger.kinds import AccountKind
from billing.stripe.models import Invoice, TopUp

# Stripe's times are whole seconds, rounded down: a period that ends in a second has all of it, and the next one begins after.
SECOND = timedelta(seconds=1)


def of_invoice(invoice: Invoice, cents: int, source: str, reason: str) -> None:
    """So many cents of an invoice went back, or will not come: that share of its metered usage."""
    if cents > 0 and invoice.usage_micros and invoice.usage_start and invoice.usage_end:
        share = (cents, max(invoice.total_cents, cents))
        start, end = invoice.usage_start + SECOND, invoice.usage_end + SECOND
        take_backs.take_back(invoice.workspace_id, start, end, share, source, reason)


def of_top_up(top_up: TopUp, spent_nanos: int, source: str, reason: str) -> None:
    """So much of what went back had been spent: out of all that was used from bought credit since."""
    now = timezone.now()
    if spent_nanos > 0 and top_up.created_at < now:
        owner, start, credit = top_up.workspace_id, top_up.created_at, AccountKind.CREDIT.value
        take_backs.take_back(owner, start, now, (spent_nanos, None), source, reason, credit)
