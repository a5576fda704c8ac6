"""Codes that give promotional credit."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q
from django.utils.translation import gettext as _

from billing.credit.models import CodeTry, Coupon, Redemption
from billing.ledger import postings
from portal.accounts.models import Workspace
from portal.kit.errors import Problem

TRIES_AN_HOUR = 10


class CodeRefused(Problem):
    """The code gives nothing, or too many were tried. It never says which codes exist."""

    status = 422
    code = "coupon_refused"


def redeem(workspace: Workspace, code: str, now: datetime) -> Coupon:
    """Gives the workspace the coupon's credit, once.

    Raises CodeRefused: with one message (422) for a code that is unknown, over, used up or redeemed here before; 429 after
    ten such tries in an hour.
    """
    hour_ago = now - timedelta(hours=1)
    if CodeTry.objects.filter(workspace=workspace, tried_at__gt=hour_ago).count() >= TRIES_AN_HOUR:
        raise CodeRefused(_("Too many codes were tried: wait an hour."), status=429, param="code")
    coupon = _take(workspace, code.strip().upper(), now)
    if coupon is None:
        CodeTry.objects.filter(workspace=workspace, tried_at__lte=hour_ago).delete()
        CodeTry.objects.create(workspace=workspace, tried_at=now)
        raise CodeRefused(
            _("This code cannot be redeemed: it is unknown, over, used up, or was redeemed here before."), param="code"
        )
    return coupon


def _take(workspace: Workspace, code: str, now: datetime) -> Coupon | None:
    with transaction.atomic():
        # Locked: two at once are one after another, so the last redemption goes to one of them.
        coupon = (
            Coupon.objects.select_for_update()
            .filter(Q(until=None) | Q(until__gt=now), code=code, active=True, redeemed__lt=F("most"))
            .first()
        )
        if coupon is None or Redemption.objects.filter(coupon=coupon, workspace=workspace).exists():
            return None
        Redemption.objects.create(coupon=coupon, workspace=workspace, redeemed_at=now)
        Coupon.objects.filter(pk=coupon.pk).update(redeemed=F("redeemed") + 1)
        postings.open_accounts(workspace.pk)
        ends = now + timedelta(days=coupon.credit_days) if coupon.credit_days else None
        memo = _("Coupon %(code)s") % {"code": coupon.code}
        postings.grant_promo(workspace.pk, coupon.amount_nanos, f"coupon:{coupon.pk}:{workspace.pk}", memo, ends)
        return coupon
