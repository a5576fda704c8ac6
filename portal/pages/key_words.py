"""A key in words: what limits it, how its caps stand, whether it opens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from billing import money
from billing.gate.models import Period
from billing.gate.standing import Standing, standings
from portal.accounts.keys.models import default_scopes
from portal.accounts.models import Key

_HOUR, _DAY = 3_600, 86_400
# Seconds for which the secret before a rotation still opens.
OVERLAPS = (
    (0, gettext_lazy("at once")),
    (_HOUR, gettext_lazy("after an hour")),
    (_DAY, gettext_lazy("after a day")),
    (7 * _DAY, gettext_lazy("after a week")),
    (30 * _DAY, gettext_lazy("after 30 days")),
)
MOST_NAMED = 2  # models or networks that are named; more are counted


@dataclass(frozen=True, slots=True)
class State:
    """A word, and the class of `state` in components.css."""

    word: str
    look: str


@dataclass(frozen=True, slots=True)
class Bar:
    """A cap as it stands: what was spent of it, in per cent and in words."""

    period: str
    spent: str
    limit: str
    percent: int
    until: datetime | None


@dataclass(frozen=True, slots=True)
class Row:
    """A key for the list."""

    key: Key
    state: State
    limits: list[str]
    caps: list[Bar]


def listed(keys: Sequence[Key], now: datetime) -> list[Row]:
    """The keys with all that their list shows."""
    caps = standings([key.pk for key in keys], now)
    return [Row(key, state_of(key, now), limits_of(key), [bar(cap) for cap in caps[key.pk]]) for key in keys]


def state_of(key: Key, now: datetime) -> State:
    """Whether it opens."""
    if key.revoked_at is not None:
        return State(_("revoked"), "")
    if key.expires_at is not None and key.expires_at <= now:
        return State(_("expired"), "failed")
    return State(_("active"), "live")


def limits_of(key: Key) -> list[str]:
    """What limits it, shortly; what does not is left out."""
    words = []
    if key.rpm:
        words.append(_("%(n)s requests a minute") % {"n": f"{key.rpm:,}"})
    if key.tpm:
        words.append(_("%(n)s tokens a minute") % {"n": f"{key.tpm:,}"})
    if key.concurrency:
        words.append(_("%(n)s at once") % {"n": f"{key.concurrency:,}"})
    if sorted(key.scopes) != sorted(default_scopes()):
        words.append(_("only: %(scopes)s") % {"scopes": ", ".join(key.scopes)})
    if len(key.allowed_models) > MOST_NAMED:
        count = len(key.allowed_models)
        words.append(ngettext("%(n)d model", "%(n)d models", count) % {"n": count})
    else:
        words += key.allowed_models
    if len(key.networks) > MOST_NAMED:
        count = len(key.networks)
        words.append(ngettext("from %(n)d network", "from %(n)d networks", count) % {"n": count})
    else:
        words += [_("from %(network)s") % {"network": network} for network in key.networks]
    return words


def bar(cap: Standing) -> Bar:
    """A cap, drawn."""
    percent = min(100 * cap.spent_nanos // cap.limit_nanos, 100) if cap.limit_nanos else 100
    label = str(Period(cap.period).label)
    return Bar(label, money.show(cap.spent_nanos), money.show(cap.limit_nanos), percent, cap.until)
