"""Publishers: who asked to sell here and what became of it, and who accepted which terms of sale."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from portal.kit import ids

LONGEST = 2_000  # characters of a text


def _application_id() -> str:
    return ids.make("apl")


class ApplicationState(models.TextChoices):
    """How far an application is: see applying.TRANSITIONS."""

    SUBMITTED = "submitted", _("being looked at")
    APPROVED = "approved", _("approved")
    REFUSED = "refused", _("refused")
    WITHDRAWN = "withdrawn", _("withdrawn")
    ENDED = "ended", _("ended")


OPEN = (ApplicationState.SUBMITTED, ApplicationState.APPROVED)


class Application(models.Model):
    """A workspace asks to publish for others. Approved, it is what its publisher's page says of it."""

    id = models.CharField(primary_key=True, max_length=40, default=_application_id, editable=False)
    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.CASCADE, related_name="+", verbose_name=_("workspace")
    )
    state = models.CharField(
        _("state"), max_length=10, choices=ApplicationState.choices, default=ApplicationState.SUBMITTED
    )
    about = models.TextField(_("who you are"), max_length=LONGEST)
    site = models.URLField(_("web site"), max_length=200, blank=True)
    contact = models.EmailField(_("contact"))
    sells = models.TextField(_("what you want to sell"), max_length=LONGEST)
    applied_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("applied by")
    )
    applied_at = models.DateTimeField(_("applied"), default=timezone.now, editable=False)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), null=True)
    reason = models.CharField(_("reason"), max_length=500, blank=True)  # of the latest decision

    class Meta:
        verbose_name = _("publisher's application")
        verbose_name_plural = _("publishers' applications")
        constraints = [
            models.UniqueConstraint(
                fields=["workspace"], condition=Q(state__in=("submitted", "approved")), name="one_open_application"
            )
        ]
        indexes = [models.Index(fields=["workspace", "-applied_at"], name="applications_of_a_workspace")]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.get_state_display()}"


class Acceptance(models.Model):
    """A version of the terms of sale that a workspace accepted: by whom, when. Never changed."""

    workspace = models.ForeignKey(
        "accounts.Workspace", on_delete=models.CASCADE, related_name="+", verbose_name=_("workspace")
    )
    version = models.PositiveIntegerField(_("version of the terms"))
    accepted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+", verbose_name=_("accepted by")
    )
    email = models.EmailField(_("e-mail address"))  # theirs at that time: it stays when the person goes
    accepted_at = models.DateTimeField(_("accepted"), default=timezone.now, editable=False)

    class Meta:
        verbose_name = _("accepted terms")
        verbose_name_plural = _("accepted terms")
        constraints = [models.UniqueConstraint(fields=["workspace", "version"], name="terms_are_accepted_once")]

    def __str__(self) -> str:
        return f"{self.workspace} · {self.version}"
