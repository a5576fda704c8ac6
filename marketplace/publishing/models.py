"""Imports: models that an operator asked for in the console. Submissions: models that publishers sent, and their evidence."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


class ImportState(models.TextChoices):
    """Where an import is; transitions are in imports.py."""

    QUEUED = "queued", _("queued")
    RUNNING = "running", _("being brought in")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")


def _import_id() -> str:
    return ids.make("imp")


class Import(models.Model):
    """One model to be brought in. The row is the truth; a message only wakes whoever takes it."""

    id = models.CharField(primary_key=True, max_length=40, default=_import_id, editable=False)
    slug = models.CharField(
        _("model"), max_length=130, help_text=_("publisher/name; a model that is there gets its next version")
    )
    task = models.CharField(_("task"), max_length=40)  # a name in marketplace.tasks.registry
    engine = models.CharField(_("engine"), max_length=20)
    source = models.CharField(_("source"), max_length=500)
    options = models.JSONField(_("options"), default=dict, blank=True)  # as marketplace.catalog.models.Version's
    price = models.TextField(_("price"), blank=True)  # lines of UNIT=USD; empty: the model's stays
    confirmed = models.BooleanField(_("unusual price confirmed"), default=False)
    state = models.CharField(_("state"), max_length=10, choices=ImportState.choices, default=ImportState.QUEUED)
    version = models.OneToOneField("Version", null=True, on_delete=models.PROTECT, related_name="+")
    error = models.CharField(_("error"), max_length=500, blank=True)
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True)
    asked_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        indexes = [
            models.Index(fields=["created_at"], condition=Q(state__in=["queued", "running"]), name="imports_to_do")
        ]

    def __str__(self) -> str:
        return self.slug


class SubmissionState(models.TextChoices):
    """Where a submission is; transitions are in review.py."""

    UPLOADING = "uploading", _("being uploaded")
    QUEUED = "queued", _("queued")
    INSPECTING = "inspecting", _("being inspected")
    REHEARSING = "rehearsing", _("rehearsing")
    PASSED = "passed", _("ready to be published")
    FAILED = "failed", _("did not pass")
    PUBLISHED = "published", _("published")
    WITHDRAWN = "withdrawn", _("withdrawn")


def _submission_id() -> str:
    return ids.make("sub")


class Submission(models.Model):
    """A model that a publisher sent, until it is a version. Its file and folder lie in the data folder by its id."""

    id = models.CharField(primary_key=True, max_length=40, default=_submission_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="submissions")
    name = models.CharField(_("name"), max_length=60)  # a model's, in the workspace's own namespace
    task = models.CharField(_("task"), max_length=40)  # a name in marketplace.tasks.registry
    title = models.CharField(_("title"), max_length=120)
    summary = models.CharField(_("summary"), max_length=300, blank=True)
    card = models.TextField(_("model card"), blank=True)
    licence = models.CharField(_("licence"), max_length=60, blank=True)
    price = models.TextField(_("price"), blank=True)  # lines of UNIT=USD; empty: the model's stays
    notes = models.TextField(_("what changed"), blank=True)
    labels = models.JSONField(_("labels"), default=list)  # of a classifier, in the order of its scores
    golden = models.JSONField(_("examples"), default=list)  # {"input", "expected"} each
    file = models.CharField(_("file"), max_length=40)  # the name that its form tells: model.zip
    size = models.PositiveBigIntegerField(_("bytes"))
    state = models.CharField(
        _("state"), max_length=10, choices=SubmissionState.choices, default=SubmissionState.UPLOADING
    )
    place = models.CharField(max_length=200, blank=True)  # its folder under settings.MODELS_DIR, once rehearsed
    spec = models.JSONField(_("specification"), default=dict)
    suggested = models.TextField(_("suggested price"), blank=True)  # lines of UNIT=USD
    version = models.OneToOneField("Version", null=True, on_delete=models.PROTECT, related_name="submission")
    attempts = models.PositiveIntegerField(_("attempts"), default=0)
    leased_until = models.DateTimeField(null=True)  # a rehearsal whose worker fell silent is taken over
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)
    ended_at = models.DateTimeField(_("ended"), null=True)

    class Meta:
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        indexes = [
            models.Index(fields=["workspace", "-created_at"], name="submissions_of_a_workspace"),
            models.Index(
                fields=["created_at"],
                condition=Q(state__in=["uploading", "queued", "inspecting", "rehearsing"]),
                name="submissions_to_do",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def over(self) -> bool:
        """Whether nothing of it happens by itself any more."""
        return self.state not in ("queued", "inspecting", "rehearsing")


class Status(models.TextChoices):
    """How a check ended."""

    PASSED = "passed", _("passed")
    WARNED = "warned", _("worth a look")
    FAILED = "failed", _("failed")
    SKIPPED = "skipped", _("skipped")


class Evidence(models.Model):
    """How one check of a submission ended; what it says is in evidence.py."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="evidence")
    check_name = models.CharField(_("check"), max_length=20)  # a name in evidence.CHECKS
    status = models.CharField(_("status"), max_length=10, choices=Status.choices)
    figure = models.CharField(_("figure"), max_length=60, blank=True)
    reason = models.CharField(max_length=20)  # of the check's sentences
    values = models.JSONField(default=dict)  # that the sentence needs
    made_at = models.DateTimeField(_("made"), default=timezone.now)

    class Meta:
        verbose_name = _("evidence")
        verbose_name_plural = _("evidence")
        constraints = [models.UniqueConstraint(fields=["submission", "check_name"], name="one_evidence_a_check")]

    def __str__(self) -> str:
        return f"{self.check_name}: {self.status}"
