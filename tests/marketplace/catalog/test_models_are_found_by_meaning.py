"""With an encoder, models are found that mean what was searched and do not say it: below those that say it, or alone."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as configured
from django.test import Client

from marketplace.catalog import meaning, nearness, shelf
from marketplace.catalog.models import Listing, Meaning, Model
from marketplace.catalog.resolve import forget
from marketplace.catalog.versions import publish
from marketplace.errors import ModelNotReady
from portal import checks
from tests.fixtures import encoders
from tests.fixtures.encoders import Concepts
from tests.marketplace.catalog.listed import found, model, names, shop

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def catalog(concepts: Concepts) -> Concepts:
    """Models whose texts were encoded."""
    model("encoder", "embeddings", publisher="bench")
    model("hearer", summary="Transcribes dictation.")
    model("scanner", summary="Reads receipts.")
    model("gardener", summary="Names plants.", card="# Botany\n\nOf *blossoms*.")
    assert meaning.keep() == 4
    return concepts


def test_a_synonym_finds_a_model_whose_text_lacks_the_word(catalog: Concepts) -> None:
    said = found("speech")
    assert [one.name for one in said.models] == ["hearer"]
    assert said.matched.meant_only
    assert said.total == sum(choice.count for choice in said.facets["task"]) == 1
    page = Client().get("/models?q=speech").text
    assert "No model says it in these words: these mean something near it." in page
    assert "acme/hearer" in page


def test_what_says_it_comes_before_what_means_it_however_much_that_is_used(catalog: Concepts) -> None:
    model("bill-reader", summary="Knows invoices.")
    Listing.objects.filter(model__name="scanner").update(requests=10**9)
    meaning.keep()
    nearness.forget()
    assert names("invoices") == ["bill-reader", "scanner"]
    assert not found("invoices").matched.meant_only
    assert names("invoices", "name") == ["bill-reader"], "in another order stands what says it"


def test_words_that_one_model_has_half_of_count_with_what_they_mean(catalog: Concepts) -> None:
    model("vases", summary="Names things.")
    meaning.keep()
    nearness.forget()
    assert names("names blossoms flowers")[0] == "gardener"


def test_nonsense_finds_nothing_and_names_and_beginnings_are_not_asked_for(catalog: Concepts) -> None:
    assert names("xyzzyqwv") == []
    before = list(catalog.calls)
    assert (names("acme/hearer"), names("he")) == (["hearer"], ["hearer"])
    assert catalog.calls == before


def test_facets_and_visibility_hold(catalog: Concepts) -> None:
    model("secret", summary="Dictation.", visibility="workspace")
    meaning.keep()
    nearness.forget()
    assert names("speech") == ["hearer"]
    assert sorted(names("speech", workspace_id=shop("acme").pk)) == ["hearer", "secret"]
    assert names("speech", task=["chat"]) == []


def test_only_what_changed_is_encoded_again(catalog: Concepts) -> None:
    assert (meaning.keep(), catalog.calls) == (0, [4])
    gardener = Model.objects.get(name="gardener")
    gardener.licence = "MIT"
    gardener.save()
    assert meaning.keep() == 0, "its text is the same"
    gardener.summary = "Reads contracts."
    gardener.save()
    assert (meaning.keep(), catalog.calls) == (1, [4, 1])
    nearness.forget()
    assert names("attorney") == ["gardener"]
    made = Model.objects.create(publisher=shop(), name="short-lived", task="chat", title="Voice")
    assert meaning.keep() == 1
    nearness.forget()
    assert sorted(names("speech")) == ["hearer", "short-lived"]
    made.delete()
    shelf.forget()
    assert names("speech") == ["hearer"]


def test_another_version_of_the_encoder_encodes_all_anew(catalog: Concepts) -> None:
    assert names("speech") == ["hearer"]
    publish(Model.objects.get(name="encoder"), engine="oip", source="http://127.0.0.1:9", spec=encoders.SPEC)
    forget()
    assert names("speech") == [], "vectors of two versions do not compare"
    assert meaning.keep() == 4
    nearness.forget()
    assert names("speech") == ["hearer"]


def test_an_encoder_that_fails_or_is_slow_leaves_the_words(catalog: Concepts, settings: Any) -> None:
    catalog.fails = ModelNotReady
    assert (names("speech"), names("dictation")) == ([], ["hearer"])
    catalog.fails = None
    assert names("speech") == [], "it is left alone for some seconds"
    nearness.forget()
    assert names("speech") == ["hearer"]


def test_a_search_does_not_wait_for_a_slow_encoder_and_the_next_finds(
    catalog: Concepts, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    go = threading.Event()

    def slowly(*given: Any) -> Any:
        assert go.wait(60)
        return catalog(*given)

    monkeypatch.setattr(encoders, "slowly", slowly, raising=False)
    settings.CATALOG_ENCODER, settings.SEMANTIC_WAIT_S = "tests.fixtures.encoders.slowly", 0.05
    assert (names("speech"), names("dictation")) == ([], ["hearer"])
    go.set()
    ends = time.monotonic() + 60
    while not names("speech") and time.monotonic() < ends:
        time.sleep(0.02)
    assert names("speech") == ["hearer"]


def test_a_text_that_the_encoder_refuses_is_left_out_and_one_that_is_away_is_asked_again(concepts: Concepts) -> None:
    for name in ("encoder", "odd", "hearer"):
        model(name, "embeddings", publisher="bench", summary=f"{name} transcribes")
    concepts.fails = ModelNotReady
    assert (meaning.keep(), Meaning.objects.count()) == (0, 0)
    concepts.fails, concepts.refused = None, "odd"
    assert (meaning.keep(), meaning.keep()) == (3, 0)
    assert "odd" not in names("voice")
    assert "hearer" in names("voice")


def test_without_a_model_named_in_the_settings_nothing_is_asked(concepts: Concepts, settings: Any) -> None:
    model("hearer", summary="Transcribes dictation.")
    for name in ("", "no/such", "acme/hearer"):
        settings.SEMANTIC_MODEL = name
        assert (meaning.keep(), names("speech")) == (0, [])
    assert concepts.calls == []


@pytest.mark.parametrize(("name", "wrong"), [("", False), ("bench/encoder", False), ("encoder", True), ("a/b/c", True)])
def test_a_name_that_is_no_models_is_told_at_the_start(settings: Any, name: str, wrong: bool) -> None:
    settings.SEMANTIC_MODEL = name
    assert [found.id for found in checks.meaning(None)] == (["mercato.E005"] if wrong else [])


@pytest.mark.slow
def test_a_trained_encoder_served_here_finds_what_is_meant(
    sentence_encoder: Path, settings: Any, served: Callable[[Path], str]
) -> None:
    settings.SEMANTIC_MODEL = served(sentence_encoder)
    settings.SEMANTIC_WAIT_S = 120
    assert configured.CATALOG_ENCODER == "inference.encoding.encode"
    model("hearer", summary="Writes down what is said, dictation of a voice.", title="Scribe")
    model("weather", summary="Temperature of tomorrow.", title="Sky")
    assert meaning.keep() == 3
    assert names("speech recognition")[0] == "hearer"
    assert "weather" not in names("speech recognition")
    assert names("forecast of rain")[0] == "weather"


@pytest.fixture
def served() -> Callable[[Path], str]:
    """Publishes the folder as a model that runs here."""
    import shutil

    def serve(folder: Path) -> str:
        made = Model.objects.create(publisher=shop("bench"), name="encoder", task="embeddings", title="Encoder")
        place = configured.MODELS_DIR / "bench" / "encoder" / "1"
        shutil.copytree(folder, place, dirs_exist_ok=True)
        publish(made, engine="tensorflow", source="bench/encoder/1", spec=encoders.SPEC)
        return "bench/encoder"

    return serve
