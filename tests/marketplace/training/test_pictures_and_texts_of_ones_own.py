"""An album and a column of texts: chosen in the browser, learnt, judged with their worst examples, published, called."""

from __future__ import annotations

import base64
import json
import math
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import LazySettings
from django.utils import timezone

from billing.plans.seeds import seed_plans
from billing.plans.terms import forget
from billing.prices import book
from marketplace.training import datasets, releasing, runs, trainer
from marketplace.training.keeping import place_of
from marketplace.training.models import Dataset, Run, RunState
from marketplace.training.releasing import Release
from marketplace.training.seeds import seed_price
from portal.accounts.models import User, Workspace
from tests.fixtures.people import signed_in
from tests.house.tree import ROOT
from tests.marketplace.training.albums import pictures, png, zipped


@pytest.fixture(autouse=True)
def _files_lie_here(settings: LazySettings, tmp_path: Path) -> None:
    settings.MEDIA_ROOT, settings.MODELS_DIR = tmp_path / "files", tmp_path / "models"
    seed_plans()
    seed_price()
    forget()


def kept(workspace: Workspace, name: str, data: bytes) -> Dataset:
    made = datasets.keep(workspace, name, len(data), [data])
    datasets.examine_waiting()
    made.refresh_from_db()
    assert made.state == "ready", made.refused
    return made


@pytest.fixture
def album(workspace: Workspace, tmp_path: Path) -> Dataset:
    path = zipped(tmp_path / "sides.zip", *pictures(30), ("photos/left/cut.png", png(1)[:99]))
    return kept(workspace, "sides.zip", path.read_bytes())


@pytest.fixture
def opinions(workspace: Workspace) -> Dataset:
    dice = random.Random(2)
    lines = ["stars,said,tone"]
    for at in range(120):
        tone = dice.choice(["good", "bad"])
        word = dice.choice(["fine", "lovely", "great"] if tone == "good" else ["awful", "dull", "poor"])
        lines.append(f"{dice.randint(1, 5)},It was {word} at place {at % 40}. {dice.random():.9f},{tone}")
    return kept(workspace, "opinions.csv", "\n".join(lines).encode())


KNOBS = {"knob_epochs": 4, "knob_dropout": 0.1, "knob_learning_rate": 0.02, "knob_seed": 1}
MORE = {"budget_s": 60, "folds": 0}
CNN = {"recipe": "cnn", "knob_filters": 4, "side": 16, "augment": ["shift"], "once": "on", "scale": "standard"}


def asked(dataset: Dataset, owner: User, **fields: Any) -> Run:
    given = {"target": dataset.profile["target"], **KNOBS, **MORE, **fields}
    answer = signed_in(owner).post(f"/training/datasets/{dataset.pk}/train", given)
    assert answer.status_code == 302, answer.text[-3000:]
    return Run.objects.latest("created_at")


def trained(run: Run) -> dict[str, Any]:
    claimed = runs.claim(timezone.now())
    assert claimed is not None
    trainer.train(claimed)
    run.refresh_from_db()
    assert run.state == RunState.SUCCEEDED, run.error
    assert run.outcome is not None
    return dict(run.outcome)


# TensorFlow stays out of the process of the tests.
ANSWER = """
import sys, numpy as np, tensorflow as tf
given = np.load(sys.argv[2], allow_pickle=True)
answer = tf.saved_model.load(sys.argv[1]).signatures["serving_default"](**{sys.argv[3]: tf.constant(given)})
print(answer["probabilities"].numpy().tolist())
"""


def test_an_album_is_shown_with_what_was_left_out(album: Dataset, owner: User) -> None:
    page = signed_in(owner).get(f"/training/datasets/{album.pk}").text
    assert "photos/left/cut.png" in page
    assert "broken: it cannot be read to its end" in page
    assert 'src="data:image/webp;base64,' in page


def test_each_recipe_says_when_it_is_the_right_one(album: Dataset, opinions: Dataset, owner: User) -> None:
    client = signed_in(owner)
    assert "The choice for images." in client.get(f"/training/datasets/{album.pk}/train").text
    where = f"/training/datasets/{opinions.pk}/train?target=tone"
    rows = client.get(where).text
    assert "exact reasons" in rows
    assert "RNN: LSTM" not in rows
    texts = client.get(f"{where}&text=said&recipe=gru").text
    for name in ("bag of words", "RNN: LSTM", "RNN: GRU", "Transformer"):
        assert name in texts
    assert 'recipe=gru" aria-current="true"' in texts
    assert "exact reasons" not in texts


def test_what_is_chosen_goes_to_the_run(album: Dataset, opinions: Dataset, owner: User) -> None:
    assert asked(album, owner, **CNN).asked == {
        "target": "class", "task": "image-classification", "leave_out": [], "folds": 0,
        "choices": {"side": 16, "augment": ["shift"], "once": True},
    }  # fmt: skip
    told = {"recipe": "gru", "target": "tone", "text": "said", "tokens": "characters", "lower": "on"}
    run = asked(opinions, owner, **told, knob_units=8, knob_width=8)
    assert run.recipe == "gru"
    assert run.asked == {
        "target": "tone", "task": "text-classification", "text": "said", "leave_out": [], "folds": 0,
        "choices": {"tokens": "characters"},
    }  # fmt: skip
    rows = {"recipe": "additive", "target": "tone", "role_0": "category", "role_1": "text", "gaps": "on"}
    run = asked(opinions, owner, **rows, knob_units=8)
    assert (run.recipe, run.asked["roles"]) == ("additive", {"stars": "category", "said": "text"})
    nothing = {"target": "tone", "role_0": "", "role_1": "", **KNOBS, **MORE, "knob_units": 8}
    answer = signed_in(owner).post(f"/training/datasets/{opinions.pk}/train", nothing)
    assert (answer.status_code, "at least one column" in answer.text) == (422, True)


