"""What other prices would have brought on the real usage of the last days: who pays more, who less.

Usage is taken month by month from rollups and priced as a whole, before and after alike: as the price that holds now for
that workspace, and as the new one. So both sides have the same roundings (none a request), and a minimum counts once for
each request that was billed. Who has a negotiated price keeps it. Batches count at the whole price.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import BigIntegerField, Sum
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, TruncMonth

from billing.metering.models import Rollup
from billing.plans.terms import Terms, terms_of
from billing.prices.quote import Scheme, nanos
from billing.prices.units import UNITS

DAYS = 30


@dataclass(frozen=True, slots=True)
class Proposal:
    """A new list price of a product, known in usage events as `model`."""

    product: str
    model: str
    scheme: Scheme


@dataclass(slots=True)
class Effect:
    """What somebody (a workspace, or all of a model) would have paid."""

    name: str  # a workspace's id, or publisher/name
    requests: int = 0
    before_nanos: int = 0
    after_nanos: int = 0

    @property
    def change_nanos(self) -> int:
        """More is positive."""
        return self.after_nanos - self.before_nanos

    @property
    def percent(self) -> float | None:
        """The change in percent; None from nothing."""
        return 100 * self.change_nanos / self.before_nanos if self.before_nanos else None


@dataclass(frozen=True, slots=True)
class Simulation:
    """All together, by workspace (the largest change first) and by model."""

    total: Effect
    workspaces: list[Effect]
    models: list[Effect]

    @property
    def pay_more(self) -> int:
        """How many workspaces."""
        return sum(effect.change_nanos > 0 for effect in self.workspaces)

    @property
    def pay_less(self) -> int:
        """How many workspaces."""
        return sum(effect.change_nanos < 0 for effect in self.workspaces)


def simulate(proposals: Collection[Proposal], now: datetime, days: int = DAYS) -> Simulation:
    """The proposals on the last days' usage of their models, whoever paid it from what."""
    of = {proposal.model: proposal for proposal in proposals}
    total, workspaces, models = Effect(""), dict[str, Effect](), dict[str, Effect]()
    for workspace_id, model, requests, units in _used(of, now - timedelta(days=days)):
        proposal = of[model]
        terms = terms_of(proposal.product, model, workspace_id)
        before = _cost(terms.scheme, terms, units)
        after = before if terms.negotiated else _cost(proposal.scheme, terms, units)
        for effect in (
            total,
            workspaces.setdefault(workspace_id, Effect(workspace_id)),
            models.setdefault(model, Effect(model)),
        ):
            effect.requests += requests
            effect.before_nanos += before
            effect.after_nanos += after
    by_change = sorted(workspaces.values(), key=lambda effect: (-abs(effect.change_nanos), effect.name))
    return Simulation(total, by_change, sorted(models.values(), key=lambda effect: effect.name))


def _cost(scheme: Scheme, terms: Terms, units: dict[str, int]) -> int:
    cost = nanos(scheme.femtos(units), terms.factor_bp)
    return max(cost, scheme.minimum_nanos * units.get("request", 0))


def _used(models: Iterable[str], since: datetime) -> Iterable[tuple[str, str, int, dict[str, int]]]:
    """(workspace, model, requests, units) of each calendar month."""
    units = {f"of_{unit}": Sum(Cast(KT(f"units__{unit}"), BigIntegerField()), default=0) for unit in UNITS}
    rows = (
        Rollup.objects.filter(model__in=list(models), hour__gte=since)
        .annotate(month=TruncMonth("hour"))
        .values("workspace_id", "model", "month")
        .annotate(n=Sum("requests"), **units)
        .order_by()
    )
    for row in rows.values_list("workspace_id", "model", "n", *units).iterator():
        workspace_id, model, requests, *counts = row
        yield workspace_id, model, requests, {unit: n for unit, n in zip(UNITS, counts, strict=True) if n}
