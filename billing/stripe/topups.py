"""Buying credit: Checkout takes the money, the webhook credits it, once per payment intent.

What a payment is for is in its metadata, which only our key can write. A tax on top is collected and is no credit.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import stripe
from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from billing import money
from billing.credit import recharge
from billing.errors import MoneyInvalid
from billing.ledger import postings
from billing.money import NANOS_IN_CENT
from billing.stripe import customers, mirror, products, taxes
from billing.stripe.client import client, reachable
from billing.stripe.models import TopUp
from portal.accounts.models import Workspace

log = logging.getLogger(__name__)
PURPOSE = "top-up"


def cents_of(text: str) -> int:
    """The amount of a top-up in cents. Raises MoneyInvalid (422) outside the limits or for fractions of a cent."""
    try:
        nanos = money.parse(text)
    except MoneyInvalid as error:
        raise MoneyInvalid(_("Write an amount in dollars like 25 or 25.50."), param="amount") from error
    least, most = settings.TOP_UP_LEAST_NANOS, settings.TOP_UP_MOST_NANOS
    if not least <= nanos <= most:
        raise MoneyInvalid(
            _("Choose an amount from %(least)s to %(most)s.") % {"least": money.show(least), "most": money.show(most)},
            param="amount",
        )
    if nanos % NANOS_IN_CENT:
        raise MoneyInvalid(
            _("Choose whole cents: %(text)s has more than two decimals.") % {"text": text}, param="amount"
        )
    return nanos // NANOS_IN_CENT


def start(
    workspace: Workspace, cents: int, email: str, once: str, success_url: str, cancel_url: str, attempt: str = ""
) -> str:
    """The address of a Checkout page that sells the credit and keeps the card for later. Raises StripeUnavailable (503).

    `once`: of the form that asked, so that pressing its button twice leads to one page. `attempt`: the automatic recharge
    that this makes up for.
    """
    with reachable():
        session = client().v1.checkout.sessions.create(
            {
                "mode": "payment",
                "customer": customers.customer(workspace, email),
                "client_reference_id": workspace.pk,
                "line_items": [
                    {
                        "quantity": 1,
                        "price_data": {
                            "currency": "usd",
                            "unit_amount": cents,
                            "product": products.credit(),
                            "tax_behavior": "exclusive",
                        },
                    }
                ],
                "payment_intent_data": {
                    "setup_future_usage": "off_session",
                    "metadata": about(workspace.pk, cents, attempt),
                },
                "success_url": success_url,
                "cancel_url": cancel_url,
                **taxes.at_checkout(),
            },
            {"idempotency_key": f"topup-{workspace.pk}-{cents}-{once}"},
        )
    return str(session.url)


def about(workspace_id: str, cents: int, attempt: str = "") -> dict[str, str]:
    """The metadata of a payment for credit."""
    told = {"purpose": PURPOSE, "workspace": workspace_id, "credit_cents": str(cents)}
    return {**told, "attempt": attempt} if attempt else told


@dataclass(frozen=True, slots=True)
class _Seen:
    """A payment as Stripe shows it, and whose it is."""

    intent: stripe.PaymentIntent
    workspace_id: str  # empty: another system's customer

    @property
    def told(self) -> dict[str, str]:
        """Its metadata."""
        return self.intent.metadata.to_dict()

    @property
    def for_credit(self) -> bool:
        """Whether it is a payment of ours for credit."""
        return bool(self.workspace_id) and self.told.get("purpose") == PURPOSE

    @property
    def cents(self) -> int:
        """The credit that was sold."""
        return int(self.told["credit_cents"])

    @property
    def as_sold(self) -> bool:
        """Whether it is as much, in the currency, as was sold."""
        return self.intent.currency == "usd" and self.intent.amount >= self.cents


def settle(intent_id: str) -> TopUp | None:
    """Mirrors a payment for credit as it is now; one that succeeded is credited, once. None for other payments."""
    mirror.follow(intent_id, _seen, _write)
    return TopUp.objects.filter(pk=intent_id).first()


def _seen(intent_id: str) -> _Seen:
    intent = client().v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    seen = _Seen(intent, customers.workspace_of(intent) or "")
    paid = seen.for_credit and seen.as_sold and intent.status == "succeeded" and intent.payment_method
    # Before it is credited: who dies in between finds it not credited, and does both again.
    if paid and not TopUp.objects.filter(pk=intent_id, status="succeeded").exists():
        customers.keep_card(str(intent.customer), str(intent.payment_method))
    return seen


def _write(seen: _Seen) -> None:
    intent, told = seen.intent, seen.told
    if not seen.for_credit:
        return
    if not seen.as_sold:
        log.error("%s is %s %s, which is not what was sold: not credited", intent.id, intent.amount, intent.currency)
        return
    charge: Any = intent.latest_charge
    paid_at = datetime.fromtimestamp(charge.created if charge else intent.created, UTC)
    expires_at = paid_at + timedelta(days=settings.CREDIT_EXPIRES_DAYS) if settings.CREDIT_EXPIRES_DAYS else None
    now = {"status": intent.status, "receipt_url": (charge.receipt_url or "") if charge else ""}
    top_up, _new = TopUp.objects.update_or_create(
        stripe_id=intent.id,
        defaults=now,
        create_defaults={
            **now,
            "workspace_id": seen.workspace_id,
            "cents": seen.cents,
            "tax_cents": intent.amount - seen.cents,
            "automatic": told.get("automatic") == "yes",
            "expires_at": expires_at,
            "created_at": datetime.fromtimestamp(intent.created, UTC),
        },
    )
    if intent.status != "succeeded":
        return
    if told.get("attempt"):
        recharge.succeeded(told["attempt"], intent.id)
    _credit(top_up)


def _credit(top_up: TopUp) -> None:
    """Posts what was bought, and its tax as one that was charged and paid at once."""
    owner, source, tax = top_up.workspace_id, top_up.source, top_up.tax_cents
    postings.top_up(owner, top_up.nanos, source, gettext_noop("Credit bought"), top_up.expires_at)
    postings.charge(owner, f"{source}:tax", tax_nanos=tax * NANOS_IN_CENT, memo=gettext_noop("Tax on bought credit"))
    postings.pay_invoice(owner, tax, f"{source}:tax:paid")
