"""/publisher: what a workspace's models earn, and how it is paid."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as _lazy
from django.views.decorators.http import require_POST

from billing import money
from billing.earnings import agreements, figures, payouts, schedule
from billing.earnings.agreements import Terms
from billing.earnings.countries import COUNTRIES
from billing.earnings.figures import Sums
from billing.earnings.models import OPEN, DestinationState, Payout, Schedule
from billing.money import NANOS_IN_CENT
from billing.statements import charts, periods
from billing.statements.periods import Period
from billing.stripe import connect
from portal.accounts.access import has_role, require_role, workspace_of
from portal.accounts.models import Role, User, Workspace
from portal.kit.errors import Problem

DAYS = 30  # shown unless asked otherwise
EXAMPLE_NANOS = 10 * money.NANOS

# Stripe's codes of why an account cannot be paid; all others are shown as they are.
REASONS = {
    "requirements_past_due": _lazy("Details that Stripe asked for are overdue."),
    "requirements_pending_verification": _lazy("Stripe is checking the details; this takes minutes, rarely days."),
    "determining_status": _lazy("Stripe is checking the details; this takes minutes, rarely days."),
    "unsupported_country": _lazy("Stripe cannot send money to this country from here: use an account in another one."),
    "unsupported_entity_type": _lazy("Stripe does not pay this kind of legal entity in this country."),
    "unsupported_business": _lazy("Stripe does not pay this kind of business."),
    "rejected_fraud": _lazy("Stripe refused the account: ask Stripe's support."),
    "rejected_listed": _lazy("Stripe refused the account: ask Stripe's support."),
    "rejected_terms_of_service": _lazy("Stripe refused the account: ask Stripe's support."),
    "rejected_other": _lazy("Stripe refused the account: ask Stripe's support."),
    "account_closed": _lazy("The account was closed: set up another one."),
    "account_missing": _lazy("Stripe does not know this account any more: set up another one."),
}


@login_required
def publisher_page(request: HttpRequest) -> HttpResponse:
    """Balance, earnings by day and model, onboarding, the agreement."""
    workspace, now = workspace_of(request), timezone.now()
    period = _period(request, now)
    days = figures.by_day(workspace.pk, period.start, period.end)
    earned = figures.has_earned(workspace.pk)
    context = {
        **_money(request, workspace, now),
        "period": period,
        "query": f"from={period.start:%Y-%m-%d}&to={period.last_day:%Y-%m-%d}",
        "days": [day for day in reversed(days) if day.gross_nanos],
        "models": figures.by_model(workspace.pk, period.start, period.end),
        "sums": _sum(days),
        "counting": figures.counting(workspace.pk, now),
        "taken_back": figures.taken_back(workspace.pk, period.start, period.end),
        "earned": earned,
        "countries": sorted(COUNTRIES.items(), key=lambda one: str(one[1])),
        "example": _example(agreements.terms(workspace.pk, now)),
    }
    if earned:
        context["chart"] = charts.by_day(_("Earned"), [(day.label, day.net_nanos) for day in days])
        context["chart_words"] = _in_words(days)
    return render(request, "billing/earnings/publisher.html", context)


@login_required
def payouts_page(request: HttpRequest) -> HttpResponse:
    """All payouts, and when the next one is."""
    return _payouts(request)


@login_required
def payout_page(request: HttpRequest, payout_id: str) -> HttpResponse:
    """One payout of the workspace's, or 404."""
    workspace = workspace_of(request)
    payout = get_object_or_404(Payout.objects.select_related("destination"), pk=payout_id, seller=workspace)
    return render(request, "billing/earnings/payout.html", {"payout": payout})


@login_required
@require_POST
def pay_out(request: HttpRequest) -> HttpResponse:
    """Asks for a payout of what is available."""
    workspace = _governed(request)
    try:
        payout = payouts.request(workspace.pk, timezone.now())
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("publisher_payouts")
    messages.success(request, _("%(amount)s is being sent.") % {"amount": money.show(payout.nanos)})
    return redirect("publisher_payout", payout.pk)


@login_required
@require_POST
def choose(request: HttpRequest) -> HttpResponse:
    """When to be paid, and from which amount on."""
    workspace = _governed(request)
    try:
        agreements.choose(
            workspace.pk, request.POST.get("schedule", ""), agreements.cents_of(request.POST.get("minimum", ""))
        )
    except Problem as problem:
        return _payouts(request, problem)
    messages.success(request, _("Saved."))
    return redirect("publisher_payouts")


@login_required
@require_POST
def onboard(request: HttpRequest) -> HttpResponse:
    """Off to Stripe's page for who is paid and where."""
    workspace = _governed(request)
    assert isinstance(request.user, User)
    country = request.POST.get("country", "")
    return _to_stripe(request, lambda back, again: connect.onboard(workspace, country, request.user.email, back, again))


@login_required
def onboard_again(request: HttpRequest) -> HttpResponse:
    """Stripe sends people here whose page is used up, and our own page those who go on: off to a new one."""
    workspace = _governed(request)
    destination = payouts.destination(workspace.pk)
    if destination is None:
        return redirect("publisher")
    return _to_stripe(request, lambda back, again: connect.resume(destination, back, again))


