"""Amounts by what pays them, in the order in which it does: promotional credit, bought credit, the next invoice."""

from __future__ import annotations

from typing import NamedTuple

from billing.ledger.kinds import AccountKind

FUNDINGS = (AccountKind.PROMO.value, AccountKind.CREDIT.value, AccountKind.RECEIVABLE.value)


class Parts(NamedTuple):
    """Nano-dollars of each funding."""

    promo: int = 0
    credit: int = 0
    receivable: int = 0

    @property
    def nanos(self) -> int:
        """All together."""
        return self.promo + self.credit + self.receivable

    @property
    def funding(self) -> str:
        """The account kind that pays first; blank where none does."""
        return FUNDINGS[0] if self.promo else FUNDINGS[1] if self.credit else FUNDINGS[2] if self.receivable else ""

    def first(self, nanos: int) -> Parts:
        """What pays so much of it, or all if it is less."""
        return self.split(nanos)[0]

    def split(self, nanos: int) -> tuple[Parts, Parts]:
        """What pays so much of it, or all if it is less; and what is left then."""
        promo, credit, receivable = self
        if nanos <= promo:
            return Parts(nanos), Parts(promo - nanos, credit, receivable)
        beyond = nanos - promo
        if beyond <= credit:
            return Parts(promo, beyond), Parts(0, credit - beyond, receivable)
        owed = min(beyond - credit, receivable)
        return Parts(promo, credit, owed), Parts(0, 0, receivable - owed)

    def plus(self, more: Parts) -> Parts:
        """Both together."""
        return Parts(self.promo + more.promo, self.credit + more.credit, self.receivable + more.receivable)

    def minus(self, less: Parts) -> Parts:
        """What is left without it."""
        return Parts(self.promo - less.promo, self.credit - less.credit, self.receivable - less.receivable)

    def by_funding(self) -> dict[str, int]:
        """Account kind → its part, of those that have any."""
        return {funding: nanos for funding, nanos in zip(FUNDINGS, self, strict=True) if nanos}
