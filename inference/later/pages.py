"""/settings/webhooks: where a workspace wants to be told, and what became of each message."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import OuterRef, QuerySet, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from inference.later import deliveries
from inference.later.models import Delivery, Endpoint
from inference.later.waking import wake
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Role, Workspace
from portal.kit.errors import Problem

MOST_LISTED = 200
MOST_MESSAGES = 50
SOON = timedelta(minutes=1)  # a message that is due by then is watched
EVENTS = (
    ("prediction.started", gettext_lazy("A prediction is being made")),
    ("prediction.completed", gettext_lazy("A prediction has ended, well or not")),
    ("batch.completed", gettext_lazy("A batch has ended")),
    (
        "model.rolled_back",
        gettext_lazy("A version of yours failed too often, and its calls went back to the one before"),
    ),
    ("golden_run.completed", gettext_lazy("A run of a golden set has ended")),
    ("budget.threshold_reached", gettext_lazy("A budget has reached a threshold")),
)


class EventsForm(forms.Form):
    """What an endpoint is told of."""

    events = forms.MultipleChoiceField(
        label=gettext_lazy("Tell it when"),
        choices=EVENTS,
        required=False,
        widget=forms.CheckboxSelectMultiple,
        help_text=gettext_lazy("None chosen: all of them."),
    )


class EndpointForm(EventsForm):
    """A new endpoint."""

    use_required_attribute = False

    url = forms.CharField(
        label=gettext_lazy("Address"),
        required=False,
        widget=forms.URLInput(attrs={"placeholder": "https://example.com/hook", "required": True}),
        help_text=gettext_lazy("Your server's, reachable from the internet. It answers 2xx to what it took."),
    )


@dataclass(frozen=True, slots=True)
class Message:
    """A delivery with the word for its state, and that word's class of `state` in components.css."""

    delivery: Delivery
    word: str
    look: str


@login_required
@never_cache
def webhooks(request: HttpRequest) -> HttpResponse:
    """The workspace's endpoints. A new one's secret is shown in the answer to its making."""
    workspace = workspace_of(request)
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if request.method == "POST":
        require_role(request, workspace, Role.MEMBER)
        if form.is_valid():
            given = form.cleaned_data
            try:
                endpoint, secret = deliveries.open_endpoint(workspace.pk, given["url"].strip(), given["events"])
            except Problem as problem:
                form.add_error((problem.param or "").lstrip("/") or None, problem.message)
            else:
                return _page(request, workspace, endpoint, secret=secret)
    return _list(request, workspace, form)


