"""Reviews: what people who used a model say of it."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids

MOST_STARS = 5


def _review_id() -> str:
    return ids.make("rev")


class Review(models.Model):
    """One person's stars and words for one model."""

    id = models.CharField(primary_key=True, max_length=40, default=_review_id, editable=False)
    model = models.ForeignKey("Model", on_delete=models.CASCADE, related_name="+")
    author = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    stars = models.PositiveSmallIntegerField(
        _("stars"), validators=[MinValueValidator(1), MaxValueValidator(MOST_STARS)]
    )
    text = models.TextField(_("review"), max_length=2_000, blank=True)
    version = models.PositiveIntegerField(_("version"), null=True)  # the live one when it was written
    hidden = models.BooleanField(_("hidden"), default=False, help_text=_("Shown to its author alone, and not counted."))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    changed_at = models.DateTimeField(_("changed"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("review")
        verbose_name_plural = _("reviews")
        constraints = [
            models.UniqueConstraint(fields=["model", "author"], name="one_review_a_person"),
            models.CheckConstraint(condition=Q(stars__gte=1, stars__lte=MOST_STARS), name="stars_are_one_to_five"),
        ]
        indexes = [models.Index(fields=["model", "-changed_at"], name="reviews_of_a_model")]

    def __str__(self) -> str:
        return f"{self.model}: {self.stars}"
