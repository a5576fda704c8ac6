"""The operators' price book: what models cost, a draft of other prices, what it would have brought, and its scheduling.

The draft is the operator's own, in the session; nothing changes for anybody before it is scheduled.
"""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import CHANGE, LogEntry
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing.plans import announcing
from billing.prices import book, publishing
from billing.prices.models import Price
from billing.prices.quote import FREE
from billing.statements.simulation import DAYS, Effect, Proposal, Simulation, simulate
from marketplace.catalog import pricing
from marketplace.catalog.models import Model
from portal.accounts.models import Workspace
from portal.kit.errors import Problem
from portal.pages.price_forms import PriceForm

DRAFT = "price_book"  # in the session: model id → what the form was sent
MOST_SHOWN = 100


def price_book(request: HttpRequest) -> HttpResponse:
    """Every model with its price, what is announced, and who has a price of their own."""
    models = list(Model.objects.select_related("publisher").order_by("publisher__slug", "name")[:1000])
    now = timezone.now()
    ids = [model.pk for model in models]
    current = book.currents(ids)
    coming = Price.objects.filter(product__in=ids, starts_at__gt=now).order_by("starts_at")
    rows = [
        {
            "model": model,
            "label": book.label(current[model.pk].scheme if model.pk in current else FREE),
            "coming": [price for price in coming if price.product == model.pk],
            "drafted": model.pk in _draft(request),
        }
        for model in models
    ]
    return _page(request, "price_book", {"rows": rows, "drafted": len(_draft(request))})


