"""Proves that the ledger says of money at Stripe what the mirrored rows say: each row has its postings, each posting its row.

What a row must have done to the book is worked out here anew, from the row alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from billing.earnings.audit import GONE
from billing.earnings.models import Payout
from billing.ledger import audit
from billing.ledger.kinds import OF_WORKSPACE, AccountKind
from billing.money import NANOS_IN_CENT, NANOS_IN_MICRO
from billing.stripe import invoices
from billing.stripe.balances import BalanceTransaction
from billing.stripe.disputes import WITHDRAWN
from billing.stripe.models import Invoice, LateUsage, TopUp
from billing.stripe.returns import CreditNote, Dispute, Refund, RefundState

K = AccountKind
Effect = Mapping[str, int]  # account kind → change of its balance, nano-dollars


@dataclass(frozen=True, slots=True)
class Family:
    """Rows of a kind: `prefix` of their postings' sources, and what a row's postings must have done in sum.

    `owner`: the field with the workspace whose accounts they moved; blank: the platform's only.
    `together`: account kinds that count as another one, where it depends on more than the row which of them moved.
    """

    prefix: str
    rows: Any  # the model
    effect: Callable[[Any], Effect]
    owner: str = "workspace_id"
    together: Mapping[str, str] = field(default_factory=dict)


def top_up_effect(row: TopUp) -> Effect:
    """Of a top-up."""
    if row.status != "succeeded":
        return {}
    return {K.CLEARING: -row.nanos - row.tax_nanos, K.CREDIT: row.nanos, K.TAXES: row.tax_nanos}


def invoice_effect(row: Invoice) -> Effect:
    """Of an invoice. What was used is owed since it was used; the invoice adds the rest."""
    if row.status not in invoices.FINAL:
        return {}
    usage = [line for line in row.lines if line["usage"]]
    used = sum(line["quantity"] for line in usage) * NANOS_IN_MICRO
    billed = sum(line["cents"] for line in usage) * NANOS_IN_CENT
    total, tax, paid = (cents * NANOS_IN_CENT for cents in (row.total_cents, row.tax_cents, row.paid_cents))
    done: dict[str, int] = {
        K.RECEIVABLE: used - total,
        K.TAXES: tax,
        K.REVENUE: total - tax - billed,
        K.ADJUSTMENTS: billed - used,
    }
    if row.status == "paid":
        return {**done, K.CLEARING: -paid, K.RECEIVABLE: done[K.RECEIVABLE] + paid}
    if row.status == "open":
        return done
    rest = max(total - paid - row.noted_cents * NANOS_IN_CENT, 0)
    untaxed = invoices.untaxed_cents(row) * NANOS_IN_CENT if row.status == "void" else 0
    return {
        **done,
        K.RECEIVABLE: done[K.RECEIVABLE] + rest,
        K.TAXES: tax - untaxed,
        K.ADJUSTMENTS: done[K.ADJUSTMENTS] - rest + untaxed,
    }


def note_effect(row: CreditNote) -> Effect:
    """Of a credit note."""
    if row.status == "void":
        return {}
    net, tax = row.cents * NANOS_IN_CENT, row.tax_cents * NANOS_IN_CENT
    return {K.RECEIVABLE: net + tax, K.REFUNDS: -net, K.TAXES: -tax}


def late_effect(row: LateUsage) -> Effect:
    """Of what was billed and nobody used. What was used and is invoiced late is owed since it was used."""
    unused, given = row.unused_nanos, row.credited_nanos
    return {K.RECEIVABLE: -unused, K.REFUNDS: given, K.ADJUSTMENTS: unused - given}


def refund_effect(row: Refund) -> Effect:
    """Of a refund. It came out of credit, or of what we had earned."""
    if row.state == RefundState.FAILED:
        return {}
    tax = row.tax_cents * NANOS_IN_CENT
    return {K.CLEARING: row.nanos + tax, K.REFUNDS: -row.nanos, K.TAXES: -tax}


def dispute_effect(row: Dispute) -> Effect:
    """Of a dispute. It came out of credit, or is owed."""
    if row.status not in WITHDRAWN or row.status == "won":
        return {}
    nanos = row.cents * NANOS_IN_CENT
    return {K.CLEARING: nanos, K.RECEIVABLE: -nanos}


def payout_effect(row: Payout) -> Effect:
    """Of a payout."""
    nanos = row.nanos - row.reversed_nanos if row.state in GONE else 0
    return {K.CLEARING: nanos, K.PAYABLE: -nanos}


def balance_effect(row: BalanceTransaction) -> Effect:
    """Of what Stripe kept for itself, or sent to our bank."""
    if row.on_its_way:
        return {}
    return {K.CLEARING: row.fee_nanos + row.bank_nanos, K.FEES: -row.fee_nanos, K.BANK: -row.bank_nanos}


FAMILIES = (
    Family("topup", TopUp, top_up_effect),
    Family("invoice", Invoice, invoice_effect),
    # A note that was voided came back by another account once.
    Family("note", CreditNote, note_effect, together={K.ADJUSTMENTS: K.REFUNDS}),
    Family("late", LateUsage, late_effect),
    Family("refund", Refund, refund_effect, together={K.CREDIT: K.REFUNDS}),
    Family("dispute", Dispute, dispute_effect, together={K.CREDIT: K.RECEIVABLE}),
    Family("payout", Payout, payout_effect, owner="seller_id"),
    Family("balance", BalanceTransaction, balance_effect, owner=""),
)
CAUSES = {family.prefix: family for family in FAMILIES if family.prefix != "balance"}


def differences() -> list[str]:
    """A sentence for each account that a row's postings moved by another amount than its row says; nano-dollars.

    Also for postings without a row, and for those that moved what Stripe has without anything that Stripe did.
    """
    known = {family.prefix for family in FAMILIES}
    strays = sorted(audit.sources_that_move(K.CLEARING) - known)
    wrong = [f"postings {prefix}… move what is at Stripe, by nothing that Stripe did" for prefix in strays]
    for family in FAMILIES:
        wrong += _of(family)
    return wrong


def at_stripe(causes: Collection[str]) -> dict[str, int]:
    """Cause (`invoice:in_…`) → nano-dollars that are at Stripe because of it, as its row says; without those of no row."""
    found = {}
    for prefix, family in CAUSES.items():
        ids = [cause.partition(":")[2] for cause in causes if cause.startswith(f"{prefix}:")]
        for row in family.rows.objects.filter(pk__in=ids):
            found[f"{prefix}:{row.pk}"] = -family.effect(row).get(K.CLEARING, 0)
    return found


def _of(family: Family) -> list[str]:
    wrong = []
    posted = audit.effects(family.prefix)
    for row in family.rows.objects.order_by("pk").iterator():
        owner = getattr(row, family.owner) if family.owner else ""
        due = _named(family, owner, family.effect(row))
        done = _named(family, owner, posted.pop(row.pk, {}))
        wrong += [
            f"{family.prefix} {row.pk}: {done.get(name, 0)} posted on {name}, {due.get(name, 0)} by its row"
            for name in sorted({*due, *done})
            if done.get(name, 0) != due.get(name, 0)
        ]
    for key, done in sorted(posted.items()):
        moved = ", ".join(f"{nanos} on {name}" for name, nanos in sorted(done.items()) if nanos)
        if moved:
            wrong.append(f"{family.prefix} {key}: {moved} posted, and there is no such row")
    return wrong


def _named(family: Family, owner: str, effect: Effect) -> dict[str, int]:
    """By account; `together` applied."""
    found: dict[str, int] = {}
    for kind, nanos in effect.items():
        kind, _of, workspace_id = kind.partition(" of ")
        if workspace_id in ("", owner):
            kind = family.together.get(kind, kind)
            workspace_id = owner if kind in OF_WORKSPACE else ""
        name = audit.account_name(kind, workspace_id)
        found[name] = found.get(name, 0) + nanos
    return found
