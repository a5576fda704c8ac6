"""/v1/files: uploads for batches, and what batches wrote."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.http import FileResponse, HttpResponse
from rest_framework.request import Request

from inference.api.openai import listing
from inference.api.view import FieldInvalid, PredictionView
from inference.later import files
from inference.later.models import File
from portal.accounts.wire.answers import json_answer
from portal.accounts.wire.text import check_form

PAGE, MOST_LISTED = 1_000, 10_000


class Files(PredictionView):
    """The workspace's files."""

    most_bytes = settings.FILE_MAX_BYTES + 64 * 1024

    def get(self, request: Request) -> HttpResponse:
        query = request.query_params
        found = File.objects.filter(workspace_id=self.caller.workspace_id)
        if query.get("purpose"):
            found = found.filter(purpose=query["purpose"])
        return json_answer(
            listing.page(listing.by_time(found, query), listing.limit_of(query, PAGE, MOST_LISTED), shown)
        )

    def post(self, request: Request) -> HttpResponse:
        """Uploads a file of requests for a batch."""
        check_form(request._request)
        form = request._request.POST
        unknown = next((name for name in form if name != "purpose"), None)
        if unknown is not None:  # expires_after[…], for one: files stay until they are deleted
            raise FieldInvalid(f"{unknown[:60]} is not carried here: leave it out.", param=f"/{unknown[:60]}")
        purpose, upload = form.get("purpose"), request._request.FILES.get("file")
        if purpose not in files.PURPOSES:
            raise FieldInvalid(f"purpose is one of {', '.join(files.PURPOSES)}.", param="/purpose")
        if not isinstance(upload, UploadedFile):
            raise FieldInvalid("Add the file as a part named file.", param="/file")
        file = files.keep(self.caller.workspace_id, upload.name or "file", str(purpose), upload.chunks())
        return json_answer(shown(file))


class OneFile(PredictionView):
    """What is known of a file."""

    def get(self, request: Request, file_id: str) -> HttpResponse:
        return json_answer(shown(files.of(self.caller.workspace_id, file_id)))

    def delete(self, request: Request, file_id: str) -> HttpResponse:
        """Deletes a file."""
        files.delete(files.of(self.caller.workspace_id, file_id))
        return json_answer({"id": file_id, "object": "file", "deleted": True})


class FileContent(PredictionView):
    """The file itself."""

    def get(self, request: Request, file_id: str) -> FileResponse:
        path = files.path_of(files.of(self.caller.workspace_id, file_id))
        if not path.is_file():
            raise files.FileMissing("This file was deleted.")
        return FileResponse(path.open("rb"), content_type="application/octet-stream")


def shown(file: File) -> dict[str, Any]:
    """A FileObject."""
    return {
        "id": file.pk,
        "object": "file",
        "bytes": file.size,
        "created_at": int(file.created_at.timestamp()),
        "filename": file.name,
        "purpose": file.purpose,
        "status": "processed",
    }
