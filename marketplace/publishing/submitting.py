"""What publishers do with a submission until it is published: begin it, send its file, change its words, take it back."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _

from marketplace.catalog.models import Model
from marketplace.errors import SubmissionInvalid
from marketplace.publishing import particulars, review, suggesting
from marketplace.publishing.imports import UPLOADS
from marketplace.publishing.models import Submission
from marketplace.publishing.models import SubmissionState as State
from marketplace.uploads import parts
from portal.accounts.models import Workspace

WORDS = ("title", "summary", "card", "licence", "price", "notes")  # what can be changed until it is published
UNFINISHED = timedelta(days=2)  # an upload that was begun so long ago is dropped
FORGOTTEN = timedelta(days=30)  # so is what was not published
_ENDED = (State.PUBLISHED, State.WITHDRAWN)


def begin(workspace: Workspace, told: Mapping[str, Any], file: str, size: int) -> Submission:
    """A submission without its bytes. `told`: name, task, labels, golden and WORDS.

    Raises SubmissionInvalid: another kind of file (422), too large (413), too many (409), the name is another task's (409).
    """
    ending = next((one for one in UPLOADS if file.lower().endswith(one)), None)
    if ending is None:
        raise SubmissionInvalid(
            _("Send a .keras file, or a .zip, .tar or .tar.gz of the model's folder."), param="file"
        )
    if size <= 0:
        raise SubmissionInvalid(_("The file is empty."), param="file")
    if size > settings.SUBMISSION_MAX_BYTES:
        raise too_large()
    if workspace.submissions.exclude(state__in=_ENDED).count() >= settings.SUBMISSIONS_MAX:
        raise SubmissionInvalid(
            _("This workspace has %(most)s submissions: publish or withdraw one first.")
            % {"most": settings.SUBMISSIONS_MAX},
            status=409,
        )
    model = Model.objects.filter(publisher=workspace, name=told["name"]).first()
    if model is not None and model.task != told["task"]:
        raise SubmissionInvalid(
            _("%(model)s does something else: choose another name.") % {"model": model.slug}, status=409, param="model"
        )
    golden = told.get("golden") or _golden_before(model)
    submission = Submission.objects.create(
        workspace=workspace, file=f"model{ending}", size=size, **{**told, "golden": golden}
    )
    _check_words(submission)
    parts.begin(path_of(submission))
    return submission


def too_large() -> SubmissionInvalid:
    """The problem of a file over the limit."""
    most = settings.SUBMISSION_MAX_BYTES // 1024**2
    return SubmissionInvalid(_("The file is larger than %(most)s MB.") % {"most": most}, status=413, param="file")


def append(submission: Submission, offset: int, chunks: Iterable[bytes]) -> int:
    """Writes what comes at `offset`; how many bytes are there now. With the last one it is in line. Raises UploadInvalid."""
    if submission.state != State.UPLOADING:
        raise SubmissionInvalid(_("This file is complete."), status=409, details={"received": submission.size})
    there = parts.append(path_of(submission), submission.size, offset, chunks)
    if there == submission.size:
        review.move(submission, State.QUEUED)
    return there


def keep(workspace: Workspace, told: Mapping[str, Any], file: str, size: int, chunks: Iterable[bytes]) -> Submission:
    """A submission that comes in one piece. Raises as `begin` does."""
    submission = begin(workspace, told, file, size)
    append(submission, 0, chunks)
    submission.refresh_from_db()
    return submission


def change(submission: Submission, told: Mapping[str, Any]) -> None:
    """Other WORDS; what is checked of them is checked again, and the rest is not. Raises SubmissionInvalid (409)."""
    with transaction.atomic():
        locked = Submission.objects.select_for_update().get(pk=submission.pk)
        if locked.state in _ENDED:
            raise SubmissionInvalid(_("This submission is over: send the model anew."), status=409)
        for name in WORDS:
            setattr(locked, name, told[name])
        locked.save(update_fields=WORDS)
        _check_words(locked)
        measured = locked.evidence.filter(check_name="price").first()
        if measured is not None and "seconds" in measured.values:
            values = measured.values
            review.write(locked, suggesting.found(locked, float(values["seconds"]), values["units"]))
        if locked.state in (State.PASSED, State.FAILED):
            review.judge_again(locked)


def withdraw(submission: Submission) -> None:
    """Takes it back: its file goes, and its rehearsal ends. Twice does no harm. Raises SubmissionInvalid (409)."""
    if not review.move(submission, State.WITHDRAWN, ended_at=timezone.now(), leased_until=None):
        submission.refresh_from_db()
        if submission.state != State.WITHDRAWN:
            raise SubmissionInvalid(_("It was published: retire the model or the version instead."), status=409)
    clear(submission)
    if submission.place:
        shutil.rmtree(settings.MODELS_DIR / submission.place, ignore_errors=True)


def clear(submission: Submission) -> None:
    """Its file is not needed any more."""
    shutil.rmtree(path_of(submission).parent, ignore_errors=True)


def drop_forgotten(now: datetime) -> None:
    """Withdraws uploads that nobody goes on with, and what nobody published."""
    begun = Q(state=State.UPLOADING, created_at__lt=now - UNFINISHED)
    for submission in Submission.objects.filter(
        begun | Q(state__in=(State.PASSED, State.FAILED), ended_at__lt=now - FORGOTTEN)
    ):
        withdraw(submission)


def path_of(submission: Submission) -> Path:
    """Where its file lies."""
    return Path(settings.MEDIA_ROOT) / "submissions" / submission.pk / submission.file


def received(submission: Submission) -> int:
    """Bytes that are there."""
    return submission.size if submission.state != State.UPLOADING else parts.received(path_of(submission))


def _golden_before(model: Model | None) -> list[Any]:
    """The examples of the model's last version that came with some."""
    published = Submission.objects.filter(version__model=model).exclude(golden=[]).order_by("-version__number")
    last = published.first() if model else None
    return last.golden if last else []


def _check_words(submission: Submission) -> None:
    review.write(submission, particulars.of_licence(submission.licence))
    review.write(submission, particulars.of_card(submission.card))
