"""What is promised of a model, and how each day went."""

from __future__ import annotations

from typing import Any

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

ALL_BP = 10_000  # hundredths of a percent


def _share(words: Any, **options: Any) -> models.PositiveIntegerField:  # type: ignore[type-arg] # stubs want both types
    return models.PositiveIntegerField(words, validators=[MaxValueValidator(ALL_BP)], **options)


class Objective(models.Model):
    """A published promise about a model: what a day must be like, and what is credited where it was not.

    Never changed: the next one takes its place from the day that it begins.
    """

    model = models.CharField(_("model"), max_length=100)  # publisher/name, as usage events say it
    starts_on = models.DateField(_("holds from"))
    uptime_bp = _share(_("answered, at least"), null=True, blank=True, help_text=_("In 1/100 %: 9990 is 99.9 %."))
    p95_ms = models.PositiveIntegerField(
        _("95 of 100 answers within"), null=True, blank=True, validators=[MinValueValidator(1)], help_text=_("In ms.")
    )
    empty_bp = _share(_("empty answers, at most"), null=True, blank=True, help_text=_("In 1/100 %."))
    credit_bp = _share(_("credited"), help_text=_("Of what the model cost on a day that broke it, in 1/100 %."))
    least_requests = models.PositiveIntegerField(
        _("counts from"), default=100, help_text=_("Requests a day; fewer say too little.")
    )
    created_at = models.DateTimeField(_("published"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("service objective")
        verbose_name_plural = _("service objectives")
        constraints = [
            models.UniqueConstraint(fields=["model", "starts_on"], name="one_objective_a_day"),
            models.CheckConstraint(
                condition=~Q(uptime_bp=None, p95_ms=None, empty_bp=None), name="an_objective_promises_something"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.model} · {self.starts_on}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("An objective never changes: publish the next one.")
        super().save(*args, **kwargs)


class Day(models.Model):
    """How a model did on one day (UTC), against what was promised. Written once, with the credits that it led to."""

    objective = models.ForeignKey(
        Objective,
        on_delete=models.PROTECT,
        related_name="days",
        verbose_name=_("objective"),
    )
    day = models.DateField(_("day"))
    requests = models.PositiveIntegerField(_("requests"))
    failed = models.PositiveIntegerField(_("failed"))
    empty = models.PositiveIntegerField(_("empty"))
    p95_ms = models.PositiveIntegerField(_("95 of 100 within"), null=True)
    broken = models.CharField(_("broken"), max_length=60, blank=True)  # names of measures, separated by spaces
    workspaces = models.PositiveIntegerField(_("workspaces credited"), default=0)
    credited_nanos = models.BigIntegerField(_("credited"), default=0)

    class Meta:
        verbose_name = _("day of an objective")
        verbose_name_plural = _("days of objectives")
        constraints = [models.UniqueConstraint(fields=["objective", "day"], name="one_judgement_a_day")]

    def __str__(self) -> str:
        return f"{self.objective.model} {self.day}: {self.broken or 'kept'}"
