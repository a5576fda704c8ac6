"""Ending a subscription in the middle of its period: all that was used is on its last invoice."""

from __future__ import annotations

import time
from datetime import datetime, timedelta

import stripe
from django.conf import settings
from django.db.models import Max
from django.utils.translation import gettext as _

from billing.errors import PlanProblem, StripeUnavailable
from billing.plans import subscribing
from billing.stripe import reports, subscriptions
from billing.stripe.client import client, reachable
from billing.stripe.models import Report
from billing.stripe.sending import Round, send_of

_ROOM = timedelta(seconds=2)  # the second of the last usage ends, and our clock may be a second before Stripe's
_MOST_ROOM_S = 5.0


def end_now(workspace_id: str, now: datetime) -> None:
    """Reports what was used until now, waits until Stripe has it, then cancels with an invoice. Twice does it once.

    What is used after this moment (a request that runs) is invoiced as late usage. Raises PlanProblem (409) without a
    subscription, StripeUnavailable (503) when Stripe does not take the usage or does not answer: then nothing has ended.
    """
    running = subscribing.running(workspace_id)
    if running is None or running.stripe_id is None:
        raise PlanProblem(_("There is no subscription to end."))
    began = time.monotonic()
    reports.flush(workspace_id, now)
    send_of(workspace_id, now, Round(settings.STRIPE_CALLS_A_SECOND))
    if Report.objects.filter(workspace_id=workspace_id, state__in=reports.UNSENT).exists():
        raise StripeUnavailable(
            _("Your last usage is still on its way to the payment service: nothing was ended. Try again in a minute."),
            retry_after_s=60,
        )
    newest = Report.objects.filter(workspace_id=workspace_id).aggregate(at=Max("timestamp"))["at"]
    if newest is not None:
        # A period takes usage of the seconds before the one in which it ends.
        room_s = (newest + _ROOM - now).total_seconds() - (time.monotonic() - began)
        time.sleep(min(max(room_s, 0.0), _MOST_ROOM_S))
    with reachable():
        try:
            # Stripe's default would leave usage unbilled.
            client().v1.subscriptions.cancel(
                running.stripe_id,
                {"invoice_now": True, "prorate": False},
                {"idempotency_key": f"cancel-{running.stripe_id}"},
            )
        except stripe.InvalidRequestError as error:
            if error.code != "resource_missing":
                raise
        subscriptions.settle(running.stripe_id)
