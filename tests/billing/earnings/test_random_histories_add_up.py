"""Usage, refunds, disputes, payouts and their failures in any order: the books agree after each step."""

from __future__ import annotations

import random
from datetime import timedelta
from itertools import count

import pytest

from billing.earnings import accrual, audit, payouts, take_backs
from billing.earnings.models import OPEN, Agreement, Destination, DestinationState, Earning, Payout, PayoutState
from billing.earnings.reversals import Reversal
from billing.errors import PayoutRefused
from billing.ledger import audit as ledger_audit
from billing.ledger import postings
from billing.ledger.balances import balance
from portal.accounts.models import User, Workspace
from tests.billing.earnings.using import HOUR, NOW, used
from tests.fixtures.people import person

STEPS = (
    "use", "use", "use", "late", "accrue", "refund", "won", "carry out", "ask", "ask", "send", "send", "paid", "paid",
    "refused", "waits", "came back", "correct",
)  # fmt: skip
_numbers = count()


class Story:
    """Two publishers, and a clock that only goes on."""

    def __init__(self, payer: User, sellers: list[Workspace]) -> None:
        self.payer, self.sellers, self.now = payer, sellers, NOW - timedelta(days=300)
        for seller in sellers:
            Destination.objects.create(stripe_id=f"acct_{seller.slug}", seller=seller, state=DestinationState.ACTIVE)
            Agreement.objects.create(seller=seller, fee_bp=1_234, minimum_cents=1, hold_days=1, starts_at=self.now)

    def step(self, name: str, size: int) -> None:
        self.now += timedelta(hours=size % 40)
        seller = self.sellers[size % 2]
        under_way = Payout.objects.filter(state__in=OPEN).order_by("created_at").first()
        payout = under_way or Payout.objects.filter(state=PayoutState.PAID).order_by("pk").first()
        if name in ("use", "late"):
            at = self.now - HOUR * (size % 30 if name == "late" else 0)
            used(self.payer, seller, size * 179_190_001, funding=("credit", "receivable", "promo")[size % 3], at=at)
        elif name == "accrue":
            accrual.accrue(self.now)
        elif name == "carry out":
            accrual.accrue(self.now)
            take_backs.carry_out(self.now)
        elif name == "refund":
            self.refund(size)
        elif name == "won":
            row = Reversal.objects.order_by("-created_at").first()
            if row:
                take_backs.give_back(row.source)
        elif name == "ask":
            accrual.accrue(self.now)
            try:
                payouts.request(seller.pk, self.now)
            except PayoutRefused:
                pass
        elif name == "correct":
            number = next(_numbers)
            postings.adjust(seller.pk, "payable", (size - 500) * 1_000_003 or 1, f"test:{number}", "a correction")
        elif payout is not None:
            self.move(name, payout, size)

    def refund(self, size: int) -> None:
        """Each day at most once in all: shares of one payment sum to one at most."""
        start = NOW - timedelta(days=300) + timedelta(days=size % 200)
        funding, whole = ("receivable", 1_000) if size % 2 else ("credit", None)
        part = size * (1 if whole else 1_000_000)
        owner = self.payer.personal_workspace.pk
        source = f"refund:{start:%Y%m%d}:{funding}"
        take_backs.take_back(owner, start, start + timedelta(days=1), (part, whole), source, "random", funding)

    def move(self, name: str, payout: Payout, size: int) -> None:
        if name == "send" and payout.state in (PayoutState.PENDING, PayoutState.WAITING):
            payouts.begin(payout, self.now)
        elif name == "paid":
            payouts.paid(payout, f"tr_{payout.pk}")
        elif name in ("refused", "waits"):
            payouts.refused(payout, PayoutState.FAILED if name == "refused" else PayoutState.WAITING, "no")
        elif name == "came back":
            payouts.sent_back(payout, size)

    def books_agree(self) -> None:
        assert audit.differences() == []
        assert ledger_audit.differences() == []
        for seller in self.sellers:
            has = payouts.funds(seller.pk, self.now)
            assert has.owed_nanos == balance(seller.pk).payable_nanos
            assert Payout.objects.filter(seller=seller, state__in=OPEN).count() <= 1
            taken = sum(t.net_nanos for r in Reversal.objects.all() for t in r.take_backs.filter(seller=seller))
            assert taken <= sum(Earning.objects.filter(seller=seller).values_list("net_nanos", flat=True))


@pytest.mark.parametrize("seed", [0, 1, 3])
def test_the_books_agree_after_each_step_of_any_history(workspace: Workspace, stranger: User, seed: int) -> None:
    story, dice = Story(stranger, [workspace, person("second@example.com").personal_workspace]), random.Random(seed)
    for _ in range(90):
        story.step(dice.choice(STEPS), dice.randint(1, 999))
        story.books_agree()
    assert Payout.objects.filter(state__in=[PayoutState.PAID, PayoutState.RETURNED]).exists()
    assert Reversal.objects.exclude(state="due").exists()
