"""Filters for templates: money, numbers, pieces of JSON."""

from __future__ import annotations

from datetime import date
from typing import Any

import orjson
from django import template
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString

from billing import money
from billing.plans import dunning
from billing.plans.models import Overdue
from billing.prices.units import UNITS
from portal.accounts.models import Workspace

register = template.Library()


@register.filter
def usd(nanos: int) -> str:
    """Nano-dollars for people."""
    return money.show(nanos)


@register.filter
def dollars(nanos: int) -> str:
    """Nano-dollars as an estimate: to the cent, or in two digits below."""
    return money.about(nanos)


@register.filter
def day(text: str) -> str:
    """A day that stands as 2026-01-31, as the reader's language writes it."""
    return date_format(date.fromisoformat(text))


@register.filter
def micros(micros: int) -> str:
    """Micro-dollars for people."""
    return money.show(micros * money.NANOS_IN_MICRO)


@register.filter
def json_attribute(value: Any) -> str:
    """A value as JSON, for a data attribute; Django escapes it."""
    return orjson.dumps(value).decode()


@register.filter
def as_json(value: Any) -> str:
    """A value as JSON for people to read."""
    return orjson.dumps(value, option=orjson.OPT_INDENT_2).decode()


@register.filter
def units(counted: dict[str, int]) -> str:
    """Units of a usage event: "1 request · 30 tokens"."""
    return " · ".join(f"{n:,} {UNITS[name].word(n) if name in UNITS else name}" for name, n in counted.items())


@register.filter
def count(number: int) -> str:
    """A number of things: "12,345"."""
    return f"{number:,}"


@register.filter
def unit_word(name: str) -> str:
    """A unit's name for people."""
    return UNITS[name].word()


@register.simple_tag
def overdue(workspace: Workspace | None) -> Overdue | None:
    """What the workspace has not paid, for the banner of every page."""
    return dunning.current(workspace.pk) if workspace is not None and dunning.step(workspace.pk) else None


@register.simple_tag
def icon(name: str) -> SafeString:
    """A picture from static/img/icons.svg, hidden from screen readers."""
    return format_html('<svg class="icon" aria-hidden="true"><use href="/static/img/icons.svg#{}"></use></svg>', name)
