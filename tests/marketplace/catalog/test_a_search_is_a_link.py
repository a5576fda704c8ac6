"""/models: works as plain links and forms; htmx fetches only what changes."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from django.utils.formats import date_format

from marketplace.catalog import listings, retiring
from marketplace.catalog.listings import Use
from marketplace.tasks import registry
from tests.marketplace.catalog.listed import model

pytestmark = pytest.mark.django_db(transaction=True)


def page(path: str, **headers: str) -> str:
    answer = Client(headers=headers).get(path)
    assert answer.status_code == 200
    return answer.content.decode()


def cards(said: str) -> list[str]:
    return re.findall(r'<h3><a href="/models/acme/([^"]+)">', said)


def test_the_address_holds_the_words_the_facets_and_the_order() -> None:
    model("a", "chat", licence="MIT", title="Talker a")
    model("b", "chat", licence="BSD", title="Talker b")
    said = page("/models?q=talker&task=chat&licence=MIT&sort=cheapest")
    assert cards(said) == ["a"]
    assert 'value="MIT" checked' in said
    assert '<option value="cheapest" selected>' in said
    assert 'href="/models?q=talker&amp;task=chat&amp;sort=cheapest"' in said  # without the licence
    assert cards(page("/models?task=chat")) == ["b", "a"]


def test_an_empty_result_says_what_to_do() -> None:
    model("a", "chat", licence="MIT")
    said = page("/models?task=tensor&licence=MIT")
    assert "No model fits" in said
    assert "without Task: 1 model" in said
    assert "Use fewer or other words" in page("/models?q=xyzzyqwv")


def test_a_mistyped_word_is_named() -> None:
    model("flowers")
    assert "No model has the word “flwoers”: these have “flowers”." in page("/models?q=flwoers")


def test_pages_are_turned_by_links() -> None:
    for n in range(30):
        model(f"m-{n:02}")
    first = page("/models?sort=name")
    assert cards(first) == [f"m-{n:02}" for n in range(24)]
    assert 'href="/models?sort=name&amp;page=2"' in first
    assert cards(page("/models?sort=name&page=2")) == [f"m-{n:02}" for n in range(24, 30)]
    assert cards(page("/models?sort=name&page=99999999999")) == []
    assert len(cards(page("/models?page=x"))) == 24


def test_htmx_gets_the_results_and_the_facets_alone() -> None:
    model("a")
    said = page("/models?q=a", **{"HX-Request": "true"})
    assert "<html" not in said
    assert cards(said) == ["a"]
    assert 'id="facets" hx-swap-oob="true"' in said
    answer = Client(headers={"HX-Request": "true"}).get("/models?q=&sort=relevance&task=tensor")
    assert answer["HX-Push-Url"] == "/models?task=tensor"
    assert "<html" in page("/models", **{"HX-Request": "true", "HX-History-Restore-Request": "true"})


def test_words_are_shown_as_they_were_typed_and_nothing_runs() -> None:
    said = page("/models?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E&licence=%3Cb%3E")
    assert "<script>alert" not in said
    assert "<b>" not in said


def test_rare_choices_of_a_facet_wait_behind_the_frequent_ones_and_open_when_chosen() -> None:
    for at, task in enumerate(sorted(registry.TASKS)[:10]):
        for number in range(10 - at):
            model(f"{task}-{number}", task)
    rarest = sorted(registry.TASKS)[9]
    page = Client().get("/models").text
    assert "2 more" in page
    assert f'value="{rarest}"' in page
    assert '<details class="more rest">' in page
    assert '<details class="more rest" open>' in Client().get(f"/models?task={rarest}").text


def test_a_card_says_how_much_a_model_is_used_how_fast_it_is_and_when_it_goes() -> None:
    busy, now = model("busy"), timezone.now()
    listings.note_use({"acme/busy": Use(1_234, 56.71)})
    retiring.announce(busy, None, now + timedelta(days=40), now)
    page = Client().get("/models").text
    for said in ("1,234", "56.7 ms", f"goes on {date_format(now + timedelta(days=40))}"):
        assert said in page, said
