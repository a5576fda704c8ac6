"""The catalog: models, and the immutable versions under them."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids


def _model_id() -> str:
    return ids.make("mdl")


def _version_id() -> str:
    return ids.make("ver")


NAME = RegexValidator(
    r"^[a-z0-9](?:[a-z0-9._-]{0,58}[a-z0-9])?$",
    _("Use 1 to 60 lower-case letters, digits, dots, hyphens and underscores."),
)


class Visibility(models.TextChoices):
    """Who sees and may call a model, each more people than the one before: see visibility.py."""

    PRIVATE = "private", _("private")
    WORKSPACE = "workspace", _("its workspace only")
    UNLISTED = "unlisted", _("unlisted")
    PUBLIC = "public", _("public")


class Model(models.Model):
    """`publisher/name` in the catalog."""

    id = models.CharField(primary_key=True, max_length=40, default=_model_id, editable=False)
    publisher = models.ForeignKey("accounts.Workspace", on_delete=models.PROTECT, related_name="models")
    name = models.CharField(_("name"), max_length=60, validators=[NAME])
    task = models.CharField(_("task"), max_length=40)  # a name in marketplace.tasks.registry
    title = models.CharField(_("title"), max_length=120)
    summary = models.CharField(_("summary"), max_length=300, blank=True)
    card = models.TextField(_("model card"), blank=True)  # Markdown
    licence = models.CharField(_("licence"), max_length=60, blank=True)
    languages = models.CharField(
        _("languages"), max_length=120, blank=True, default="", db_default="", help_text=_("codes with spaces: en zh")
    )
    visibility = models.CharField(_("visibility"), max_length=10, choices=Visibility.choices, default=Visibility.PUBLIC)
    live_version = models.ForeignKey("Version", null=True, blank=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("model")
        verbose_name_plural = _("models")
        constraints = [models.UniqueConstraint(fields=["publisher", "name"], name="one_model_a_name")]
        indexes = [models.Index(fields=["task"], name="models_of_a_task")]

    def __str__(self) -> str:
        return self.slug

    def save(self, *args: Any, **kwargs: Any) -> None:
        from marketplace.catalog.listings import relist  # it reads these tables

        super().save(*args, **kwargs)
        relist(self.pk)

    @property
    def slug(self) -> str:
        """`publisher/name`; reads the publisher."""
        return f"{self.publisher.slug}/{self.name}"


class Listing(models.Model):
    """What a model is sorted and filtered by: written by listings.py alone, and made again from the rest at any time."""

    NEVER = datetime(1970, 1, 1, tzinfo=UTC)

    model = models.OneToOneField(Model, primary_key=True, on_delete=models.CASCADE, related_name="listing")
    changed_at = models.DateTimeField(default=NEVER)  # the listing, or what the catalog shows of the model
    price_nanos = models.BigIntegerField(default=0)  # of a typical request
    quality = models.FloatField(null=True)  # the task's first metric that was measured; more is better
    percent = models.BooleanField(default=False)  # whether that is a share from 0 to 1
    context_length = models.PositiveIntegerField(default=0)  # tokens; 0: not known
    p50_ms = models.FloatField(null=True)  # of the last days
    requests = models.PositiveBigIntegerField(default=0)  # in the last days
    reviews = models.PositiveIntegerField(default=0, db_default=0)  # that are not hidden
    stars = models.PositiveIntegerField(default=0, db_default=0)  # of all of them together

    class Meta:
        verbose_name = _("listing")
        verbose_name_plural = _("listings")
        indexes = [models.Index(fields=["changed_at"], name="listings_that_changed")]

    def __str__(self) -> str:
        return str(self.pk)


class Meaning(models.Model):
    """What a model's text means to an encoder of sentences: written by meaning.py alone, and made again at any time."""

    model = models.OneToOneField(Model, primary_key=True, on_delete=models.CASCADE, related_name="meaning")
    encoder = models.CharField(max_length=40)  # the version that made it: vectors of different ones do not compare
    digest = models.CharField(max_length=64)  # of the version and the text
    vector = models.BinaryField()  # float16, little-endian, of unit length; empty where the encoder refused the text
    looked_at = models.DateTimeField()  # the listing as it was changed then
    changed_at = models.DateTimeField()

    class Meta:
        verbose_name = _("meaning")
        verbose_name_plural = _("meanings")
        indexes = [models.Index(fields=["changed_at"], name="meanings_that_changed")]

    def __str__(self) -> str:
        return str(self.pk)


class Split(models.Model):
    """A version's share of its model's calls, while a new version is tried on some of them (a canary).

    A model without splits is answered by its live version alone.
    """

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="splits")
    version = models.ForeignKey("Version", on_delete=models.PROTECT, related_name="+")
    weight = models.PositiveIntegerField(_("weight"), help_text=_("calls in proportion to the others'"))

    class Meta:
        verbose_name = _("split")
        verbose_name_plural = _("splits")
        constraints = [models.UniqueConstraint(fields=["model", "version"], name="one_split_a_version")]

    def __str__(self) -> str:
        return f"{self.version}: {self.weight}"