def model_price(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The form of one model's next price: into the draft, or, with a workspace, agreed upon at once."""
    model = get_object_or_404(Model, publisher__slug=publisher, name=name)
    kept = _draft(request).get(model.pk)
    current = book.current(model.pk)
    sent = request.POST if request.method == "POST" else kept
    form = PriceForm(sent, scheme=current.scheme if current else None)
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["workspace"]:
            return _negotiate(request, model, form)
        fields = {name: value for name, value in request.POST.items() if name in form.fields}
        request.session[DRAFT] = {**_draft(request), model.pk: fields}
        return redirect("price_draft")
    own = Price.objects.filter(product=model.pk).exclude(workspace_id="").order_by("workspace_id", "-version")
    names = dict(Workspace.objects.filter(pk__in=own.values("workspace_id")).values_list("pk", "slug"))
    history = [(price, book.label(price.scheme)) for price in book.listed(model.pk)[:50]]
    context = {
        "model": model,
        "form": form,
        "confirming": request.method == "POST" and "confirmed" in request.POST,
        "history": history,
        "own": [(names.get(price.workspace_id, ""), price, book.label(price.scheme)) for price in own[:50]],
        "now": timezone.now(),
    }
    return _page(request, "price_model", context)


def draft(request: HttpRequest) -> HttpResponse:
    """What the drafted prices would have brought on the last 30 days' usage, and the button that schedules them."""
    drafted = _drafted(request)
    proposals = [Proposal(model.pk, model.slug, form.cleaned_data["scheme"]) for model, form in drafted]
    result = simulate(proposals, timezone.now())
    names = dict(
        Workspace.objects.filter(pk__in=[effect.name for effect in result.workspaces[:MOST_SHOWN]]).values_list(
            "pk", "slug"
        )
    )
    current = book.currents(model.pk for model, _form in drafted)
    context = {
        "days": DAYS,
        "prices": [
            {
                "model": model,
                "form": form,
                "before": book.label(current[model.pk].scheme if model.pk in current else FREE),
                "after": book.label(form.cleaned_data["scheme"]),
            }
            for model, form in drafted
        ],
        "result": result,
        "workspaces": [(names.get(effect.name, effect.name), effect) for effect in result.workspaces[:MOST_SHOWN]],
        "left_out": max(len(result.workspaces) - MOST_SHOWN, 0),
        "bars": _bars(result, names),
        "unusual": request.session.pop("price_unusual", []),
    }
    return _page(request, "price_draft", context)


@require_POST
def drop(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """Takes a model out of the draft."""
    model = get_object_or_404(Model, publisher__slug=publisher, name=name)
    request.session[DRAFT] = {pk: fields for pk, fields in _draft(request).items() if pk != model.pk}
    return redirect("price_draft")


@require_POST
def schedule(request: HttpRequest) -> HttpResponse:
    """Schedules what is drafted. What is refused stays in the draft, and is said; `confirmed` names models whose price is meant."""
    confirmed, left, unusual = request.POST.getlist("confirmed"), dict(_draft(request)), []
    for model, form in _drafted(request):
        given = form.cleaned_data
        scheme = given["scheme"]
        try:
            price = pricing.set_price(
                model,
                scheme.rates,
                tiers=scheme.tiers,
                minimum_nanos=scheme.minimum_nanos,
                starts_at=given["starts_at"],
                grandfather_until=given["grandfather_until"],
                confirmed=model.pk in confirmed,
            )
        except Problem as problem:
            messages.error(request, f"{model.slug}: {problem.message}")
            if problem.code == "price_unusual":
                unusual.append(model.pk)
            continue
        del left[model.pk]
        _log(request, price)
        messages.success(
            request,
            _("%(model)s: from %(time)s UTC.") % {"model": model.slug, "time": f"{price.starts_at:%Y-%m-%d %H:%M}"},
        )
    request.session[DRAFT], request.session["price_unusual"] = left, unusual
    return redirect("price_draft" if left else "price_book")


@require_POST
def withdraw(request: HttpRequest, price_id: str) -> HttpResponse:
    """Takes an announced price back; who was told of it is told that."""
    price = get_object_or_404(Price, pk=price_id)
    model = get_object_or_404(Model, pk=price.product)
    if announcing.withdraw(price, model.slug):
        messages.success(request, _("The price was taken back."))
    else:
        messages.error(request, _("This price holds already: publish the next one."))
    return redirect("price_model", *model.slug.split("/"))


@require_POST
def end_own(request: HttpRequest, publisher: str, name: str, workspace: str) -> HttpResponse:
    """Ends a negotiated price: from now on the list price holds."""
    model = get_object_or_404(Model, publisher__slug=publisher, name=name)
    ended = publishing.end_negotiated(model.pk, get_object_or_404(Workspace, slug=workspace).pk)
    if ended is not None:
        _log(request, ended)
        messages.success(request, _("From now on the list price holds for %(workspace)s.") % {"workspace": workspace})
    return redirect("price_model", publisher, name)


def _negotiate(request: HttpRequest, model: Model, form: PriceForm) -> HttpResponse:
    given = form.cleaned_data
    scheme, workspace = given["scheme"], given["workspace"]
    try:
        price = publishing.negotiate(
            model.pk,
            workspace.pk,
            scheme.rates,
            tiers=scheme.tiers,
            minimum_nanos=scheme.minimum_nanos,
            starts_at=given["starts_at"],
            ends_at=given["ends_at"],
            confirmed="confirmed" in request.POST,
        )
    except Problem as problem:
        messages.error(request, problem.message)
        context = {"model": model, "form": form, "confirming": problem.code == "price_unusual", "now": timezone.now()}
        return _page(request, "price_model", context, status=problem.status)
    _log(request, price)
    messages.success(request, _("Agreed with %(workspace)s.") % {"workspace": workspace.slug})
    return HttpResponseRedirect(request.path)


def _draft(request: HttpRequest) -> dict[str, Any]:
    found: dict[str, Any] = request.session.get(DRAFT, {})
    return found


def _drafted(request: HttpRequest) -> list[tuple[Model, PriceForm]]:
    """The models of the draft; one whose time has passed in the meantime is to be written again."""
    kept = _draft(request)
    found = []
    for model in Model.objects.select_related("publisher").filter(pk__in=kept).order_by("publisher__slug", "name"):
        form = PriceForm(kept[model.pk])
        if form.is_valid():
            found.append((model, form))
        else:
            messages.error(request, _("%(model)s: write this price again.") % {"model": model.slug})
    return found


def _bars(result: Simulation, names: dict[str, str]) -> list[tuple[str, Effect, int]]:
    """(workspace, effect, width of its bar in percent) of the largest changes."""
    largest = max((abs(effect.change_nanos) for effect in result.workspaces), default=0) or 1
    return [
        (names.get(effect.name, effect.name), effect, round(100 * abs(effect.change_nanos) / largest))
        for effect in result.workspaces[:12]
    ]


def _log(request: HttpRequest, price: Price) -> None:
    assert request.user.pk is not None
    LogEntry.objects.log_actions(request.user.pk, [price], CHANGE, change_message=book.label(price.scheme))


def _page(request: HttpRequest, name: str, context: dict[str, Any], status: int = 200) -> HttpResponse:
    whole = {**admin.site.each_context(request), "title": _("Price book"), **context}
    return render(request, f"admin/{name}.html", whole, status=status)
