"""What Stripe's meter has."""

from __future__ import annotations

from datetime import UTC, datetime

from billing.stripe import products
from billing.stripe.client import client, linked


def by_hour(workspace_id: str, start: datetime, end: datetime) -> dict[datetime, int]:
    """Hour → micro-dollars, of what arrived with a timestamp in it; hours without any are left out.

    Start and end are whole hours. Summaries may lag some minutes behind. Raises stripe.StripeError.
    """
    customer = linked("customer", workspace_id)
    if customer is None:
        return {}
    found = client().v1.billing.meters.event_summaries.list(
        products.meter(),
        {
            "customer": customer,
            "start_time": int(start.timestamp()),
            "end_time": int(end.timestamp()),
            "value_grouping_window": "hour",
            "limit": 100,
        },
    )
    # Sums of whole numbers, which the SDK types as floats: exact below 2^53 micro-dollars, nine billion dollars an hour.
    return {datetime.fromtimestamp(s.start_time, UTC): int(s.aggregated_value) for s in found.auto_paging_iter()}