@login_required
def onboarded(request: HttpRequest) -> HttpResponse:
    """Back from Stripe: what is the state now?"""
    destination = payouts.destination(_governed(request).pk)
    if destination is not None:
        try:
            connect.look(destination)
        except Problem as problem:
            messages.error(request, problem.message)
    return redirect("publisher")


@login_required
def earnings_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The period's earnings, a row an hour and model, amounts exact."""
    workspace = workspace_of(request)
    period = _period(request, timezone.now())
    response = StreamingHttpResponse(_rows(workspace.pk, period), content_type="text/csv; charset=utf-8")
    name = f"earnings-{period.start:%Y-%m-%d}-{period.last_day:%Y-%m-%d}.csv"
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def _payouts(request: HttpRequest, refused: Problem | None = None) -> HttpResponse:
    """The page of payouts; with what was entered, and why it is refused."""
    workspace, now = workspace_of(request), timezone.now()
    context = {
        **_money(request, workspace, now),
        "payouts": Payout.objects.filter(seller=workspace).order_by("-created_at")[:100],
    }
    if refused is not None:
        entered = {name: request.POST.get(name, "") for name in ("schedule", "minimum")}
        context |= {**entered, "error": refused.message, "param": refused.param}
    return render(request, "billing/earnings/payouts.html", context, status=refused.status if refused else 200)


class _Line:
    """What csv writes to."""

    def write(self, line: str) -> str:
        return line


def _rows(seller_id: str, period: Period) -> Iterator[str]:
    writer = csv.writer(_Line())
    yield writer.writerow(
        ["hour_utc", "model", "part", "used_usd", "fee_percent", "fee_usd", "earned_usd", "payable_from_utc"]
    )
    for one in figures.each(seller_id, period.start, period.end):
        amounts = [money.decimal(one.gross_nanos), f"{one.fee_bp / 100:g}", money.decimal(one.fee_nanos)]
        row = [f"{one.hour:%Y-%m-%dT%H:%MZ}", one.model, one.part, *amounts, money.decimal(one.net_nanos)]
        yield writer.writerow([*row, f"{one.matures_at:%Y-%m-%dT%H:%MZ}"])


def _governed(request: HttpRequest) -> Workspace:
    """The workspace, if the person may decide about its money. Raises Forbidden."""
    workspace = workspace_of(request)
    require_role(request, workspace, Role.ADMIN)
    return workspace


def _to_stripe(request: HttpRequest, page: Any) -> HttpResponse:
    back, again = (request.build_absolute_uri(f"/publisher/onboarding/{which}") for which in ("done", "again"))
    try:
        return HttpResponseRedirect(page(back, again))
    except Problem as problem:
        messages.error(request, problem.message)
        return redirect("publisher")


def _period(request: HttpRequest, now: datetime) -> Period:
    asked = request.GET.get("from") or f"{now - timedelta(days=DAYS - 1):%Y-%m-%d}"
    return periods.read(asked, request.GET.get("to", ""), now)


def _money(request: HttpRequest, workspace: Workspace, now: datetime) -> dict[str, Any]:
    """What both pages show of balance, account and schedule."""
    chosen, funds = agreements.chosen(workspace.pk), payouts.funds(workspace.pk, now)
    destination, least = payouts.destination(workspace.pk), payouts.minimum_cents(workspace.pk, now)
    ready = destination is not None and destination.state == DestinationState.ACTIVE
    underway = Payout.objects.filter(seller=workspace, state__in=OPEN).first()
    return {
        "funds": funds,
        "payable_nanos": funds.available_cents * NANOS_IN_CENT,
        "paid_nanos": figures.paid_nanos(workspace.pk),
        "chosen": chosen,
        "schedule": chosen.schedule,
        "schedules": Schedule.choices,
        "minimum": f"{least / 100:.2f}",
        "minimum_nanos": least * NANOS_IN_CENT,
        "least_nanos": agreements.terms(workspace.pk, now).minimum_cents * NANOS_IN_CENT,
        "next_payday": schedule.next_payday(chosen.schedule, now.date()),
        "destination": destination,
        "country": COUNTRIES.get(destination.country, destination.country) if destination else "",
        "reason": REASONS.get(destination.reason, destination.reason) if destination else "",
        "ready": ready,
        "underway": underway,
        "may_pay": ready and underway is None and funds.available_cents >= least,
        "governs": has_role(request, workspace, Role.ADMIN),
    }


def _sum(days: list[Sums]) -> Sums:
    return Sums("", sum(day.gross_nanos for day in days), sum(day.net_nanos for day in days))


def _in_words(days: list[Sums]) -> str:
    """The chart for who does not see it."""
    best, total = max(days, key=lambda day: day.net_nanos), _sum(days)
    if not total.net_nanos:
        return _("Nothing was earned in these %(days)s days.") % {"days": len(days)}
    return _("%(total)s was earned in %(days)s days, the most on %(day)s: %(best)s.") % {
        "total": money.show(total.net_nanos), "days": len(days),
        "day": date_format(date.fromisoformat(best.label)), "best": money.show(best.net_nanos),
    }  # fmt: skip


def _example(terms: Terms) -> dict[str, Any]:
    """The agreement in numbers."""
    net = terms.net(EXAMPLE_NANOS)
    fee = f"{terms.fee_bp / 100:g}"
    return {"used": EXAMPLE_NANOS, "fee": EXAMPLE_NANOS - net, "net": net, "percent": fee, "days": terms.hold.days}
