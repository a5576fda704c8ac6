"""The kinds of accounts in the book."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class AccountKind(models.TextChoices):
    """What an account holds. A workspace has the first five; the platform has one of each of the rest."""

    PROMO = "promo", _("promotional credit")
    CREDIT = "credit", _("credit")
    RECEIVABLE = "receivable", _("receivable")
    HOLDS = "holds", _("holds")
    PAYABLE = "payable", _("publisher payable")
    REVENUE = "revenue", _("revenue")
    MARKETING = "marketing", _("promotions given")
    CLEARING = "clearing", _("Stripe clearing")
    REFUNDS = "refunds", _("refunds")
    TAXES = "taxes", _("taxes collected")
    ADJUSTMENTS = "adjustments", _("adjustments")
    FEES = "fees", _("Stripe's fees")
    BANK = "bank", _("our bank")


OF_WORKSPACE = (
    AccountKind.PROMO,
    AccountKind.CREDIT,
    AccountKind.RECEIVABLE,
    AccountKind.HOLDS,
    AccountKind.PAYABLE,
)
IN_LOTS = (AccountKind.PROMO, AccountKind.CREDIT)