class Version(models.Model):
    """An immutable artifact or upstream under a model."""

    id = models.CharField(primary_key=True, max_length=40, default=_version_id, editable=False)
    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField(_("number"))
    semver = models.CharField(_("semantic version"), max_length=30, default="1.0.0")  # see semver.py
    engine = models.CharField(_("engine"), max_length=20)  # a name in inference.engines.registry
    source = models.CharField(
        _("source"), max_length=500
    )  # a folder, relative to settings.MODELS_DIR, or an upstream's URL
    options = models.JSONField(_("options"), default=dict)  # for the engine: upstream_model, upstream_key_env, …
    spec = models.JSONField(_("specification"), default=dict)  # marketplace.tasks.task.ModelSpec as JSON
    metrics = models.JSONField(_("metrics"), default=dict)  # on the untouched test split: name → value
    notes = models.TextField(_("changes"), blank=True)
    created_at = models.DateTimeField(_("created"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("version")
        verbose_name_plural = _("versions")
        constraints = [
            models.UniqueConstraint(fields=["model", "number"], name="one_version_a_number"),
            models.UniqueConstraint(fields=["model", "semver"], name="one_version_a_semantic_version"),
        ]

    def __str__(self) -> str:
        return f"{self.model} v{self.number}"

    def save(self, *args: Any, **kwargs: Any) -> None:
        if not self._state.adding:
            raise TypeError("A version never changes: publish the next one.")
        super().save(*args, **kwargs)


class Rollback(models.Model):
    """A version that failed clearly more often than the one before it, to which its calls went back by themselves."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="rollbacks")
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="rollbacks")
    to = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="+", verbose_name=_("back to"))
    at = models.DateTimeField(_("time"), default=timezone.now, editable=False)
    asked = models.PositiveIntegerField(_("requests"))
    failed = models.PositiveIntegerField(_("failed"))
    least = models.FloatField(_("at least"))  # of its requests that fail, 0 to 1, as far as these tell
    asked_before = models.PositiveIntegerField(_("requests to the one before"))
    failed_before = models.PositiveIntegerField(_("failed of these"))
    most_before = models.FloatField(_("at most"))

    class Meta:
        verbose_name = _("rollback")
        verbose_name_plural = _("rollbacks")

    def __str__(self) -> str:
        return f"{self.version} → {self.to}"

    @property
    def least_percent(self) -> str:
        """Of `least`, for people: not more than it is."""
        return f"{math.floor(self.least * 1000) / 10:g}"

    @property
    def most_before_percent(self) -> str:
        """Of `most_before`, for people: not less than it is."""
        return f"{math.ceil(self.most_before * 1000) / 10:g}"


class Retirement(models.Model):
    """A model, or one version of it, that will go, and is refused from `ends_at` on."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="retirements")
    version = models.ForeignKey(
        Version,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="+",
        help_text=_("empty: the whole model"),
    )
    announced_at = models.DateTimeField(_("announced"), default=timezone.now, editable=False)
    ends_at = models.DateTimeField(_("goes at"))
    reason = models.CharField(_("reason"), max_length=300, blank=True)
    successor = models.ForeignKey(Model, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        verbose_name = _("retirement")
        verbose_name_plural = _("retirements")
        constraints = [
            models.UniqueConstraint(fields=["model", "version"], name="one_retirement_a_version"),
            models.UniqueConstraint(fields=["model"], condition=Q(version=None), name="one_retirement_a_model"),
        ]

    def __str__(self) -> str:
        return str(self.version or self.model)


class Category(models.TextChoices):
    """Why something is taken down, in a word."""

    RIGHTS = "rights", _("others' rights")
    UNLAWFUL = "unlawful", _("a court, an authority or the law")
    HARM = "harm", _("danger to people")
    SECURITY = "security", _("an attack, or others' data")
    MISLEADING = "misleading", _("its page is not true")
    TERMS = "terms", _("the terms of sale")


class TakeDown(models.Model):
    """A model, or one version of it, that an operator took down: see takedowns.py. A record: it stays when it is lifted."""

    model = models.ForeignKey(Model, on_delete=models.PROTECT, related_name="take_downs", verbose_name=_("model"))
    version = models.ForeignKey(
        Version,
        null=True,
        blank=True,
        on_delete=models.PROTECT,
        related_name="+",
        verbose_name=_("version"),
        help_text=_("empty: the whole model"),
    )
    category = models.CharField(_("category"), max_length=12, choices=Category.choices)
    reason = models.TextField(_("reason"), max_length=1_000, help_text=_("Everybody who may see the model reads it."))
    note = models.TextField(_("note"), max_length=2_000, blank=True, help_text=_("for operators only"))
    taken_at = models.DateTimeField(_("taken down"), default=timezone.now, editable=False)
    taken_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("taken down by"),
    )
    told_at = models.DateTimeField(_("users told"), null=True)
    lifted_at = models.DateTimeField(_("lifted"), null=True)
    lifted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("lifted by")
    )
    lifted_why = models.CharField(_("why it was lifted"), max_length=300, blank=True)

    class Meta:
        verbose_name = _("take-down")
        verbose_name_plural = _("take-downs")
        constraints = [
            models.UniqueConstraint(
                fields=["model", "version"], condition=Q(lifted_at=None), name="a_version_is_taken_down_once"
            ),
            models.UniqueConstraint(
                fields=["model"], condition=Q(lifted_at=None, version=None), name="a_model_is_taken_down_once"
            ),
        ]

    def __str__(self) -> str:
        return str(self.version or self.model)
