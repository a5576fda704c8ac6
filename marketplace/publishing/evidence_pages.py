"""/models/{publisher}/{name}/evidence: what the publish gate found of each version, also as a fragment of the model's page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from marketplace.catalog.access import model_of
from marketplace.publishing import evidence
from marketplace.publishing.submission_pages import MARKS


def model_evidence(request: HttpRequest, publisher: str, name: str) -> HttpResponse:
    """The newest versions that came by the gate; the fragment has the newest one alone."""
    model = model_of(request, publisher, name)
    found = evidence.of_model(model)
    for version in found:
        version["checks"] = [{**one, "mark": MARKS[one["status"]]} for one in version["checks"]]
    if request.headers.get("HX-Request"):
        newest = found[0] if found else None
        return render(request, "marketplace/publishing/_model_evidence.html", {"model": model, "version": newest})
    return render(request, "marketplace/publishing/model_evidence.html", {"model": model, "versions": found})
