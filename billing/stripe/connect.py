"""Publishers' accounts at Stripe: made as recipients, filled in on Stripe's own pages, looked at until they can be paid.

https://docs.stripe.com/api/v2/core/accounts. Stripe collects and keeps the details; we know an id, a state and what is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import stripe
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.earnings.countries import COUNTRIES
from billing.earnings.models import Destination, DestinationState
from billing.errors import OnboardingRefused, StripeUnavailable
from billing.stripe import mirror
from billing.stripe.client import client, link, linked, reachable
from portal.accounts.models import Workspace

LOOK_AGAIN = timedelta(minutes=2)  # at accounts that are not ready
LOOK_DAILY = timedelta(days=1)  # at those that are: Stripe may close one
GIVEN_UP = timedelta(days=30)
S = DestinationState
# Stripe's status of the capability → ours; `restricted` is told apart by who has to act.
_STATES = {"active": S.ACTIVE, "pending": S.PENDING, "unsupported": S.REJECTED, "rejected": S.REJECTED}


def onboard(workspace: Workspace, country: str, email: str, return_url: str, refresh_url: str) -> str:
    """The address of Stripe's page on which the publisher says who is paid and where.

    Raises OnboardingRefused (422) for a country that cannot be paid, StripeUnavailable (503).
    """
    if country not in COUNTRIES:
        raise OnboardingRefused(
            _("Money cannot be sent to this country. Choose one from the list."),
            param="country",
            code="country_refused",
        )
    with reachable(), _refusals():
        kind, key = "recipient", f"{workspace.pk}:{country}"
        stripe_id = linked(kind, key) or link(kind, key, _create(workspace, country, email))
        Destination.objects.update_or_create(
            stripe_id=stripe_id,
            defaults={"seller": workspace, "country": country, "chosen_at": timezone.now()},
        )
        return _page(stripe_id, return_url, refresh_url)


def resume(destination: Destination, return_url: str, refresh_url: str) -> str:
    """A new address of the same page: Stripe's are good once, and for minutes. Raises as `onboard` does."""
    with reachable(), _refusals():
        return _page(destination.stripe_id, return_url, refresh_url)


def look(destination: Destination) -> Destination:
    """What Stripe says of the account now, written down. Raises StripeUnavailable (503)."""
    with reachable():
        mirror.follow(destination.stripe_id, _seen, lambda seen: _write(destination.pk, seen))
    destination.refresh_from_db()
    return destination


@dataclass(frozen=True, slots=True)
class _Seen:
    """What Stripe says of an account, in our words."""

    state: DestinationState
    missing: list[str]
    reason: str


def _seen(stripe_id: str) -> _Seen:
    try:
        found: Any = client().v2.core.accounts.retrieve(
            stripe_id, {"include": ["configuration.recipient", "requirements"]}
        )
    except (stripe.InvalidRequestError, stripe.PermissionError):
        return _Seen(S.REJECTED, [], "account_missing")  # closed, or another platform's
    if found.closed:
        return _Seen(S.REJECTED, [], "account_closed")
    capability = found.configuration.recipient.capabilities.stripe_balance.stripe_transfers
    entries = found.requirements.entries if found.requirements else []
    missing = [one.description for one in entries or [] if one.awaiting_action_from == "user"]
    details = capability.status_details or []
    state = _STATES.get(capability.status)
    if state is None:
        by_whom = {detail.resolution for detail in details}
        state = S.INCOMPLETE if missing or "provide_info" in by_whom else S.PENDING
        if "no_resolution" in by_whom:
            state = S.REJECTED
    return _Seen(state, missing, details[0].code if details and state != S.ACTIVE else "")


def _write(destination_id: str, seen: _Seen) -> None:
    Destination.objects.filter(pk=destination_id).update(
        state=seen.state, missing=seen.missing, reason=seen.reason, checked_at=timezone.now()
    )


def changed(event_id: str) -> None:
    """A thin event about an account: looked at anew, if it is one of ours."""
    about = client().v2.core.events.retrieve(event_id).to_dict().get("related_object") or {}
    destination = Destination.objects.filter(pk=about.get("id", "")).first()
    if destination is not None:
        look(destination)


def look_at_all(now: datetime) -> int:
    """Looks at the accounts whose turn it is; how many. One that Stripe does not answer about stays for the next round."""
    ready = Q(state=S.ACTIVE, checked_at__lte=now - LOOK_DAILY)
    coming = Q(state__in=[S.INCOMPLETE, S.PENDING], checked_at__lte=now - LOOK_AGAIN, chosen_at__gt=now - GIVEN_UP)
    looked = 0
    for destination in Destination.objects.filter(ready | coming).order_by("checked_at")[:100]:
        try:
            look(destination)
        except StripeUnavailable:
            break
        looked += 1
    return looked


def _create(workspace: Workspace, country: str, email: str) -> str:
    made = client().v2.core.accounts.create(
        {
            "contact_email": email,
            "display_name": workspace.name,
            "dashboard": "express",
            "identity": {"country": country.lower()},
            "configuration": {
                "recipient": {"capabilities": {"stripe_balance": {"stripe_transfers": {"requested": True}}}}
            },
            "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
            "metadata": {"workspace": workspace.pk},
        },
        {"idempotency_key": f"recipient-{workspace.pk}-{country}"},
    )
    return str(made.id)


def _page(stripe_id: str, return_url: str, refresh_url: str) -> str:
    # A page is good for one visit, so each has a key of its own, the SDK's.
    made = client().v2.core.account_links.create(
        {
            "account": stripe_id,
            "use_case": {
                "type": "account_onboarding",
                "account_onboarding": {"return_url": return_url, "refresh_url": refresh_url},
            },
        }
    )
    return str(made.url)


class _refusals:
    """Turns Stripe's refusals into OnboardingRefused, in Stripe's words."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, stripe.InvalidRequestError):
            raise OnboardingRefused(
                _("Stripe refuses this account: %(reason)s") % {"reason": error.user_message or ""}
            ) from error
        if isinstance(error, stripe.PermissionError):
            raise OnboardingRefused(
                _("Payouts are not set up on this marketplace yet: ask whoever runs it."), status=409
            ) from error
