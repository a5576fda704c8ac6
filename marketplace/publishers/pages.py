"""/publisher/apply and /publisher/terms: becoming a publisher, and on which terms."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone, translation
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from marketplace.catalog.cards import html_of
from marketplace.publishers import applying, rights, terms
from marketplace.publishers.forms import AboutForm, ApplicationForm
from marketplace.publishers.models import Acceptance, ApplicationState
from portal.accounts.access import has_role, require_role, workspace_of
from portal.accounts.models import Role, User, Workspace
from portal.kit.errors import Problem

LOOKS = {
    ApplicationState.SUBMITTED: "queued",
    ApplicationState.APPROVED: "live",
    ApplicationState.REFUSED: "failed",
    ApplicationState.WITHDRAWN: "",
    ApplicationState.ENDED: "failed",
}


@login_required
def apply(request: HttpRequest) -> HttpResponse:
    """How far the workspace's application is, or the form for one. POST: applies."""
    workspace = workspace_of(request)
    if request.method != "POST":
        return _page(request, workspace)
    user = _governor(request, workspace)
    form = ApplicationForm(request.POST)
    if form.is_valid():
        try:
            applying.apply(workspace, user, form.said, form.cleaned_data["terms"], timezone.now())
        except Problem as problem:
            form.add_error("accepts" if problem.param == "terms" else None, problem.message)
        else:
            messages.success(request, _("Thank you. An operator looks at it; you get mail when it is decided."))
            return redirect("publisher_apply")
    return _page(request, workspace, form)


@login_required
@require_POST
def withdraw(request: HttpRequest) -> HttpResponse:
    """Takes the application back."""
    workspace = workspace_of(request)
    applying.withdraw(workspace, _governor(request, workspace), timezone.now())
    messages.success(request, _("The application is withdrawn."))
    return redirect("publisher_apply")


@login_required
@require_POST
def describe(request: HttpRequest) -> HttpResponse:
    """What the publisher's page says."""
    workspace = workspace_of(request)
    _governor(request, workspace)
    form = AboutForm(request.POST)
    if not form.is_valid():
        return _page(request, workspace, form)
    applying.describe(workspace, form.cleaned_data["about"], form.cleaned_data["site"])
    messages.success(request, _("Saved."))
    return redirect("publisher_apply")


def terms_page(request: HttpRequest) -> HttpResponse:
    """The terms of sale that hold, or those of ?version=."""
    asked = request.GET.get("version", "") or str(terms.current())
    if not asked.isascii() or not asked.isdecimal() or len(asked) > 6:
        raise Http404
    try:
        text = terms.text(int(asked), translation.get_language() or "en")
    except KeyError as error:
        raise Http404 from error
    context: dict[str, Any] = {"terms": html_of(text), "version": int(asked), "versions": terms.versions()[::-1]}
    context["current"] = terms.current()
    if request.user.is_authenticated:
        own = Acceptance.objects.filter(workspace=workspace_of(request), version=int(asked))
        context["acceptance"] = own.select_related("accepted_by").first()
    return render(request, "marketplace/publishers/terms.html", context)


@login_required
@require_POST
def accept(request: HttpRequest) -> HttpResponse:
    """Accepts the terms that hold, for the workspace."""
    workspace = workspace_of(request)
    terms.accept(workspace, request.POST.get("terms", ""), _governor(request, workspace), timezone.now())
    messages.success(request, _("Your workspace accepted the terms of sale."))
    return redirect("publisher_apply")


def _governor(request: HttpRequest, workspace: Workspace) -> User:
    """The person, who may bind the workspace. Raises Forbidden."""
    require_role(request, workspace, Role.ADMIN)
    assert isinstance(request.user, User)
    return request.user


def _page(request: HttpRequest, workspace: Workspace, form: AboutForm | None = None) -> HttpResponse:
    found = applying.latest(workspace)
    state = ApplicationState(found.state) if found else None
    publisher = rights.is_publisher(workspace)
    if form is None and found and publisher:
        form = AboutForm(initial={"about": found.about, "site": found.site})
    if form is None:
        assert isinstance(request.user, User)
        form = ApplicationForm(initial=_before(workspace, request.user) | {"terms": terms.current()})
    context = {
        "application": found,
        "look": LOOKS[state] if state else "",
        "publisher": publisher,
        "form": form,
        "governs": has_role(request, workspace, Role.ADMIN),
        "version": terms.current(),
        "accepted": terms.accepted(workspace),
        "acceptances": Acceptance.objects.filter(workspace=workspace).order_by("-version"),
    }
    return render(request, "marketplace/publishers/apply.html", context, status=422 if form.errors else 200)


def _before(workspace: Workspace, user: User) -> dict[str, str]:
    """What was said in the last application, so that who applies anew changes only what was wrong."""
    found = applying.latest(workspace)
    if found is None:
        return {"contact": user.email}
    return {"about": found.about, "site": found.site, "contact": found.contact, "sells": found.sells}
