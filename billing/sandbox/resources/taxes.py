"""Automatic tax: a small table of rates by the customer's country, enough to see tax lines (not for filing taxes)."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from billing.sandbox.errors import StripeError
from billing.sandbox.store import Object, Store

# Percent, and what the tax is called. In the US a few states tax software as a service.
RATES = {
    "AT": ("20", "VAT"), "AU": ("10", "GST"), "BE": ("21", "VAT"), "BG": ("20", "VAT"), "CA": ("5", "GST"),
    "CH": ("8.1", "VAT"), "CY": ("19", "VAT"), "CZ": ("21", "VAT"), "DE": ("19", "VAT"), "DK": ("25", "VAT"),
    "EE": ("24", "VAT"), "ES": ("21", "VAT"), "FI": ("25.5", "VAT"), "FR": ("20", "VAT"), "GB": ("20", "VAT"),
    "GR": ("24", "VAT"), "HR": ("25", "VAT"), "HU": ("27", "VAT"), "IE": ("23", "VAT"), "IN": ("18", "GST"),
    "IT": ("22", "VAT"), "JP": ("10", "JCT"), "LT": ("21", "VAT"), "LU": ("17", "VAT"), "LV": ("21", "VAT"),
    "MT": ("18", "VAT"), "NL": ("21", "VAT"), "NO": ("25", "VAT"), "NZ": ("15", "GST"), "PL": ("23", "VAT"),
    "PT": ("23", "VAT"), "RO": ("21", "VAT"), "SE": ("25", "VAT"), "SG": ("9", "GST"), "SI": ("22", "VAT"),
    "SK": ("23", "VAT"),
}  # fmt: skip
STATES = {"NY": "4", "PA": "6", "TX": "6.25", "WA": "6.5"}


def located(customer: Object) -> bool:
    """Is it known where the customer is?"""
    return bool((customer["address"] or {}).get("country"))


def require_location(customer: Object, updates_address: bool = False) -> None:
    """Raises StripeError when automatic tax could not be calculated."""
    if not located(customer) and not updates_address:
        raise StripeError(
            "The customer's location isn't recognized. Set a valid customer address in order to automatically calculate tax.",
            "customer_tax_location_invalid",
            "automatic_tax",
        )


def rate(store: Store, customer: Object) -> tuple[Decimal, str, str, str]:
    """Percent, name, country, and Stripe's reason (taxability_reason) for the customer."""
    address = customer["address"] or {}
    country = (address.get("country") or "").upper()
    if customer["tax_exempt"] == "exempt":
        return Decimal(0), "VAT", country, "customer_exempt"
    # Businesses elsewhere account for the tax themselves.
    if customer["tax_exempt"] == "reverse" or (country in RATES and store.all("tax_id", customer["id"])):
        return Decimal(0), RATES.get(country, ("0", "VAT"))[1], country, "reverse_charge"
    if country == "US":
        percent = STATES.get((address.get("state") or "").upper(), "0")
        return Decimal(percent), "Sales Tax", country, "standard_rated" if percent != "0" else "not_collecting"
    if country not in RATES:
        return Decimal(0), "VAT", country, "not_supported"
    percent, name = RATES[country]
    return Decimal(percent), name, country, "standard_rated"


def part(amount: int, percent: Decimal, inclusive: bool) -> int:
    """The tax on an amount in cents, or in it: rounded half up to whole cents."""
    share = percent / (100 + percent) if inclusive else percent / 100
    return int((amount * share).quantize(Decimal(1), ROUND_HALF_UP))


def lines(store: Store, customer: Object, found: list[Object]) -> list[Object]:
    """The lines with `taxes`. Prices that do not say are without tax."""
    percent, name, country, reason = rate(store, customer)
    kind = _rate_object(store, percent, name, country) if percent else None
    for line in found:
        inclusive = line["sandbox_tax_behavior"] == "inclusive"
        one: dict[str, Any] = {
            "amount": part(line["amount"], percent, inclusive),
            "tax_behavior": "inclusive" if inclusive else "exclusive",
            "tax_rate_details": {"tax_rate": kind} if kind else None,
            "taxability_reason": reason,
            "taxable_amount": line["amount"],
            "type": "tax_rate_details",
        }
        line["taxes"] = [one]
    return found


def _rate_object(store: Store, percent: Decimal, name: str, country: str) -> str:
    """The id of the tax rate object of the percentage, made at its first use."""
    for known in store.all("tax_rate"):
        if (known["country"], Decimal(known["sandbox_percent"])) == (country, percent):
            return str(known["id"])
    body = {
        "active": True,
        "country": country,
        "description": None,
        "display_name": name,
        "effective_percentage": float(percent),
        "flat_amount": None,
        "inclusive": False,
        "jurisdiction": country,
        "jurisdiction_level": "country",
        "metadata": {},
        "percentage": float(percent),
        "rate_type": "percentage",
        "sandbox_percent": str(percent),
        "state": None,
        "tax_type": name.lower().replace(" ", "_"),
    }
    return str(store.create("tax_rate", "txr", body)["id"])


def totals(found: list[Object]) -> list[Object]:
    """`total_taxes` of an invoice: the lines' taxes, summed by rate."""
    sums: dict[Any, Object] = {}
    for line in found:
        for one in line["taxes"]:
            key = (str(one["tax_rate_details"]), one["tax_behavior"], one["taxability_reason"])
            if key in sums:
                sums[key]["amount"] += one["amount"]
                sums[key]["taxable_amount"] += one["taxable_amount"]
            else:
                sums[key] = dict(one)
    return list(sums.values())
