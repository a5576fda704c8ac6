"""What models cost: publishing a model's price, and what its page says of prices that were, are and will be."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from billing import money
from billing.metering import customers
from billing.plans import announcing
from billing.plans.announcing import IN_USE
from billing.plans.terms import BP_IN_PERCENT, terms_of
from billing.prices import book, publishing
from billing.prices.models import Price
from billing.prices.quote import FREE, LIST_BP, PER, Tiers
from billing.prices.units import UNITS, Unit
from marketplace.catalog.listings import relist
from marketplace.catalog.models import Model

MOST_CURVES = 3


def set_price(
    model: Model,
    rates: Mapping[str, int],
    *,
    tiers: Mapping[str, Tiers] | None = None,
    minimum_nanos: int = 0,
    starts_at: datetime | None = None,
    grandfather_until: datetime | None = None,
    confirmed: bool = False,
) -> Price:
    """The model's next list price: see publishing.publish for what it raises. Compared with models of the same task.

    A rise is announced first where others than its publisher used the model in the last 30 days.
    """
    others = customers.since(model.slug, timezone.now() - IN_USE) - {model.publisher_id}
    peers = Model.objects.filter(task=model.task).exclude(pk=model.pk).values_list("pk", flat=True)
    price = publishing.publish(
        model.pk,
        rates,
        tiers=tiers,
        minimum_nanos=minimum_nanos,
        starts_at=starts_at,
        grandfather_until=grandfather_until,
        used=bool(others),
        peers=peers,
        confirmed=confirmed,
    )
    relist(model.pk)
    return price


def announce(now: datetime) -> int:
    """Tells the users of models whose price will rise; how many mails are new."""
    models = Model.objects.select_related("publisher").filter(pk__in=announcing.coming(now))
    return sum(announcing.announce(model.pk, model.slug, now) for model in models)


def page(model: Model, workspace_id: str | None) -> dict[str, Any]:
    """For the model's page: lines of the price, the workspace's own where it is another, and the history."""
    now = timezone.now()
    history = list(book.listed(model.pk))
    current = next((price for price in history if price.starts_at <= now), None)
    context: dict[str, Any] = {
        "price_lines": book.lines(current.scheme if current else FREE),
        "price_history": [
            {"price": price, "label": book.label(price.scheme), "state": _state(price, current, now)}
            for price in history
        ],
        "price_chart": _chart(history, now),
        "now": now,
    }
    if workspace_id is not None:
        terms = terms_of(model.pk, model.slug, workspace_id)
        if terms.price_id != (current.pk if current else "") or terms.factor_bp != LIST_BP:
            percent = f"{terms.factor_bp / BP_IN_PERCENT:g} %" if terms.factor_bp != LIST_BP else ""
            context["own_price"] = {"label": book.label(terms.scheme), "percent": percent}
    return context


def _state(price: Price, current: Price | None, now: datetime) -> str:
    if price == current:
        return _("now")
    return _("announced") if price.starts_at > now else ""


def _height(price: Price, unit: Unit) -> float:
    """Dollars of `unit.per` units, for drawing only; of a unit that the price does not name, as what it is billed."""
    rates = book.rates_of(price.scheme, unit.name) or book.rates_of(price.scheme, unit.instead)
    return max(rates, default=0) * unit.per / PER / money.NANOS


def _chart(history: list[Price], now: datetime) -> dict[str, Any] | None:
    """The rates over time, as steps; of a unit with tiers the dearest. None without a change to be seen."""
    if len(history) < 2:
        return None
    in_order = history[::-1]
    units = [unit for unit in UNITS.values() if any(book.rates_of(price.scheme, unit.name) for price in history)]
    values = [[_height(price, unit) for price in in_order] for unit in units[:MOST_CURVES]]
    times = [price.starts_at.isoformat(timespec="seconds") for price in in_order]
    end = max(now, in_order[-1].starts_at + timedelta(days=7))
    return {
        "x": [*times, end.isoformat(timespec="seconds")],
        "steps": True,
        "series": [
            {"label": f"$ / {unit.label}", "values": [*row, row[-1]]} for unit, row in zip(units, values, strict=False)
        ],
    }
