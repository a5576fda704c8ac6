"""A version's number says what it changes for callers, by its schemas; its page shows it, and callers can stay with one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.catalog import semver
from marketplace.catalog.models import Model
from marketplace.catalog.resolve import forget, resolve
from marketplace.catalog.versions import publish
from marketplace.tasks import registry
from marketplace.tasks.schema import Check
from marketplace.tasks.task import Feature, ModelSpec
from portal.accounts.models import User
from tests.fixtures.people import signed_in

TABLE = registry.get("tabular-classification")


def spec(features: str = "ab", labels: str = "xy") -> ModelSpec:
    return ModelSpec(features=tuple(Feature(name, 0, 1, 0.5) for name in features), labels=tuple(labels))


@pytest.mark.parametrize(
    ("old", "new", "number"),
    [
        (spec(), spec(), "1.0.1"),
        (spec(), spec(features="abc"), "1.1.0"),
        (spec(features="abc"), spec(), "2.0.0"),
        (spec(), spec(labels="xyz"), "2.0.0"),  # an answer that nobody expected
        (spec(labels="xyz"), spec(), "1.1.0"),
    ],
    ids=["nothing", "a further input", "an input less", "a further answer", "an answer less"],
)
def test_the_number_grows_by_what_callers_notice(old: ModelSpec, new: ModelSpec, number: str) -> None:
    assert semver.following("1.0.0", semver.changes(TABLE, old, new)) == number


def test_parts_of_the_number_behind_the_one_that_grows_begin_anew() -> None:
    breaking = semver.changes(TABLE, spec(), spec(features="a"))
    assert semver.following("3.4.5", breaking) == "4.0.0"
    assert semver.following("3.4.5", semver.changes(TABLE, spec(), spec(features="abc"))) == "3.5.0"
    assert semver.following("3.4.5", []) == "3.4.6"


@given(old=st.sets(st.sampled_from("abcd"), min_size=1), new=st.sets(st.sampled_from("abcd"), min_size=1))
def test_what_does_not_break_takes_every_row_that_was_taken(old: set[str], new: set[str]) -> None:
    before, after = spec(features="".join(sorted(old))), spec(features="".join(sorted(new)))
    if any(one.breaking for one in semver.changes(TABLE, before, after)):
        assert old - new
        return
    Check(TABLE.codec.input_schema(after))({"features": dict.fromkeys(old, 0.5)})


def test_a_longer_answer_is_noticed_where_a_limit_falls() -> None:
    found = semver.changes(
        registry.get("text-generation"), ModelSpec(max_output_tokens=500), ModelSpec(max_output_tokens=100)
    )
    assert {(one.path, one.keyword, one.was, one.now) for one in found if one.breaking} >= {
        ("/max_tokens", "maximum", 500, 100)
    }


def test_the_page_lists_versions_with_figures_and_changes_and_callers_stay_with_one(owner: User) -> None:
    model = Model.objects.create(publisher=owner.personal_workspace, name="table", task=TABLE.name, title="Table")
    for features, accuracy in (("abc", 0.8), ("ab", 0.9)):
        publish(
            model,
            engine="tensorflow",
            source="x",
            spec=spec(features),
            metrics={"accuracy": accuracy},
            notes="<b>Why</b>",
        )
    assert [version.semver for version in model.versions.order_by("number")] == ["1.0.0", "2.0.0"]
    page = signed_in(owner).get("/models/olga/table/versions").text
    assert "breaks callers" in page
    assert "input/features/c" in page
    assert "better than" in page
    assert "&lt;b&gt;Why&lt;/b&gt;" in page
    forget()
    assert resolve("olga/table@1.0.0", model.publisher_id).number == 1
    assert resolve("olga/table", model.publisher_id).number == 2
