"""Golden sets: a workspace's own examples with what is right, and the runs of models on them. Rows are the truth."""

from __future__ import annotations

import secrets

from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from inference.later.answer_field import AnswerField
from portal.kit import ids


def _set_id() -> str:
    return ids.make("gold")


def _run_id() -> str:
    return ids.make("grun")


def new_token() -> str:
    """What a shared link ends in: nobody guesses it."""
    return secrets.token_urlsafe(24)


class GoldenSet(models.Model):
    """Examples of a task, as they were uploaded; they do not change."""

    id = models.CharField(primary_key=True, max_length=40, default=_set_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=120)
    task = models.CharField(_("task"), max_length=40)  # a name in marketplace.tasks.registry
    slices = models.JSONField(default=list)  # names of the columns by which results are told apart
    size = models.PositiveIntegerField(_("examples"))
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("golden set")
        verbose_name_plural = _("golden sets")
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"], name="golden_sets_of_a_workspace")]

    def __str__(self) -> str:
        return self.name


class Example(models.Model):
    """An input and what is right for it."""

    golden_set = models.ForeignKey(GoldenSet, on_delete=models.CASCADE, related_name="examples")
    number = models.PositiveIntegerField()  # from 1
    input = models.JSONField()
    expected = models.JSONField()
    slices = models.JSONField(default=dict)  # name → value

    class Meta:
        verbose_name = _("example of a golden set")
        verbose_name_plural = _("examples of golden sets")
        constraints = [models.UniqueConstraint(fields=["golden_set", "number"], name="one_golden_example_a_number")]

    def __str__(self) -> str:
        return f"{self.golden_set_id} {self.number}"


class GoldenState(models.TextChoices):
    """The life of a run."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("running")
    COMPLETED = "completed", _("completed")
    STOPPED = "stopped", _("stopped")  # by its ceiling, or for want of budget; what was answered is judged
    CANCELED = "canceled", _("canceled")


OPEN = (GoldenState.QUEUED, GoldenState.RUNNING)


class GoldenRun(models.Model):
    """Models asked for every example of a set, for so much money at most."""

    id = models.CharField(primary_key=True, max_length=40, default=_run_id, editable=False)
    golden_set = models.ForeignKey(GoldenSet, on_delete=models.CASCADE, related_name="runs")
    key_id = models.CharField(max_length=40)  # that calls the models
    versions = models.JSONField()  # publisher/name@version, in the order of the columns
    state = models.CharField(_("state"), max_length=10, choices=GoldenState.choices, default=GoldenState.QUEUED)
    why = models.CharField(max_length=20, blank=True)  # it was stopped: a word of runs.WHY
    ceiling_nanos = models.BigIntegerField(_("at most"))
    most_nanos = models.BigIntegerField()  # what it could cost, as was worked out before it began
    cost_nanos = models.BigIntegerField(_("cost"), default=0)
    results = models.JSONField(null=True)  # see scoring.py
    token = models.CharField(max_length=40, null=True, unique=True)  # of the shared link; None: not shared  # noqa: DJ001 – unique but where it is none
    shows_inputs = models.BooleanField(default=False)  # to those who have the link
    cancel_asked = models.BooleanField(default=False)
    leased_until = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("run of a golden set")
        verbose_name_plural = _("runs of golden sets")
        indexes = [
            models.Index(fields=["golden_set", "-created_at", "-id"], name="runs_of_a_golden_set"),
            models.Index(
                fields=["created_at"], condition=models.Q(state__in=["queued", "running"]), name="golden_runs_to_do"
            ),
        ]

    def __str__(self) -> str:
        return self.pk

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state not in OPEN


class GoldenAnswer(models.Model):
    """What a model of a run says to an example."""

    run = models.ForeignKey(GoldenRun, on_delete=models.CASCADE, related_name="answers")
    number = models.PositiveIntegerField()  # of the example
    column = models.PositiveSmallIntegerField()  # of the model among the run's
    status = models.PositiveSmallIntegerField(null=True)  # 200, or that of the refusal; None: to do
    said = AnswerField(null=True)  # as the task's judge keeps it; of a refusal its message
    attempts = models.PositiveSmallIntegerField(default=0)
    cost_nanos = models.BigIntegerField(default=0)
    latency_ms = models.PositiveIntegerField(null=True)

    class Meta:
        verbose_name = _("answer of a run")
        verbose_name_plural = _("answers of runs")
        constraints = [
            models.UniqueConstraint(fields=["run", "number", "column"], name="one_golden_answer_a_model_and_example")
        ]
        indexes = [
            models.Index(
                fields=["run", "number", "column"], condition=models.Q(status=None), name="golden_answers_to_do"
            )
        ]

    def __str__(self) -> str:
        return f"{self.run_id} {self.number}.{self.column}"
