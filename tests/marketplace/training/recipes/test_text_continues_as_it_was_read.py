"""The text models' signatures agree with one another, and their words are English."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable

import pytest

from marketplace.training.recipes.datasets.prose import pydoc_topics
from tests.fixtures.training import Trained
from tests.house.tree import ROOT

pytestmark = pytest.mark.slow
# TensorFlow stays out of the process of the tests.
RUN = """
import json, sys, numpy as np, tensorflow as tf
signatures = tf.saved_model.load(sys.argv[1]).signatures
tokens = [token.decode() for token in signatures["vocabulary"]()["tokens"].numpy()]
def read(*texts):
    return {n: t.numpy() for n, t in signatures["prefill"](text=tf.constant([t.encode() for t in texts])).items()}
def step(token, state):
    return {n: t.numpy() for n, t in signatures["step"](token=tf.constant([token], tf.int32), state=state).items()}

answer = {"logits": None, "state": np.zeros_like(read("a")["state"])}
for character in "When a":
    answer = step(tokens.index(character), answer["state"])
together, alone = read("When a", "An object is"), read("An object is")
same = {
    "steps": np.allclose(answer["logits"], read("When a")["logits"], atol=1e-4),
    "batch": np.allclose(together["logits"][0], answer["logits"][0], atol=1e-4)
    and np.allclose(together["logits"][1], alone["logits"][0], atol=1e-4),
    "unknown": np.allclose(read("Wh\\N{SNOWMAN}en a\\N{SNOWMAN}")["logits"], answer["logits"], atol=1e-4),
    "nothing known": bool(np.isfinite(read("\\N{SNOWMAN}")["logits"]).all()),
}
long = "A class that is defined in a function can see its names. " * 6
answer = {"logits": None, "state": np.zeros_like(read("a")["state"])}
for character in long:
    answer = step(tokens.index(character), answer["state"])
same["long"] = np.allclose(answer["logits"], read(long)["logits"], atol=1e-3)
random, answer, text = np.random.default_rng(1), read("The "), ""
for _ in range(600):
    chances = np.exp(answer["logits"][0].astype(float) / 0.5)
    token = int(random.choice(len(tokens), p=chances / chances.sum()))
    text += tokens[token]
    answer = step(token, answer["state"])
print(json.dumps({"same": {k: bool(v) for k, v in same.items()}, "text": text}))
"""


@pytest.mark.parametrize("name", ["prose", "prose-transformer"])
def test_prefill_is_the_steps_at_once_and_words_are_english(
    name: str, trained_starter: Callable[[str], Trained]
) -> None:
    run = trained_starter(name)
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(run.folder)], cwd=ROOT, capture_output=True, text=True, timeout=120, check=True
    )
    said = json.loads(done.stdout)
    assert said["same"] == {"steps": True, "batch": True, "unknown": True, "nothing known": True, "long": True}
    known = set(pydoc_topics(run.outcome["facts"]["seed"]).train.split())
    words = said["text"].split()[:-1]
    share = sum(word in known for word in words) / len(words)
    assert len(words) > 60
    assert share > 0.7, said["text"]
