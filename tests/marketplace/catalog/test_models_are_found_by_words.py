"""Words find models though they are mistyped, shortened, or Chinese; the best fit comes first."""

from __future__ import annotations

import pytest

from marketplace.catalog.spelling import distances
from tests.marketplace.catalog.listed import found, model, names

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _some_models() -> None:
    model("iris", "tabular-classification", title="Iris flowers", summary="Tells three kinds of flowers apart.")
    model("resnet-50", "image-classification", title="ResNet-50", summary="Classifies pictures.")
    model("writer", "text-generation", title="Story writer", summary="Writes stories about flowers.")
    model("translator", "chat", title="翻译助手", summary="把合同翻译成英文。")


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("iris", "iris"), ("IRIS", "iris"), ("ÍRIS", "iris"), ("acme/iris", "iris"), ("flowers iris", "iris"),
        ("resnet50", "resnet-50"), ("ResNet 50", "resnet-50"), ("res", "resnet-50"), ("net", "resnet-50"),
        ("stories", "writer"), ("storeis", "writer"), ("picturs", "resnet-50"), ("clasifies", "resnet-50"),
        ("writing", "writer"), ("a model that writes stories", "writer"),
        ("翻译", "translator"), ("合同", "translator"), ("图像分类", "resnet-50"), ("image classification", "resnet-50"),
    ],
)  # fmt: skip
def test_it_is_found(words: str, name: str) -> None:
    assert names(words)[0] == name


def test_every_word_must_occur() -> None:
    assert names("flowers") == ["iris", "writer"]
    assert names("flowers stories") == ["writer"]
    assert names("xyzzyqwv") == []


def test_where_no_model_has_all_words_those_with_most_are_shown() -> None:
    said = found("flowers stories xyzzyqwv")
    assert ([one.name for one in said.models], said.matched.relaxed) == (["writer"], True)


def test_a_mistyped_word_is_read_as_the_nearest_and_that_is_said() -> None:
    assert found("flwoers").matched.meant == (("flwoers", "flowers"),)
    assert found("flowers").matched.meant == ()
    assert names("12") == []  # numbers are not guessed


def test_a_name_comes_before_a_title_and_a_title_before_a_summary() -> None:
    model("plain", title="Plain", summary="Knows of a comet.")
    model("sky", title="Sky with a comet")
    model("comet", title="Something else")
    assert names("comet") == ["comet", "sky", "plain"]


def test_texts_that_change_are_found_as_they_are_now() -> None:
    iris = model("old-words", title="Old words")
    assert names("old words") == ["old-words"]
    iris.title, iris.name = "New words", "new-words"
    iris.save()
    assert (names("old"), names("new words")) == ([], ["new-words"])


def test_distances_count_what_people_mistype() -> None:
    others = ["flower", "flowers", "flwoer", "flover", "f", "reader"]
    assert distances("flower", others).tolist() == [0, 1, 1, 1, 5, 4]
    assert distances("flower", []).tolist() == []
