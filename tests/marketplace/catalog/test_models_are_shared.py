"""New models come by RSS; a shared link shows a picture and words."""

from __future__ import annotations

from io import BytesIO
from xml.etree import ElementTree

import pytest
from django.test import Client
from PIL import Image

from marketplace.catalog import preview
from marketplace.catalog.models import Model
from marketplace.catalog.preview import Preview, png
from marketplace.collections import keeping
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.marketplace.catalog.listed import model


def picture(shown: Preview) -> Image.Image:
    found = Image.open(BytesIO(png(shown)))
    assert (found.format, found.size) == ("PNG", (1200, 630))
    return found


@pytest.mark.django_db(transaction=True)
def test_the_feed_has_the_newest_public_models(workspace: Workspace) -> None:
    model("old", "chat", title="Old & <wise>")
    model("new", "tensor")
    model("hidden", publisher=workspace.slug, visibility="workspace")
    answer = Client().get("/models/feed.xml")
    assert answer["Content-Type"].startswith("application/rss+xml")
    items = ElementTree.fromstring(answer.content).findall("./channel/item")  # noqa: S314 – made right here
    assert [item.findtext("title") for item in items] == ["New", "Old & <wise>"]
    assert str(items[0].findtext("link")).endswith("/models/acme/new")
    chats = ElementTree.fromstring(Client().get("/models/feed.xml?task=chat").content)  # noqa: S314 – as above
    assert [item.findtext("title") for item in chats.findall("./channel/item")] == ["Old & <wise>"]
    assert 'href="/models/feed.xml?task=chat"' in Client().get("/models?task=chat").text
    signed = signed_in(workspace.personal_of).get("/models/feed.xml")
    assert b"hidden" not in signed.content  # whoever asks


@pytest.mark.django_db(transaction=True)
def test_a_models_page_says_what_a_link_to_it_shows() -> None:
    model("reader", "chat", title='A "quoted" <title>', summary="Reads & writes.")
    said = Client().get("/models/acme/reader").content.decode()
    assert '<meta property="og:title" content="A &quot;quoted&quot; &lt;title&gt;">' in said
    assert 'property="og:image" content="http://testserver/models/acme/reader/preview.png"' in said
    assert 'name="twitter:card" content="summary_large_image"' in said


@pytest.mark.django_db(transaction=True)
def test_the_picture_is_for_who_may_see_the_model(workspace: Workspace, stranger: User) -> None:
    model("reader")
    answer = Client().get("/models/acme/reader/preview.png")
    assert (answer["Content-Type"], answer.status_code) == ("image/png", 200)
    assert "max-age" in answer["Cache-Control"]
    model("hidden", publisher=workspace.slug, visibility="workspace")
    assert signed_in(stranger).get("/models/olga/hidden/preview.png").status_code == 404
    own = signed_in(workspace.personal_of).get("/models/olga/hidden/preview.png")
    assert (own.status_code, own["Cache-Control"]) == (200, "max-age=3600, private")


def test_texts_of_any_length_fit() -> None:
    picture(Preview("", "a/b", "", "", ""))
    picture(Preview("W" * 120, "a" * 40 + "/" + "b" * 60, "W" * 300, "W" * 50, "W" * 200))
    picture(Preview("many short words " * 20, "a/b", "翻译" * 150, "任务", "$0.0001"))


def test_a_machine_without_chinese_letters_writes_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "_wide", lambda: "")
    preview._font.cache_clear()
    png.cache_clear()
    try:
        chinese, named = (
            Preview("翻译助手", "acme/helper", "把合同翻译成英文。", "翻译", "免费"),
            Preview("helper", "acme/helper", "", "", ""),
        )
        assert picture(chinese).tobytes() == picture(named).tobytes()
    finally:
        preview._font.cache_clear()
        png.cache_clear()


@pytest.mark.django_db(transaction=True)
def test_other_links_show_the_first_model_that_everybody_may_see(workspace: Workspace) -> None:
    model("hidden", "chat", publisher=workspace.slug, visibility="workspace", metrics={"accuracy": 1.0})
    model("reader", "image-classification", metrics={"accuracy": 0.5})
    browser = signed_in(workspace.personal_of)
    kept = keeping.make(workspace, "For the shop", shared=True)
    for one in Model.objects.all():
        keeping.put(kept, one, kept=True)
    addresses = {
        f"/collections/{kept.pk}": "For the shop",
        "/models/compare?m=olga/hidden&m=acme/reader": "Compare models",
        "/models/leaderboard?task=image-classification": "Leaderboard · Image classification",
    }
    for address, title in addresses.items():
        said = browser.get(address).content.decode()
        assert f'<meta property="og:title" content="{title}">' in said
        assert 'property="og:image" content="http://testserver/models/acme/reader/preview.png"' in said, address
    assert 'property="og:image"' not in browser.get("/models/compare?m=olga/hidden").content.decode()
