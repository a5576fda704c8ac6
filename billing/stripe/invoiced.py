"""How much metered usage an invoice bills."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import stripe

from billing.stripe.client import client
from billing.stripe.products import MICRO_DOLLAR_IN_CENTS

LEAST_MICROS = 5_000  # half a cent: less is no line


def all_lines(invoice: stripe.Invoice) -> list[stripe.InvoiceLineItem]:
    """The lines, asked for where the invoice holds the first only."""
    if not invoice.lines.has_more:
        return list(invoice.lines.data)
    return list(client().v1.invoices.line_items.list(str(invoice.id), {"limit": 100}).auto_paging_iter())


def usage_of(lines: list[stripe.InvoiceLineItem]) -> dict[str, Any]:
    """The micro-dollars on an invoice's lines of metered usage, and from when to when; as fields of our Invoice."""
    found = [line for line in lines if metered(line)]
    if not found:
        return {}
    return {
        "usage_micros": sum(line.quantity or 0 for line in found),
        "usage_start": datetime.fromtimestamp(min(line.period.start for line in found), UTC),
        "usage_end": datetime.fromtimestamp(max(line.period.end for line in found), UTC),
    }


def metered(line: stripe.InvoiceLineItem) -> bool:
    """Whether it is the subscription's line of micro-dollars; late usage is an item, and base fees cost more a unit."""
    price = line.pricing.unit_amount_decimal if line.pricing else None
    of_subscription = line.parent is not None and line.parent.type == "subscription_item_details"
    return of_subscription and price is not None and Decimal(str(price)) == MICRO_DOLLAR_IN_CENTS
