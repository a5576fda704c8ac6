"""What is answered later: predictions, webhooks about them, files and batches. Rows are the truth, messages only wake."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

from inference.later.answer_field import AnswerField
from portal.kit import ids


def _prediction_id() -> str:
    return ids.make("pred")


def _endpoint_id() -> str:
    return ids.make("hook")


def _message_id() -> str:
    return ids.make("msg")


def _file_id() -> str:
    return ids.make("file")


def _batch_id() -> str:
    return ids.make("batch")


class State(models.TextChoices):
    """The life of a prediction."""

    STARTING = "starting", _("starting")
    PROCESSING = "processing", _("processing")
    SUCCEEDED = "succeeded", _("succeeded")
    FAILED = "failed", _("failed")
    CANCELED = "canceled", _("canceled")  # by its owner; what it used is billed
    ABORTED = "aborted", _("aborted")  # its time ran out; nothing is billed


ENDED = (State.SUCCEEDED, State.FAILED, State.CANCELED, State.ABORTED)


class Prediction(models.Model):
    """A prediction that a worker makes. Its input and output are kept for settings.PREDICTION_KEPT_S only."""

    id = models.CharField(primary_key=True, max_length=40, default=_prediction_id, editable=False)
    workspace_id = models.CharField(max_length=40)
    key_id = models.CharField(max_length=40)
    model = models.CharField(_("model"), max_length=140)  # publisher/name[@version]
    state = models.CharField(_("state"), max_length=10, choices=State.choices, default=State.STARTING)
    input = models.JSONField()
    output = AnswerField(null=True)
    error = AnswerField(null=True)
    version = models.PositiveIntegerField(null=True)
    units = models.JSONField(default=dict)
    cost_nanos = models.BigIntegerField(default=0)
    most_nanos = models.BigIntegerField(null=True)  # the caller's max_cost
    latency_ms = models.PositiveIntegerField(null=True)
    wishes = models.JSONField(default=dict)  # fallbacks, quote, fault
    webhook = models.URLField(max_length=500, blank=True)
    webhook_events = models.JSONField(default=list)
    attempts = models.PositiveSmallIntegerField(default=0)
    leased_until = models.DateTimeField(null=True)
    cancel_asked = models.BooleanField(default=False)
    deadline = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"))
    started_at = models.DateTimeField(null=True)
    completed_at = models.DateTimeField(null=True)

    class Meta:
        verbose_name = _("prediction")
        verbose_name_plural = _("predictions")
        indexes = [
            models.Index(fields=["workspace_id", "-created_at", "-id"], name="predictions_of_a_workspace"),
            models.Index(
                fields=["created_at"],
                condition=models.Q(state__in=["starting", "processing"]),
                name="predictions_to_do",
            ),
        ]

    def __str__(self) -> str:
        return self.id


class Happening(models.Model):
    """An event of a prediction's stream, numbered from 1, so that a reader who was cut off can go on."""

    prediction = models.ForeignKey(Prediction, on_delete=models.CASCADE, related_name="happenings")
    number = models.PositiveIntegerField()
    kind = models.CharField(max_length=20)
    data = AnswerField()

    class Meta:
        verbose_name = _("event of a prediction")
        verbose_name_plural = _("events of predictions")
        constraints = [models.UniqueConstraint(fields=["prediction", "number"], name="one_event_a_number")]

    def __str__(self) -> str:
        return f"{self.prediction_id} {self.number}"


