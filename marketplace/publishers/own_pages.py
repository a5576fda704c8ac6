"""/publisher/models: what a workspace publishes, and a page to change each."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from billing.plans import announcing
from billing.prices import book
from billing.prices.models import Price
from billing.prices.quote import FREE
from marketplace.catalog import pricing, resolve, retiring, takedowns, versions, visibility
from marketplace.catalog.access import reader_of
from marketplace.catalog.cards import html_of
from marketplace.catalog.models import Model, Retirement
from marketplace.catalog.pages import shown_all
from marketplace.publishers import own, rights
from marketplace.publishers.own_forms import MOST_CARD, DetailsForm, OwnPriceForm, RetireForm, SharesForm
from portal.accounts.access import has_role, require_role, workspace_of
from portal.accounts.models import Role
from portal.kit.errors import Problem

MOST_SHARED = 5  # versions among which calls can be shared here: the newest


@login_required
def models(request: HttpRequest) -> HttpResponse:
    """All models of the workspace: state, who sees them, calls and earnings of 30 days."""
    found = own.models(reader_of(request), timezone.now())
    context = {
        "rows": list(zip(found, shown_all(one.model for one in found), strict=True)),
        "publisher": rights.is_publisher(workspace_of(request)),
    }
    return render(request, "marketplace/publishers/models.html", context)


@login_required
def model(request: HttpRequest, name: str) -> HttpResponse:
    """One of them. POST: changes what its page says and who sees it."""
    found = _own(request, name, changes=request.method == "POST")
    if request.method != "POST":
        return _page(request, found)
    form = DetailsForm(request.POST, found, rights.offered(found.publisher))
    if not form.is_valid():
        return _page(request, _own(request, name), details=form)
    try:
        own.change(found, form.cleaned_data)
    except Problem as problem:
        form.add_error(problem.param if problem.param in form.fields else None, problem.message)
        return _page(request, _own(request, name), details=form)
    resolve.forget()
    messages.success(request, _("Saved."))
    return redirect("publisher_model", name)


@login_required
@require_POST
def card(request: HttpRequest, name: str) -> HttpResponse:
    """How a card will look, as a fragment."""
    _own(request, name)
    return HttpResponse(html_of(request.POST.get("card", "")[:MOST_CARD]))


@login_required
@require_POST
def price(request: HttpRequest, name: str) -> HttpResponse:
    """The model's next price: a rise is announced first where others use the model."""
    found = _own(request, name, changes=True)
    form = _price_form(found, request.POST)
    if form.is_valid():
        scheme = form.cleaned_data["scheme"]
        try:
            made = pricing.set_price(
                found, scheme.rates, tiers=scheme.tiers, minimum_nanos=scheme.minimum_nanos,
                starts_at=form.starts_at, confirmed=form.cleaned_data["confirmed"],
            )  # fmt: skip
        except Problem as problem:
            form.add_error("starts_on" if problem.param == "starts_at" else None, problem.message)
            return _page(request, found, price=form, confirming=problem.code == "price_unusual")
        messages.success(
            request, _("This price holds from %(time)s UTC.") % {"time": f"{made.starts_at:%Y-%m-%d %H:%M}"}
        )
        return redirect("publisher_model", name)
    return _page(request, found, price=form)


@login_required
@require_POST
def withdraw_price(request: HttpRequest, name: str, price_id: str) -> HttpResponse:
    """Takes an announced price back; who was told of it is told that."""
    found = _own(request, name, changes=True)
    coming = get_object_or_404(Price, pk=price_id, product=found.pk, workspace_id="")
    if announcing.withdraw(coming, found.slug):
        messages.success(request, _("The price was taken back."))
    else:
        messages.error(request, _("This price holds already: publish the next one."))
    return redirect("publisher_model", name)


@login_required
@require_POST
def shares(request: HttpRequest, name: str) -> HttpResponse:
    """Shares the calls among versions, or ends that."""
    found = _own(request, name, changes=True)
    form = _shares_form(found, request.POST)
    if not form.is_valid():
        return _page(request, found, shares=form)
    versions.split(found, form.weights)
    resolve.forget()
    messages.success(request, _("Saved."))
    return redirect("publisher_model", name)


@login_required
@require_POST
def retire(request: HttpRequest, name: str) -> HttpResponse:
    """Announces that the model, or a version, will go."""
    found = _own(request, name, changes=True)
    form = RetireForm(request.POST, found, reader_of(request))
    if form.is_valid():
        given = form.cleaned_data
        try:
            retiring.announce(
                found, given["version"], form.ends_at, timezone.now(),
                reason=given["reason"], successor=given["successor"],
            )  # fmt: skip
        except Problem as problem:
            param = "ends_on" if problem.param == "ends_at" else problem.param
            form.add_error(param if param in form.fields else None, problem.message)
        else:
            messages.success(request, _("It is announced; its users get mail."))
            return redirect("publisher_model", name)
    return _page(request, found, retire=form)


@login_required
@require_POST
def stay(request: HttpRequest, name: str, retirement_id: int) -> HttpResponse:
    """Takes that back; who was told is told so."""
    found = _own(request, name, changes=True)
    announced = Retirement.objects.select_related("model__publisher", "version")
    retiring.withdraw(get_object_or_404(announced, pk=retirement_id, model=found))
    messages.success(request, _("It stays, and who was told that it goes is told so."))
    return redirect("publisher_model", name)


def _own(request: HttpRequest, name: str, changes: bool = False) -> Model:
    """The workspace's model of this name, or 404; Forbidden where it is to be changed by who may not."""
    found = visibility.own(reader_of(request)).filter(name=name).first()
    if changes:
        require_role(request, workspace_of(request), Role.MEMBER)
    if found is None:
        raise Http404
    return found


def _price_form(found: Model, sent: Any = None) -> OwnPriceForm:
    current = book.current(found.pk)
    return OwnPriceForm(sent, found, current.scheme if current else FREE)


def _shares_form(found: Model, sent: Any = None) -> SharesForm:
    kept = {split.version.number: split.weight for split in found.splits.select_related("version")}
    newest = list(found.versions.order_by("-number")[:MOST_SHARED])
    newest += [one for one in found.versions.filter(number__in=kept) if one not in newest]
    return SharesForm(sent, newest, kept, found.live_version_id)


def _page(request: HttpRequest, found: Model, **forms: Any) -> HttpResponse:
    now, workspace, reader = timezone.now(), workspace_of(request), reader_of(request)
    context = {
        "model": found,
        "card": shown_all([found])[0],
        "figures": own.figures_of([found], workspace.pk, now)[0],
        "details": DetailsForm(None, found, rights.offered(workspace)),
        "preview": html_of(found.card),
        "price": _price_form(found),
        "shares": _shares_form(found),
        "retire": RetireForm(None, found, reader),
        "retirements": found.retirements.select_related("version", "successor__publisher").order_by("ends_at"),
        "take_downs": takedowns.down(found),
        "shared": found.splits.exists(),
        "several": found.versions.count() > 1,
        "publisher": rights.is_publisher(workspace),
        "may_change": has_role(request, workspace, Role.MEMBER),
        **pricing.page(found, None),
        **forms,
    }
    return render(request, "marketplace/publishers/model.html", context, status=422 if forms else 200)
