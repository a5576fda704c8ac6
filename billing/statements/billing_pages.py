"""The way to Stripe's portal, and Stripe's way in."""

from __future__ import annotations

from collections.abc import Callable

from celery import current_app
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from billing.stripe import checkout, inbox
from portal.accounts.access import require_role, workspace_of
from portal.accounts.models import Role
from portal.accounts.wire import problems
from portal.kit.errors import Problem


@login_required
@require_POST
def portal(request: HttpRequest) -> HttpResponse:
    """Off to the customer's portal."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    try:
        return HttpResponseRedirect(checkout.portal(workspace, request.build_absolute_uri("/billing")))
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("billing")


@csrf_exempt
@require_POST
def stripe_webhook(request: HttpRequest) -> HttpResponse:
    """POST /stripe/webhook: verified by its signature over the raw body."""
    return _received(request, inbox.receive)


@csrf_exempt
@require_POST
def stripe_thin(request: HttpRequest) -> HttpResponse:
    """POST /stripe/thin: the same for thin events, which Stripe sends to an endpoint of their own."""
    return _received(request, inbox.receive_thin)


def _received(request: HttpRequest, receive: Callable[[bytes, str], str | None]) -> HttpResponse:
    try:
        event_id = receive(request.body, request.headers.get("Stripe-Signature", ""))
    except Problem as problem:
        return problems.answer(problem, problems.body(problem))
    if event_id:
        # By name: jobs stand above their rooms' concepts. A lost message is found by the beat.
        current_app.send_task("billing.jobs.handle_stripe_event", [event_id])
    return HttpResponse("ok", content_type="text/plain")
