"""TensorFlow Serving's addresses under /v1/models/{publisher}/{name}. Its errors are {"error": text}."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse
from rest_framework.request import Request

from inference.api.tfserving import wire
from inference.api.view import FieldInvalid, PredictionView
from marketplace.catalog.resolve import Resolved, resolve
from portal.accounts.wire.answers import json_answer
from portal.kit.errors import Problem


class TfServingView(PredictionView):
    """A view whose errors have the interface's shape; code, param and details go beside it."""

    def problem_body(self, problem: Problem) -> dict[str, Any]:
        return {"error": problem.message, "code": problem.code, "param": problem.param, **problem.details}

    def version(self, publisher: str, name: str, version: str, label: str) -> str:
        """publisher/name@number. Raises FieldInvalid for a label that there is not."""
        slug = f"{publisher}/{name}"
        if label == "canary":
            resolved = resolve(slug, self.caller.workspace_id)
            others = [split for split, _ in resolved.splits if split.version_id != resolved.version_id]
            if not others:
                raise FieldInvalid(f"{slug} has no canary.", param="")
            return f"{slug}@{others[-1].number}"
        if label not in ("", "stable"):
            raise FieldInvalid("Labels are stable and canary.", param="")
        return f"{slug}@{version}" if version else slug

    def resolved(self, publisher: str, name: str, version: str = "", label: str = "") -> Resolved:
        """The version that is meant. Raises what the catalog raises."""
        return resolve(self.version(publisher, name, version, label), self.caller.workspace_id)


class Predict(TfServingView):
    """What the model gives for rows or columns of tensors."""

    def post(self, request: Request, publisher: str, name: str, version: str = "", label: str = "") -> HttpResponse:
        body = self.body(request)
        slug = self.version(publisher, name, version, label)
        outcome = self.run(wire.call_of(body, slug, self.caller, self.request_id))
        return self.answer(outcome, wire.response(outcome, body))


class Classify(TfServingView):
    """Labels with their scores for each row."""

    def post(self, request: Request, publisher: str, name: str, version: str = "", label: str = "") -> HttpResponse:
        slug = self.version(publisher, name, version, label)
        if len(self.resolved(publisher, name, version, label).spec.outputs) != 1:
            raise FieldInvalid("This model does not classify: use :predict.", param="")
        outcome = self.run(wire.call_of(self.body(request), slug, self.caller, self.request_id, "examples"))
        return self.answer(outcome, wire.classes(outcome))


class Regress(TfServingView):
    """A number for each row."""

    def post(self, request: Request, publisher: str, name: str, version: str = "", label: str = "") -> HttpResponse:
        slug = self.version(publisher, name, version, label)
        outputs = self.resolved(publisher, name, version, label).spec.outputs
        if len(outputs) != 1 or any(size not in (None, 1) for size in outputs[0].shape):
            raise FieldInvalid("This model does not give one number a row: use :predict.", param="")
        outcome = self.run(wire.call_of(self.body(request), slug, self.caller, self.request_id, "examples"))
        return self.answer(outcome, wire.values(outcome))


class Status(TfServingView):
    """The state of a version."""

    def get(self, request: Request, publisher: str, name: str, version: str = "", label: str = "") -> HttpResponse:
        return json_answer(wire.status(self.resolved(publisher, name, version, label)))


class Metadata(TfServingView):
    """What the signature takes and gives."""

    def get(self, request: Request, publisher: str, name: str, version: str = "") -> HttpResponse:
        return json_answer(wire.metadata(self.resolved(publisher, name, version)))
