"""What calls cost at prices of every kind, on a real server."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from PIL import Image

from billing.prices.quote import Scheme
from inference import counting
from tests.fixtures.serving import EMAIL, Installation
from tests.fixtures.upstream import Upstream
from tests.fixtures.working import until

# Prices are ordinary ones: the tests share an installation, and what is unusual is measured by its models.
SAID = {"messages": [{"role": "user", "content": "hello"}], "max_tokens": 3}


@pytest.fixture(scope="module")
def own() -> Iterator[Upstream]:
    """An upstream that no other test's requests reach."""
    made = Upstream()
    yield made
    made.shutdown()
    made.server_close()


def add(installation: Installation, upstream: Upstream, name: str, **more: Any) -> str:
    """A chat model at the keyword arguments of publishing.publish; its name."""
    installation.manage(
        "add_model", f"prices/{name}", "--task", "chat", "--engine", "openai", "--source", upstream.url,
        "--upstream-model", "m",
    )  # fmt: skip
    publish(installation, name, **more)
    return f"prices/{name}"


def publish(installation: Installation, name: str, **more: Any) -> None:
    tiers = json.dumps(more.pop("tiers", {}))
    installation.manage(
        "shell", "-v0", "-c",
        "from billing.prices.publishing import publish\n"
        "from billing.prices.quote import tiers_from\n"
        "from marketplace.models import Model\n"
        "import json\n"
        f"model = Model.objects.get(publisher__slug='prices', name={name!r})\n"
        f"publish(model.pk, tiers=tiers_from(json.loads({tiers!r})), used=False, confirmed=True, **{more!r})\n",
    )  # fmt: skip


def ask(installation: Installation, model: str, key: str | None = None, **more: Any) -> tuple[int, dict[str, Any]]:
    status, answer, _ = installation.call("/v1/chat/completions", {"model": model, **SAID, **more}, key)
    return status, answer


def last(installation: Installation) -> dict[str, Any]:
    event: dict[str, Any] = installation.used()["events"][-1]
    return event


def test_tokens_from_a_cache_have_their_own_price_and_are_in_no_other(
    installation: Installation, own: Upstream
) -> None:
    rates = {"input_token": 10**9, "cached_input_token": 10**8, "output_token": 2 * 10**9}
    model = add(installation, own, "cached", rates=rates)
    own.behave[:] = ["cached"]
    client = openai.OpenAI(base_url=f"{installation.url}/v1", api_key=installation.key, max_retries=0)
    usage = client.chat.completions.create(model=model, **SAID).usage  # type: ignore[call-overload] # the body as a dict
    assert (usage.prompt_tokens, usage.prompt_tokens_details.cached_tokens) == (9, 8)
    event = last(installation)
    assert event["units"] == {"request": 1, "input_token": 1, "cached_input_token": 8, "output_token": 3}
    assert event["cost_nanos"] == 1 * 1_000 + 8 * 100 + 3 * 2_000
    publish(installation, "cached", rates={"input_token": 10**9})
    until(lambda: installation.call(f"/v1/models/{model}")[1]["rates_nanos_per_million"] == {"input_token": 10**9}, 5)
    own.behave[:] = ["cached"]
    assert until(lambda: ask(installation, model)[0] == 200 and last(installation)["cost_nanos"] == 9_000, 10)


def test_a_free_allowance_is_free_for_who_has_no_money_and_ends_where_it_ends(
    installation: Installation, own: Upstream
) -> None:
    tiers = {"request": {"mode": "graduated", "steps": [[3, 0], [None, 10**11]]}}
    model = add(installation, own, "allowance", rates={}, tiers=tiers)
    poor = installation.manage("create_key", EMAIL, "--rpm", "0", "--cap", "0.00009")
    assert [ask(installation, model, poor)[0] for _ in range(4)] == [200, 200, 200, 402]
    assert ask(installation, model)[0] == 200  # of the same workspace, with money
    assert last(installation)["cost_nanos"] == 100_000


def test_what_all_clients_pay_together_is_the_price_of_the_sum(installation: Installation, own: Upstream) -> None:
    tiers = {
        "output_token": {"mode": "graduated", "steps": [[10, 777_777_777], [20, 3_333_333_333], [None, 1_000_000_001]]}
    }
    model = add(installation, own, "together", rates={"request": 123_456_789_012}, tiers=tiers)
    before = installation.used()["total_nanos"]
    assert {ask(installation, model)[0] for _ in range(9)} == {200}
    femtos = 9 * 123_456_789_012 + 10 * 777_777_777 + 10 * 3_333_333_333 + 7 * 1_000_000_001
    assert installation.used()["total_nanos"] - before == (femtos + 500_000) // 1_000_000


