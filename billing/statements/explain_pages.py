"""/billing/invoices/…, /billing/hours/…, /billing/requests/…: a charge explained, each step one click from the last."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _

from billing.ledger.kinds import AccountKind
from billing.metering.sums import hour_of
from billing.money import NANOS_IN_CENT
from billing.prices import explain as pricing
from billing.statements import explain, generations, usage
from billing.stripe import late, reconciliation
from billing.stripe.models import Invoice
from portal.accounts.access import has_role, require_role, thing_of, workspace_of
from portal.accounts.models import Key, Role

DAYS, MADE_UP_DAYS = 35, 400


@login_required
def invoice_page(request: HttpRequest, invoice_id: str) -> HttpResponse:
    """An invoice's lines, and whether they sum to its total. For those who may pay."""
    invoice = _invoice(request, invoice_id)
    found = explain.lines(invoice)
    return render(
        request,
        "billing/statements/invoice.html",
        {
            "invoice": invoice,
            "lines": found,
            "tax_nanos": invoice.tax_cents * NANOS_IN_CENT,
            "settled": [
                (word, cents * NANOS_IN_CENT)
                for word, cents in (
                    (_("Paid"), invoice.paid_cents),
                    (_("Credit notes"), invoice.noted_cents),
                    (_("Refunded to the card"), invoice.refunded_cents),
                )
                if cents
            ],
            "check": explain.total(invoice),
        },
    )


@login_required
def reports_page(request: HttpRequest, invoice_id: str, number: int) -> HttpResponse:
    """A usage line's reports to the meter, an hour a row."""
    invoice = _invoice(request, invoice_id)
    found = explain.lines(invoice)
    if number >= len(found) or not found[number].usage:
        raise Http404
    line = found[number]
    said = explain.reported(invoice.workspace_id, line)
    return render(request, "billing/statements/reports.html", {"invoice": invoice, "line": line, "reported": said})


@login_required
def hour_page(request: HttpRequest, hour: str) -> HttpResponse:
    """An hour's reports, and its metered requests page by page."""
    workspace = workspace_of(request)
    try:
        start = explain.hour_named(hour)
    except ValueError as error:
        raise Http404 from error
    page = usage.page(explain.metered(workspace.pk, start), request.GET.get("cursor", ""))
    context = {
        "hour": explain.hour(workspace.pk, start),
        "events": page.events,
        "next_cursor": page.next_cursor,
        "page_nanos": sum(event.invoiced_nanos for event in page.events),
        "runs": start <= timezone.now() < start + explain.LASTS,
    }
    return render(request, "billing/statements/hour.html", context)


@login_required
def request_page(request: HttpRequest, event_id: str) -> HttpResponse:
    """One request: how its units, the price and rounding make its cost."""
    workspace = workspace_of(request)
    found = generations.found(workspace.pk, event_id)
    if not found or found[0].pk != event_id:
        raise Http404
    event = found[0]
    said = pricing.explain(event)
    context = {
        "event": event,
        "key": Key.objects.filter(workspace=workspace, pk=event.key_id).first() if event.key_id else None,
        "explanation": said,
        "hour": hour_of(event.recorded_at) if event.funding == AccountKind.RECEIVABLE or event.owed_nanos else None,
        "paid": [(AccountKind(funding).label, nanos) for funding, nanos in event.paid.items()],
    }
    return render(request, "billing/statements/request.html", context)


@login_required
def reconciliation_page(request: HttpRequest) -> HttpResponse:
    """Each day's usage as we reported it, and as Stripe's meter has it; and what invoices made up for."""
    workspace = workspace_of(request)
    context = {
        "days": reconciliation.of(workspace.pk, DAYS),
        "made_up": late.of(workspace.pk, MADE_UP_DAYS),
        "pays": has_role(request, workspace, Role.ADMIN),
    }
    return render(request, "billing/statements/reconciliation.html", context)


def _invoice(request: HttpRequest, invoice_id: str) -> Invoice:
    workspace = workspace_of(request)
    found = thing_of(workspace, Invoice.objects.all(), stripe_id=invoice_id)
    require_role(request, workspace, Role.ADMIN)
    return found