@login_required
@never_cache
@require_POST
def signing_secret(request: HttpRequest) -> HttpResponse:
    """Shows the secret that signs what goes to predictions' own webhooks."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    return _list(request, workspace, EndpointForm(), deliveries.secret_of(deliveries.signer(workspace.pk)))


@login_required
@never_cache
def webhook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """One endpoint: its events to choose, its log, its secret to rotate."""
    if request.method != "POST":
        workspace = workspace_of(request)
        return _page(request, workspace, _own(workspace, endpoint_id))
    workspace, endpoint = _to_change(request, endpoint_id)
    form = EventsForm(request.POST)
    if not form.is_valid():
        return _page(request, workspace, endpoint, form=form)
    deliveries.choose(endpoint, form.cleaned_data["events"])
    messages.success(request, _("Saved."))
    return redirect("webhook", endpoint_id)


@login_required
@never_cache
@require_POST
def rotate_webhook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """A new secret, shown in this answer; both sign for a day."""
    workspace, endpoint = _to_change(request, endpoint_id)
    return _page(request, workspace, endpoint, secret=deliveries.rotate(endpoint))


@login_required
@require_POST
def test_webhook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """Sends a message that says nothing happened."""
    _workspace, endpoint = _to_change(request, endpoint_id)
    deliveries.test(endpoint)
    wake("send_webhooks")
    messages.success(request, _("A test is on its way: what came of it is in the log."))
    return redirect("webhook", endpoint_id)


@login_required
@require_POST
def switch_webhook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """Off, or on again."""
    _workspace, endpoint = _to_change(request, endpoint_id)
    if request.POST.get("to") == "on":
        deliveries.enable(endpoint)
        messages.success(request, _("It is on: it is told of what happens from now on."))
    else:
        deliveries.disable(endpoint)
        messages.success(request, _("It is off: nothing more is sent there."))
    return redirect("webhook", endpoint_id)


@login_required
@require_POST
def delete_webhook(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """Forgets the endpoint, its secret and its log."""
    _workspace, endpoint = _to_change(request, endpoint_id)
    endpoint.delete()
    messages.success(request, _("%(url)s is deleted.") % {"url": endpoint.url})
    return redirect("webhooks")


@login_required
@never_cache
def webhook_log(request: HttpRequest, endpoint_id: str) -> HttpResponse:
    """The part of the page that refreshes itself while a message is due."""
    workspace = workspace_of(request)
    return render(
        request, "inference/later/_log.html", _log(request, workspace, _own(workspace, endpoint_id), timezone.now())
    )


@login_required
@require_POST
def send_again(request: HttpRequest, endpoint_id: str, delivery_id: str) -> HttpResponse:
    """Tries a message once more, now."""
    _workspace, endpoint = _to_change(request, endpoint_id)
    deliveries.again(get_object_or_404(endpoint.deliveries, pk=delivery_id))
    wake("send_webhooks")
    messages.success(request, _("It is sent again."))
    return redirect("webhook", endpoint_id)


def _endpoints(workspace: Workspace) -> QuerySet[Endpoint]:
    return Endpoint.objects.filter(workspace=workspace).exclude(url="")


def _own(workspace: Workspace, endpoint_id: str) -> Endpoint:
    return thing_of(workspace, _endpoints(workspace), pk=endpoint_id)


def _to_change(request: HttpRequest, endpoint_id: str) -> tuple[Workspace, Endpoint]:
    workspace = workspace_of(request)
    require_role(request, workspace, Role.MEMBER)
    return workspace, _own(workspace, endpoint_id)


def _list(request: HttpRequest, workspace: Workspace, form: EndpointForm, signing: str = "") -> HttpResponse:
    latest = Delivery.objects.filter(endpoint=OuterRef("pk")).order_by("-created_at")
    found = list(_endpoints(workspace).annotate(latest=Subquery(latest.values("pk")[:1])).order_by("-created_at"))
    last = Delivery.objects.in_bulk([endpoint.latest for endpoint in found[:MOST_LISTED] if endpoint.latest])
    context = {
        "rows": [(one, _message(last[one.latest]) if one.latest in last else None) for one in found[:MOST_LISTED]],
        "form": form,
        "signing_secret": signing,
        "may_change": has_role(request, workspace, Role.MEMBER),
    }
    return render(request, "inference/later/webhooks.html", context, status=422 if form.errors else 200)


def _page(
    request: HttpRequest,
    workspace: Workspace,
    endpoint: Endpoint,
    secret: str = "",
    form: EventsForm | None = None,
) -> HttpResponse:
    now = timezone.now()
    both = endpoint.previous_until if endpoint.previous_until and endpoint.previous_until > now else None
    context = {
        **_log(request, workspace, endpoint, now),
        "form": form or EventsForm(initial={"events": endpoint.events}),
        "secret": secret,
        "both_until": both,
    }
    return render(request, "inference/later/webhook.html", context, status=422 if form else 200)


def _log(request: HttpRequest, workspace: Workspace, endpoint: Endpoint, now: datetime) -> dict[str, object]:
    latest = list(endpoint.deliveries.order_by("-created_at", "-pk")[:MOST_MESSAGES])
    return {
        "endpoint": endpoint,
        "log": [_message(delivery) for delivery in latest],
        "due": any(delivery.next_at and delivery.next_at <= now + SOON for delivery in latest),
        "may_change": has_role(request, workspace, Role.MEMBER),
    }


def _message(delivery: Delivery) -> Message:
    if delivery.next_at is not None and delivery.attempts:
        return Message(delivery, _("tried again"), "queued")
    if delivery.next_at is not None:
        return Message(delivery, _("on its way"), "training")
    if delivery.delivered_at is not None:
        return Message(delivery, _("delivered"), "live")
    return Message(delivery, _("given up"), "failed")
