"""Files of a workspace, in the data folder by their ids."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from django.conf import settings
from django.utils import timezone

from inference.later.models import Batch, File
from portal.kit.errors import Problem

PURPOSES = ("batch", "fine-tune")


class FileInvalid(Problem):
    """The upload is no file that can be used."""

    status = 422
    code = "file_invalid"


class FileMissing(Problem):
    """The workspace has no such file."""

    status = 404
    code = "file_not_found"


def keep(
    workspace_id: str,
    name: str,
    purpose: str,
    chunks: Iterable[bytes],
    most_bytes: int | None = settings.FILE_MAX_BYTES,
) -> File:
    """Writes the file and makes it known. What is cut off in the middle is not known, and is written over."""
    file = File(workspace_id=workspace_id, name=name[:200], purpose=purpose, size=0, created_at=timezone.now())
    target = path_of(file)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as out:
        for chunk in chunks:
            out.write(chunk)
            file.size += len(chunk)
            if most_bytes is not None and file.size > most_bytes:
                target.unlink()
                raise FileInvalid(f"The file is larger than {most_bytes // 1024**2} MB.", status=413)
    file.save()
    return file


def of(workspace_id: str, file_id: str) -> File:
    """The workspace's own. Raises FileMissing."""
    found = File.objects.filter(workspace_id=workspace_id, pk=file_id).first()
    if found is None:
        raise FileMissing("There is no such file.")
    return found


def delete(file: File) -> None:
    """Ends the file. Raises FileInvalid (409) while a batch reads it."""
    if (
        Batch.objects.filter(input_file=file)
        .exclude(state__in=("completed", "failed", "cancelled", "expired"))
        .exists()
    ):
        raise FileInvalid("A batch still reads this file.", status=409, code="file_in_use")
    path_of(file).unlink(missing_ok=True)
    if not Batch.objects.filter(input_file=file).exists():
        file.delete()
    else:  # its batches still name it
        File.objects.filter(pk=file.pk).update(size=0)


def path_of(file: File) -> Path:
    """Where it lies."""
    return Path(settings.MEDIA_ROOT) / "files" / file.pk
