"""All tables of this room; each concept keeps its own."""

from __future__ import annotations

from billing.credit.models import AutoRecharge, CodeTry, Coupon, RechargeAttempt, Redemption
from billing.earnings.models import Agreement, Destination, Earning, Payout, Publisher
from billing.earnings.reversals import Reversal, TakeBack
from billing.gate.models import Budget, Lease
from billing.ledger.models import Account, Entry, Lot, Transaction
from billing.metering.models import Archive, Checkpoint, DayRollup, MonthInTiers, Rollup, UsageEvent
from billing.notices.models import Notice
from billing.objectives.models import Day, Objective
from billing.plans.models import Overdue, Plan, Subscription
from billing.prices.models import Price
from billing.receipts.models import ReceiptKey
from billing.stripe.balances import BalanceDay, BalanceTransaction
from billing.stripe.corrections import Correction
from billing.stripe.mirror import Mirror
from billing.stripe.models import Invoice, LateUsage, Reconciliation, Report, StripeEvent, StripeLink, TopUp
from billing.stripe.returns import CreditNote, Dispute, Refund

__all__ = [
    "Account",
    "Agreement",
    "Archive",
    "BalanceDay",
    "BalanceTransaction",
    "Budget",
    "AutoRecharge",
    "Checkpoint",
    "CodeTry",
    "Correction",
    "Coupon",
    "CreditNote",
    "Day",
    "Destination",
    "Dispute",
    "Earning",
    "Entry",
    "Invoice",
    "Lease",
    "LateUsage",
    "Lot",
    "Mirror",
    "MonthInTiers",
    "Notice",
    "Objective",
    "Payout",
    "Overdue",
    "Plan",
    "Price",
    "Publisher",
    "ReceiptKey",
    "Reconciliation",
    "RechargeAttempt",
    "Redemption",
    "Refund",
    "Report",
    "Reversal",
    "DayRollup",
    "Rollup",
    "StripeEvent",
    "StripeLink",
    "Subscription",
    "TakeBack",
    "TopUp",
    "Transaction",
    "UsageEvent",
]
