"""Prices: versioned and immutable, so that every usage event can name the rate it was priced at."""

from __future__ import annotations

from typing import Any

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _price_id() -> str:
    return ids.make("price")


class Price(models.Model):
    """What a product costs by the unit. `rates`: unit name → nano-dollars per million units."""

    id = models.CharField(primary_key=True, max_length=40, default=_price_id, editable=False)
    product = models.CharField(_("product"), max_length=100)  # a model's id: billing knows no catalog
    version = models.PositiveIntegerField(_("version"))
    rates = models.JSONField(_("rates"))
    created_at = models.DateTimeField(_("since"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("price")
        verbose_name_plural = _("prices")
        constraints = [models.UniqueConstraint(fields=["product", "version"], name="one_price_a_version")]

    def __str__(self) -> str:
        return f"{self.product} v{self.version}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A price never changes: publish the next version.")
        super().save(*args, **kwargs)
