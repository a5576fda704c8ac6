"""Models are narrowed to those that know a language, which is called as its speakers call it."""

from __future__ import annotations

import pytest
from django.test import Client

from marketplace.catalog.languages import native, spoken
from marketplace.catalog.models import Model
from marketplace.training.seeds import seed_starters
from marketplace.training.starters.registry import STARTERS
from portal.accounts.models import Workspace
from tests.marketplace.catalog.listed import found, model, names


@pytest.mark.parametrize(
    ("code", "name"),
    [("en", "English"), ("de", "Deutsch"), ("zh", "中文"), ("fr", "Français"), ("ja", "日本語"), ("xx-unknown", "xx-unknown")],
)  # fmt: skip
def test_a_language_has_its_own_name(code: str, name: str) -> None:
    assert native(code) == name
    assert spoken(f"{code} en") == f"{name}, English"


@pytest.mark.django_db(transaction=True)
def test_starters_are_narrowed_by_the_languages_that_they_declare(client: Client) -> None:
    mercato = Workspace.objects.create(slug="mercato", name="Mercato")
    seed_starters(mercato)
    choices = {choice.value: choice for choice in found().facets["language"]}
    assert choices["en"].count == sum("en" in starter.languages for starter in STARTERS)
    assert (choices["de"].label, choices["zh"].label) == ("Deutsch", "中文")
    assert len(choices) >= 27, "none is cut off"
    assert set(names(language=["de"])) == {starter.name for starter in STARTERS if "de" in starter.languages}
    page = client.get("/models?language=zh").text
    assert "中文" in page
    assert "mercato/translator" not in page
    assert "Deutsch" in client.get("/models/mercato/translator").text


@pytest.mark.django_db(transaction=True)
def test_seeding_again_tells_an_older_installation_what_a_starter_does_and_knows() -> None:
    mercato = Workspace.objects.create(slug="mercato", name="Mercato")
    model("sentiment", "text-classification", publisher="mercato", title="Kept as it is")
    seed_starters(mercato)
    now = Model.objects.get(publisher=mercato, name="sentiment")
    assert (now.task, now.languages, now.title) == ("sentiment-analysis", "en", "Kept as it is")
