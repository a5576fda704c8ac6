"""/billing/statement: any period, by day, model, key or member; to read, to print, as CSV and XLSX."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing import money
from billing.plans import subscribing
from billing.statements import charts, export, periods
from billing.statements.movements import Movements, movements
from billing.statements.periods import Period
from billing.statements.statement import BY, Statement, statement
from billing.stripe.returns import Refund, RefundState
from portal.accounts.access import workspace_of
from portal.kit.errors import Problem

MOST_REFUNDS = 200
A = TypeVar("A", bound=HttpResponseBase)
WORDS = {
    "day": _("day"), "model": _("model"), "key": _("key"), "member": _("member"),
}  # fmt: skip
# Kinds of ledger transactions, for people.
KINDS = {
    "usage": _("Usage"),
    "grant": _("Promotional credit"),
    "service_credit": _("Service credit"),
    "top_up": _("Top-up"),
    "refund": _("Refund"),
    "expiry": _("Credit that expired"),
    "charge": _("Fees, taxes, rounding"),
    "payment": _("Payment"),
    "credit_note": _("Credit note"),
    "write_off": _("Written off"),
    "dispute": _("Disputed payment"),
    "dispute_won": _("Dispute won"),
    "earning": _("Earnings"),
    "take_back": _("Earnings taken back"),
    "payout": _("Payout"),
    "payout_returned": _("Payout returned"),
    "adjustment": _("Correction"),
}
# Accounts, for people: what is owed is negative.
ACCOUNTS = {
    "promo": _("Promotional"), "credit": _("Paid credit"), "receivable": _("Owed"), "holds": _("Held"),
    "payable": _("Earnings"),
}  # fmt: skip


class ByUnknown(Problem):
    """Not a way to sum usage."""

    status = 422
    code = "by_invalid"


@login_required
def statement_page(request: HttpRequest) -> HttpResponse:
    """The page; its print style leaves only the document."""
    workspace, now = workspace_of(request), timezone.now()
    period, by = asked(request)
    said = statement(workspace.pk, period.start, period.end, by)
    moved = movements(workspace.pk, period.start, period.end)
    running = subscribing.running(workspace.pk)
    context = {
        "statement": said,
        "period": period,
        "by": by,
        "by_word": WORDS[by],
        "ways": WORDS.items(),
        "total": money.show(said.total_cents * money.NANOS_IN_CENT),
        "accounts": [ACCOUNTS[kind] for kind in moved.kinds],
        "moved": bool(moved.rows or moved.kinds),
        "balances": _balances(moved, period),
        "adds_up": moved.adds_up,
        "refunds": _refunds(workspace.pk, period),
        "subscription": running,
        "now": now,
        "query": f"from={period.start:%Y-%m-%dT%H:%M:%SZ}&to={period.end:%Y-%m-%dT%H:%M:%SZ}&by={by}",
    }
    if by == "day" and said.lines:
        context["chart"] = charts.by_day(str(_("Cost")), [(line.label, line.cost_nanos) for line in said.lines])
    return render(request, "billing/statements/statement.html", context)


@login_required
def statement_csv(request: HttpRequest) -> StreamingHttpResponse:
    """The statement as CSV."""
    said, moved, by, name = _read(request)
    return _file(StreamingHttpResponse(export.as_csv(said, moved, by), content_type=export.CSV), f"{name}.csv")


@login_required
def statement_xlsx(request: HttpRequest) -> HttpResponse:
    """The statement as XLSX."""
    said, moved, by, name = _read(request)
    return _file(HttpResponse(export.as_xlsx(said, moved, by), content_type=export.XLSX), f"{name}.xlsx")


def _read(request: HttpRequest) -> tuple[Statement, Movements, str, str]:
    workspace = workspace_of(request)
    period, by = asked(request)
    said = statement(workspace.pk, period.start, period.end, by)
    name = f"mercato-statement-{workspace.slug}-{period.start:%Y%m%d}-{period.last_day:%Y%m%d}"
    return said, movements(workspace.pk, period.start, period.end), by, name


def _file(response: A, name: str) -> A:
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def asked(request: HttpRequest) -> tuple[Period, str]:
    """The period and the way to sum that the address names. Raises PeriodInvalid, ByUnknown (422)."""
    by = request.GET.get("by") or "model"
    if by not in BY:
        raise ByUnknown(f"by is one of {', '.join(BY)}.", param="by")
    return periods.read(request.GET.get("from", ""), request.GET.get("to", ""), timezone.now()), by


def _refunds(workspace_id: str, period: Period) -> list[Refund]:
    """Of invoices that were paid: such money moves on none of the workspace's accounts."""
    sent = Refund.objects.filter(workspace_id=workspace_id, state=RefundState.SENT).exclude(invoice=None)
    inside = sent.filter(created_at__gte=period.start, created_at__lt=period.end)
    return list(inside.select_related("invoice").order_by("-created_at")[:MOST_REFUNDS])


def _balances(moved: Movements, period: Period) -> list[dict[str, Any]]:
    """Closing balance, movements, the newest first, and opening balance; of each the accounts' amounts by their names."""

    def row(word: object, changes: Mapping[str, int], **more: Any) -> dict[str, Any]:
        amounts = [(ACCOUNTS[kind], changes.get(kind, 0)) for kind in moved.kinds]
        return {"word": word, "amounts": amounts, "nanos": sum(changes.values()), **more}

    return [
        row(_("Closing balance"), moved.closing, day=period.last_day, balance=True),
        *(
            row(KINDS.get(one.kind, one.kind), one.changes, at=one.at, count=one.count, memo=one.memo)
            for one in moved.rows
        ),
        row(_("Opening balance"), moved.opening, day=period.start, balance=True),
    ]
