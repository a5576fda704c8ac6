"""Publishing the next version of a price: now, or later with notice."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.errors import MoneyInvalid, NoticeTooShort, PriceConflict
from billing.prices import book, scrutiny
from billing.prices.models import Price
from billing.prices.quote import FREE, Scheme, Tiers, tiers_to


def publish(
    product: str,
    rates: Mapping[str, int],
    *,
    tiers: Mapping[str, Tiers] | None = None,
    minimum_nanos: int = 0,
    starts_at: datetime | None = None,
    grandfather_until: datetime | None = None,
    used: bool = True,
    peers: Iterable[str] = (),
    confirmed: bool = False,
) -> Price:
    """The product's next list price, or the one that is there where nothing changes.

    `rates`: unit → nano-dollars per million units. `starts_at`: None is as soon as may be: a rise of a product that is in
    use (`used`) is announced settings.PRICE_NOTICE_DAYS before, all else holds at once. Until `grandfather_until`, who
    used the product before keeps the version before. `peers`: products of the same kind, to compare with.
    Raises MoneyInvalid, NoticeTooShort, PriceConflict, and PriceUnusual unless `confirmed`.
    """
    scheme = Scheme(dict(rates), dict(tiers or {}), minimum_nanos)
    scrutiny.check(scheme)
    with transaction.atomic():
        now = timezone.now()
        known = list(Price.objects.select_for_update().filter(product=product, workspace_id="").order_by("version"))
        in_order = sorted(known, key=lambda price: (price.starts_at, price.version))
        if starts_at is None and in_order and in_order[-1].scheme == scheme:
            return in_order[-1]
        start = max(starts_at or now, now)
        earliest = now + timedelta(days=settings.PRICE_NOTICE_DAYS)
        before = _holding(in_order, start)
        if used and before is not None and scrutiny.rises(before.scheme, scheme) and start < earliest:
            if starts_at is not None:
                raise NoticeTooShort(
                    _(
                        "A price may rise %(days)s days after it was announced: let it start at %(earliest)s UTC or later."
                    )
                    % {"days": settings.PRICE_NOTICE_DAYS, "earliest": f"{earliest:%Y-%m-%d %H:%M}"},
                    param="starts_at",
                    details={"earliest": earliest.isoformat(timespec="seconds")},
                )
            start = earliest
            before = _holding(in_order, start)
        if before is not None and before.scheme == scheme and grandfather_until is None:
            return before
        if not confirmed:
            scrutiny.unusual(scheme, before.scheme if before else None, peers)
        if grandfather_until is not None and grandfather_until <= start:
            raise MoneyInvalid(
                _("Earlier customers keep their price until after the start."), param="grandfather_until"
            )
        return _add(product, "", known, scheme, start, grandfather_until=grandfather_until)


def negotiate(
    product: str,
    workspace_id: str,
    rates: Mapping[str, int],
    *,
    tiers: Mapping[str, Tiers] | None = None,
    minimum_nanos: int = 0,
    starts_at: datetime | None = None,
    ends_at: datetime | None = None,
    confirmed: bool = False,
) -> Price:
    """A price that holds between us and one workspace, from `starts_at` (None: now) to `ends_at` (None: the next one's start).

    It needs no notice, having been agreed upon. Raises MoneyInvalid, PriceConflict, and PriceUnusual unless `confirmed`.
    """
    scheme = Scheme(dict(rates), dict(tiers or {}), minimum_nanos)
    scrutiny.check(scheme)
    with transaction.atomic():
        now = timezone.now()
        start = max(starts_at or now, now)
        if ends_at is not None and ends_at <= start:
            raise MoneyInvalid(_("A negotiated price ends after it starts."), param="ends_at")
        known = _negotiated(product, workspace_id)
        before = book.negotiated(product, workspace_id, start) or book.current(product, start)
        if not confirmed:
            scrutiny.unusual(scheme, before.scheme if before else None, ())
        return _add(product, workspace_id, known, scheme, start, ends_at=ends_at)


def end_negotiated(product: str, workspace_id: str) -> Price | None:
    """From now on the list price holds for the workspace. None where nothing was negotiated."""
    with transaction.atomic():
        now = timezone.now()
        known = _negotiated(product, workspace_id)
        if book.negotiated(product, workspace_id, now) is None:
            return None
        return _add(product, workspace_id, known, FREE, now, ends_at=now)


def withdraw(price: Price) -> bool:
    """Takes a price back that has not started. False where it has: it stays, publish the next version."""
    # A minute, so that no process holds it already.
    waiting = Price.objects.filter(pk=price.pk, starts_at__gt=timezone.now() + timedelta(minutes=1))
    return bool(waiting.delete()[0])


def _negotiated(product: str, workspace_id: str) -> list[Price]:
    if not workspace_id:
        raise MoneyInvalid("Say with which workspace the price was negotiated.", param="workspace")
    known = Price.objects.select_for_update().filter(product=product, workspace_id=workspace_id)
    return list(known.order_by("version"))


def _holding(in_order: list[Price], at: datetime) -> Price | None:
    return next((price for price in reversed(in_order) if price.starts_at <= at), None)


def _add(
    product: str,
    workspace_id: str,
    known: list[Price],
    scheme: Scheme,
    starts_at: datetime,
    *,
    ends_at: datetime | None = None,
    grandfather_until: datetime | None = None,
) -> Price:
    price = Price(
        product=product,
        workspace_id=workspace_id,
        version=known[-1].version + 1 if known else 1,
        rates=dict(scheme.rates),
        tiers=tiers_to(scheme.tiers),
        minimum_nanos=scheme.minimum_nanos,
        starts_at=starts_at,
        ends_at=ends_at,
        grandfather_until=grandfather_until,
    )
    try:
        with transaction.atomic():
            price.save(force_insert=True)
    except IntegrityError as error:
        raise PriceConflict(_("Another price was published in this moment: look at it, then try again.")) from error
    return price
