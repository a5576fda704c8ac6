"""Datasets: tables that a workspace brought. Runs: executions of a recipe, each ending in a version. Searches: many runs."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class DatasetState(models.TextChoices):
    """Where a dataset is; transitions are in datasets.py."""

    UPLOADING = "uploading", _("being uploaded")
    CHECKING = "checking", _("being checked")
    READY = "ready", _("ready")
    REFUSED = "refused", _("refused")


def _dataset_id() -> str:
    return ids.make("ds")


class Dataset(models.Model):
    """A table that a workspace uploaded; the file lies in the data folder by its id."""

    id = models.CharField(primary_key=True, max_length=40, default=_dataset_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="datasets")
    name = models.CharField(_("name"), max_length=120)
    form = models.CharField(_("format"), max_length=10)  # a name in recipes.datasets.reading.FORMS
    size = models.PositiveBigIntegerField(_("bytes"))
    file_id = models.CharField(
        max_length=40, blank=True, default="", db_default=""
    )  # of the upload that it was made of
    sha256 = models.CharField(max_length=64, blank=True)
    state = models.CharField(_("state"), max_length=10, choices=DatasetState.choices, default=DatasetState.UPLOADING)
    refused = models.JSONField(_("why it was refused"), null=True)  # a reason of refusals.REASONS and its values
    rows = models.PositiveIntegerField(_("rows"), default=0)
    profile = models.JSONField(_("profile"), default=dict)  # recipes.datasets.profile.profile
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("dataset")
        verbose_name_plural = _("datasets")
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="datasets_of_a_workspace"),
            models.Index(
                fields=["created_at"], condition=Q(state__in=["uploading", "checking"]), name="datasets_to_check"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class RunState(models.TextChoices):
    """Where a run is; transitions are in runs.py."""

    VALIDATING = "validating", _("being checked")  # its dataset is; see finetuning.py
    QUEUED = "queued", _("queued")
    RUNNING = "running", _("training")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")


TO_DO = (RunState.VALIDATING, RunState.QUEUED, RunState.RUNNING)


def _run_id() -> str:
    return ids.make("run")


def _search_id() -> str:
    return ids.make("srch")


class Search(models.Model):
    """Runs on one dataset that differ in their knobs, within one budget; see searching.py. Its state is that of its runs."""

    id = models.CharField(primary_key=True, max_length=40, default=_search_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="searches")
    table = models.ForeignKey("Dataset", null=True, on_delete=models.SET_NULL, related_name="searches")
    dataset = models.CharField(_("dataset"), max_length=200)
    recipe = models.CharField(_("recipe"), max_length=40)
    asked = models.JSONField(_("what shall be learnt"), default=dict)  # as a run's
    grid = models.JSONField(_("values of each knob"), default=dict)
    budget_s = models.PositiveIntegerField(_("most seconds of compute"))  # of all runs together
    winner = models.OneToOneField("Run", null=True, on_delete=models.SET_NULL, related_name="won")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("search")
        verbose_name_plural = _("searches")
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="searches_of_a_workspace"),
            models.Index(fields=["created_at"], condition=Q(ended_at=None), name="searches_to_end"),
        ]

    def __str__(self) -> str:
        return f"{self.recipe} on {self.dataset}"


class Run(models.Model):
    """One execution of a recipe. The row is the truth; a message only wakes whoever takes it."""

    id = models.CharField(primary_key=True, max_length=40, default=_run_id, editable=False)
    # A starter's run has its model from the beginning and pays nothing; a workspace's has one once it is published.
    model = models.ForeignKey("Model", null=True, blank=True, on_delete=models.PROTECT, related_name="runs")
    workspace = models.ForeignKey("accounts.Workspace", null=True, on_delete=models.PROTECT, related_name="runs")
    table = models.ForeignKey("Dataset", null=True, on_delete=models.SET_NULL, related_name="runs")
    search = models.ForeignKey("Search", null=True, on_delete=models.PROTECT, related_name="runs")
    asked = models.JSONField(_("what shall be learnt"), default=dict, db_default={})  # target, task, leave_out, folds
    wanted = models.JSONField(_("the version it shall become by itself"), null=True)  # see finetuning.py
    budget_s = models.PositiveIntegerField(_("most seconds of compute"), default=0, db_default=0)
    price_id = models.CharField(_("price"), max_length=40, blank=True, default="", db_default="")
    factor_bp = models.PositiveIntegerField(_("share of the list price"), default=10_000, db_default=10_000)
    used_ms = models.PositiveIntegerField(_("milliseconds of compute"), default=0, db_default=0)
    cost_nanos = models.BigIntegerField(_("cost"), default=0, db_default=0)
    charged_at = models.DateTimeField(_("charged"), null=True)
    cancel_asked = models.BooleanField(default=False, db_default=False)
    outcome = models.JSONField(_("outcome"), null=True)  # recipes.recipe.Outcome as JSON
    log = models.JSONField(
        _("log"), default=list, db_default=[]
    )  # [ISO time, phase, epoch, loss, metric], the last ones
    recipe = models.CharField(_("recipe"), max_length=40)
    dataset = models.CharField(_("dataset"), max_length=200)
    params = models.JSONField(_("parameters"), default=dict)
    state = models.CharField(_("state"), max_length=10, choices=RunState.choices, default=RunState.QUEUED)
    progress = models.JSONField(_("progress"), default=dict)  # the last marketplace.training.recipes.recipe.Progress
    curve = models.JSONField(_("curve"), default=list)  # one point an epoch
    purged_at = models.DateTimeField(_("removed"), null=True)  # its model, unpublished: see keeping.py
    version = models.OneToOneField("Version", null=True, on_delete=models.PROTECT, related_name="run")
    error = models.CharField(_("error"), max_length=500, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True)  # a running run whose trainer fell silent is taken over
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    started_at = models.DateTimeField(_("started"), null=True)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("training run")
        verbose_name_plural = _("training runs")
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="runs_to_do"),
            models.Index(fields=["workspace", "-created_at"], name="runs_of_a_workspace"),
            models.Index(
                fields=["ended_at"],
                condition=Q(charged_at=None) & ~Q(price_id="") & ~Q(ended_at=None),
                name="runs_to_charge",
            ),
            models.Index(
                fields=["ended_at"],
                condition=Q(state="succeeded", version=None, purged_at=None),
                name="runs_to_purge",
            ),
            models.Index(fields=["created_at"], condition=Q(state="validating"), name="runs_to_validate"),
        ]

    def __str__(self) -> str:
        return f"{self.recipe} for {self.model or self.dataset}"

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.state not in TO_DO
