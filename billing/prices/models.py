"""Prices: versioned and immutable, so that every usage event can name the rate it was priced at."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from billing.prices.quote import Scheme, tiers_from
from portal.kit import ids


def _price_id() -> str:
    return ids.make("price")


class Price(models.Model):
    """What a product costs by the unit, from `starts_at` until the next version starts. Made by publishing.py.

    Defaults of the database are there for a process of the version before, which does not know these columns.
    """

    id = models.CharField(primary_key=True, max_length=40, default=_price_id, editable=False)
    product = models.CharField(_("product"), max_length=100)  # a model's id: billing knows no catalog
    # Blank: the list price; else the workspace that it was negotiated with.
    workspace_id = models.CharField(_("only for"), max_length=40, blank=True, default="", db_default="")
    version = models.PositiveIntegerField(_("version"))
    rates = models.JSONField(_("rates"))  # unit → nano-dollars per million units
    tiers = models.JSONField(_("tiers"), default=dict, db_default={})  # unit → {"mode", "steps"}: see quote.Tiers
    minimum_nanos = models.BigIntegerField(_("least a request"), default=0, db_default=0)
    starts_at = models.DateTimeField(_("from"), default=timezone.now, db_default=Now())
    ends_at = models.DateTimeField(_("to"), null=True, blank=True)  # of a negotiated price: then the list price holds
    # Until then, who used the product before `starts_at` keeps the version before.
    grandfather_until = models.DateTimeField(_("earlier customers keep theirs until"), null=True, blank=True)
    created_at = models.DateTimeField(_("made"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        indexes = [models.Index(fields=["product", "workspace_id", "starts_at"], name="prices_in_order")]
        constraints = [
            models.UniqueConstraint(fields=["product", "workspace_id", "version"], name="one_price_a_version"),
            models.CheckConstraint(condition=Q(minimum_nanos__gte=0), name="a_minimum_is_not_negative"),
            models.CheckConstraint(
                condition=Q(ends_at=None) | (~Q(workspace_id="") & Q(ends_at__gte=F("starts_at"))),
                name="only_negotiated_prices_end",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.product} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A price never changes: publish the next version.")
        super().save(*args, **kwargs)

    @cached_property
    def scheme(self) -> Scheme:
        """How it makes money of units."""
        return Scheme(self.rates, tiers_from(self.tiers), self.minimum_nanos)