def test_a_request_costs_at_least_the_minimum_and_a_failed_one_nothing(
    installation: Installation, own: Upstream
) -> None:
    model = add(installation, own, "least", rates={"output_token": 10**9}, minimum_nanos=7_777)
    own.behave[:] = ["500"]
    assert ask(installation, model)[0] == 502
    assert last(installation)["cost_nanos"] == 0
    assert ask(installation, model)[0] == 200
    assert last(installation)["cost_nanos"] == 7_777


def test_time_is_billed_as_the_engine_took_it(installation: Installation, own: Upstream) -> None:
    model = add(installation, own, "timed", rates={"millisecond": 10**6})
    own.behave[:] = ["slow"]
    assert ask(installation, model)[0] == 200
    event = last(installation)
    assert 1_400 <= event["units"]["millisecond"] <= 15_000
    assert event["cost_nanos"] == event["units"]["millisecond"]


def test_a_model_tells_its_price_its_history_and_what_the_caller_pays(
    installation: Installation, own: Upstream
) -> None:
    model = add(installation, own, "told", rates={"request": 10**12})
    publish(installation, "told", rates={"request": 2 * 10**12})
    _, said, _ = installation.call(f"/v1/models/{model}")
    assert [price["rates_nanos_per_million"] for price in said["price_history"]] == [
        {"request": 2 * 10**12}, {"request": 10**12}, {},
    ]  # fmt: skip
    assert [price["version"] for price in said["price_history"]] == [3, 2, 1]
    assert said["yours"]["price_id"] == said["price_history"][0]["id"]
    assert said["yours"]["percent_of_the_list_price"] == 100
    listed = installation.call("/v1/models")[1]["data"]
    assert next(one for one in listed if one["id"] == model)["rates_nanos_per_million"] == {"request": 2 * 10**12}


def test_a_price_typed_a_million_times_too_high_is_not_published(installation: Installation, own: Upstream) -> None:
    given = (
        "add_model", "prices/typo", "--task", "chat", "--engine", "openai", "--source", own.url, "--upstream-model", "m",
        "--price-output",
    )  # fmt: skip
    installation.manage(*given, "0.15")
    said = installation.manage(*given, "150000", fails=2)
    assert "--confirm-price" in said
    assert installation.call("/v1/models/prices/typo")[1]["price"] == "$0.15 / 1M output tokens"
    installation.manage(*given, "150000", "--confirm-price")  # nobody used it yet
    assert installation.call("/v1/models/prices/typo")[1]["price"] == "$150,000.00 / 1M output tokens"


def test_a_rise_of_a_model_in_use_is_announced_first(installation: Installation, own: Upstream) -> None:
    given = (
        "add_model", "prices/rising", "--task", "chat", "--engine", "openai", "--source", own.url, "--price-request",
    )  # fmt: skip
    installation.manage(*given, "0.001")
    assert ask(installation, "prices/rising")[0] == 200
    installation.manage(*given, "0.002")
    said = installation.call("/v1/models/prices/rising")[1]
    assert said["price"] == "$0.001 / request"
    assert [price["price"] for price in said["price_history"]] == ["$0.002 / request", "$0.001 / request"]


def test_pixels_are_those_of_the_images_that_came() -> None:
    def picture(width: int, height: int) -> str:
        written = io.BytesIO()
        Image.new("RGB", (width, height)).save(written, "PNG")
        return base64.b64encode(written.getvalue()).decode()

    scheme = Scheme({"pixel": 1})
    output = {"images": [picture(30, 20), picture(5, 5), "aW1hZ2U=", "%"]}
    assert counting.counted(scheme, {"request": 1, "image": 4}, 1.0, output)["pixel"] == 625
    assert counting.counted(Scheme({"image": 1}), {"image": 4}, 1.0, output) == {"image": 4}
    assert counting.counted(scheme, {}, 1.0, output) == {}
    assert counting.most({"size": "1024x1536", "n": 2}, 1.0)["pixel"] == 2 * 1024 * 1536
    assert counting.most({"size": "auto"}, 1.0)["pixel"] == counting.MOST_SIDE**2
