"""What state a model is in, in one word."""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _


class ModelState(models.TextChoices):
    """Live once any version is; else where its latest run is."""

    LIVE = "live", _("live")
    QUEUED = "queued", _("queued")
    TRAINING = "training", _("training")
    FAILED = "failed", _("training failed")
    UNTRAINED = "untrained", _("no version yet")
    GONE = "gone", _("gone")


_OF_RUN = {"queued": ModelState.QUEUED, "running": ModelState.TRAINING, "failed": ModelState.FAILED}


def state_of(has_version: bool, run_state: str | None) -> ModelState:
    """The word for a model with or without a live version, whose latest run is in `run_state`."""
    if has_version:
        return ModelState.LIVE
    return _OF_RUN.get(run_state or "", ModelState.UNTRAINED)
