"""Where publishers can be paid: countries to which the platform's Stripe account may transfer.

https://docs.stripe.com/connect/cross-border-payouts; Stripe has the last word when the account is made.
"""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

COUNTRIES: dict[str, str | Promise] = {
    "AU": _("Australia"), "AT": _("Austria"), "BE": _("Belgium"), "BR": _("Brazil"), "BG": _("Bulgaria"),
    "CA": _("Canada"), "HR": _("Croatia"), "CY": _("Cyprus"), "CZ": _("Czechia"), "DK": _("Denmark"),
    "EE": _("Estonia"), "FI": _("Finland"), "FR": _("France"), "DE": _("Germany"), "GR": _("Greece"),
    "HK": _("Hong Kong SAR"), "HU": _("Hungary"), "IN": _("India"), "ID": _("Indonesia"), "IE": _("Ireland"),
    "IT": _("Italy"), "JP": _("Japan"), "LV": _("Latvia"), "LI": _("Liechtenstein"), "LT": _("Lithuania"),
    "LU": _("Luxembourg"), "MY": _("Malaysia"), "MT": _("Malta"), "MX": _("Mexico"), "NL": _("Netherlands"),
    "NZ": _("New Zealand"), "NO": _("Norway"), "PL": _("Poland"), "PT": _("Portugal"), "RO": _("Romania"),
    "SG": _("Singapore"), "SK": _("Slovakia"), "SI": _("Slovenia"), "KR": _("South Korea"), "ES": _("Spain"),
    "SE": _("Sweden"), "CH": _("Switzerland"), "TH": _("Thailand"), "AE": _("United Arab Emirates"),
    "GB": _("United Kingdom"), "US": _("United States"),
}  # fmt: skip