class Endpoint(models.Model):
    """Where a workspace wants to be told, and the secret that signs it. The one without a URL signs for predictions'."""

    id = models.CharField(primary_key=True, max_length=40, default=_endpoint_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    url = models.URLField(_("address"), max_length=500, blank=True)
    events = models.JSONField(_("events"), default=list)  # empty: all
    secret = models.TextField()  # sealed
    previous_secret = models.TextField(blank=True)  # sealed; signs too …
    previous_until = models.DateTimeField(null=True)  # … until then
    created_at = models.DateTimeField(_("created"))
    disabled_at = models.DateTimeField(_("disabled"), null=True)

    class Meta:
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [
            models.UniqueConstraint(fields=["workspace"], condition=models.Q(url=""), name="one_signer_for_predictions")
        ]

    def __str__(self) -> str:
        return self.url or self.id


class Delivery(models.Model):
    """One message to one address, tried until it is taken. The id is the receiver's key against doubles."""

    id = models.CharField(primary_key=True, max_length=40, default=_message_id, editable=False)
    endpoint = models.ForeignKey(Endpoint, on_delete=models.CASCADE, related_name="deliveries")
    url = models.URLField(max_length=500)
    kind = models.CharField(_("event"), max_length=60)
    payload = AnswerField()
    attempts = models.PositiveSmallIntegerField(default=0)
    next_at = models.DateTimeField(null=True)  # None: taken, or given up
    status = models.PositiveSmallIntegerField(_("last status"), null=True)
    response = models.CharField(_("last answer"), max_length=500, blank=True)
    delivered_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        indexes = [
            models.Index(fields=["next_at"], condition=models.Q(next_at__isnull=False), name="deliveries_to_do"),
            models.Index(fields=["endpoint", "-created_at"], name="deliveries_of_an_endpoint"),
        ]

    def __str__(self) -> str:
        return self.id


class File(models.Model):
    """A file of a workspace, under settings.MEDIA_ROOT by its id."""

    id = models.CharField(primary_key=True, max_length=40, default=_file_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    name = models.CharField(_("name"), max_length=200)
    purpose = models.CharField(_("purpose"), max_length=20)
    size = models.PositiveBigIntegerField(_("bytes"))
    created_at = models.DateTimeField(_("created"))

    class Meta:
        verbose_name = _("file")
        verbose_name_plural = _("files")
        indexes = [models.Index(fields=["workspace", "-created_at"], name="files_of_a_workspace")]

    def __str__(self) -> str:
        return self.name


class Batch(models.Model):
    """Many requests in a file, answered when there is time, at settings.BATCH_PRICE_PERCENT of the price."""

    id = models.CharField(primary_key=True, max_length=40, default=_batch_id, editable=False)
    workspace = models.ForeignKey("accounts.Workspace", on_delete=models.CASCADE, related_name="+")
    key_id = models.CharField(max_length=40)
    endpoint = models.CharField(_("address"), max_length=60)
    state = models.CharField(_("state"), max_length=12, default="validating")
    input_file = models.ForeignKey(File, on_delete=models.PROTECT, related_name="+")
    output_file = models.ForeignKey(File, null=True, on_delete=models.SET_NULL, related_name="+")
    error_file = models.ForeignKey(File, null=True, on_delete=models.SET_NULL, related_name="+")
    errors = models.JSONField(default=list)
    metadata = models.JSONField(default=dict)
    model = models.CharField(_("model"), max_length=140, blank=True)  # of all lines, where it is one
    usage = models.JSONField(null=True)  # of all answers, once there are no more to come
    ceiling_nanos = models.BigIntegerField(null=True)  # the caller's
    most_nanos = models.BigIntegerField(null=True)  # what it can cost, known after validation
    leased_until = models.DateTimeField(null=True)
    times = models.JSONField(default=dict)  # state → Unix time
    created_at = models.DateTimeField(_("created"))
    expires_at = models.DateTimeField(_("expires"))

    class Meta:
        verbose_name = _("batch")
        verbose_name_plural = _("batches")
        indexes = [models.Index(fields=["workspace", "-created_at", "-id"], name="batches_of_a_workspace")]

    def __str__(self) -> str:
        return self.id


class Line(models.Model):
    """One request of a batch and what came of it."""

    batch = models.ForeignKey(Batch, on_delete=models.CASCADE, related_name="lines")
    number = models.PositiveIntegerField()
    custom_id = models.CharField(max_length=512)
    body = models.JSONField()
    attempts = models.PositiveSmallIntegerField(default=0)
    status = models.PositiveSmallIntegerField(null=True)  # of the answer; None: to do
    answer = AnswerField(null=True)
    request_id = models.CharField(max_length=64, blank=True)

    class Meta:
        verbose_name = _("line of a batch")
        verbose_name_plural = _("lines of batches")
        constraints = [models.UniqueConstraint(fields=["batch", "number"], name="one_line_a_number")]
        indexes = [models.Index(fields=["batch", "number"], condition=models.Q(status=None), name="lines_to_do")]

    def __str__(self) -> str:
        return f"{self.batch_id} {self.number}"