@pytest.mark.slow
def test_pictures_are_learnt_judged_published_and_served_as_they_are(
    album: Dataset, owner: User, tmp_path: Path, settings: LazySettings
) -> None:
    run = asked(album, owner, **CNN)
    outcome = trained(run)
    assert outcome["facts"]["rows"] == [36, 12, 12]
    assert outcome["metrics"]["accuracy"] > 0.9 > outcome["baseline"]["accuracy"]
    worst = outcome["evaluation"]["worst"][0]
    assert worst["picture"].startswith("data:image/png;base64,")
    assert worst["row"]["file"].startswith("photos/")
    page = signed_in(owner).get(f"/training/runs/{run.pk}").text
    assert 'class="thumbnail"' in page
    assert "shifted by a tenth" in page
    version = releasing.release(run, Release("sides", row_nanos=300_000))
    price = book.current(version.model.pk)
    assert price is not None
    assert price.scheme.cost({"image": 1}) == 300_000
    assert outcome["spec"]["inputs"] == [{"name": "image", "dtype": "float32", "shape": [None, 16, 16, 3]}]
    assert base64.b64decode(outcome["spec"]["examples"][0]["image"].partition(",")[2]).startswith(b"\x89PNG")


@pytest.mark.slow
def test_texts_are_learnt_and_served_as_they_are(opinions: Dataset, owner: User, tmp_path: Path) -> None:
    import numpy as np

    words = {"target": "tone", "text": "said", "recipe": "bag_of_words", "tokens": "words", "lower": "on"}
    run = asked(opinions, owner, **words, knob_units=8, knob_width=8, knob_epochs=40, folds=3)
    outcome = trained(run)
    assert [fold["accuracy"] > 0.9 for fold in outcome["evaluation"]["folds"]] == [True] * 3
    assert outcome["metrics"]["macro_f1"] > 0.9
    assert outcome["evaluation"]["worst"][0]["row"]["text"].startswith("It was ")
    version = releasing.release(run, Release("tones"))
    np.save(tmp_path / "texts.npy", np.asarray(["GREAT!", "", "it was awful and dull 字"], object))
    folder = tmp_path / "models" / version.source
    command = [sys.executable, "-c", ANSWER, str(folder), str(tmp_path / "texts.npy"), "text"]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120).stdout
    great, nothing, awful = json.loads(said.splitlines()[-1])
    assert outcome["spec"]["labels"] == ["bad", "good"]
    assert great[1] > 0.5 > awful[1]
    assert abs(sum(nothing) - 1) < 1e-5


ANSWERS = """
import json, sys, numpy as np, tensorflow as tf
from marketplace.tasks.registry import get
from marketplace.tasks.task import ModelSpec
folder, told, rows = sys.argv[1], json.loads(sys.argv[2]), json.loads(sys.argv[3])
spec, codec = ModelSpec.from_json(told), get("tabular-classification").codec
serve, given = tf.saved_model.load(folder).signatures["serving_default"], {"rows": rows}
arrays = codec.prepare(given, spec)
found = serve(**{name: tf.constant(array) for name, array in arrays.items()})
print(json.dumps(codec.present(given, {name: found[name].numpy() for name in ("probabilities", "contributions", "base")}, spec)))
"""


@pytest.mark.slow
def test_a_row_with_dates_and_texts_is_answered_with_its_exact_reasons(
    workspace: Workspace, owner: User, tmp_path: Path
) -> None:
    dice = random.Random(3)
    lines = ["joined,said,fee,stays"]
    for at in range(120):
        year, word = dice.randint(2015, 2024), dice.choice(["fine", "awful"])
        stays = "yes" if (year > 2019) == (dice.random() < 0.95) else "no"
        lines.append(
            f"{dice.randint(1, 28)}.{dice.randint(1, 12)}.{year},it was {word} {dice.random():.9f},{at % 7},{stays}"
        )
    table = kept(workspace, "members.csv", "\n".join(lines).encode())
    chosen = {
        "recipe": "additive",
        "target": "stays",
        "role_0": "date",
        "role_1": "text",
        "role_2": "number",
        "gaps": "on",
    }
    run = asked(table, owner, **chosen, knob_units=8, knob_epochs=30)
    outcome = trained(run)
    assert {feature["name"]: feature["form"] for feature in outcome["spec"]["features"]} == {
        "joined": "date", "said": "text", "fee": "",
    }  # fmt: skip
    assert "brier" in outcome["metrics"]
    rows = [
        {"joined": "3.2.2024", "fee": 2},
        {"joined": "2016-02-03T10:00", "said": "it was fine"},
        {"joined": "someday"},
    ]
    folder = tmp_path / "models" / place_of(run)
    command = [sys.executable, "-c", ANSWERS, str(folder), json.dumps(outcome["spec"]), json.dumps(rows)]
    said = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120, cwd=ROOT).stdout
    new, old, never = json.loads(said.splitlines()[-1])["rows"]
    assert (new["label"], old["label"]) == ("yes", "no")
    (joined,) = (one for one in new["reasons"] if one["feature"] == "joined")
    assert joined["effect"] == max(one["effect"] for one in new["reasons"])
    assert next(one for one in never["reasons"] if one["feature"] == "fee")["value"] is None
    for row in (new, old, never):
        chance = next(one["score"] for one in row["scores"] if one["label"] == "yes")
        logit = row["base"] + row["rest"] + sum(one["effect"] for one in row["reasons"])
        assert chance == pytest.approx(1 / (1 + math.exp(-logit)), abs=1e-5)
