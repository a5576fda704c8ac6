"""Through the recipes' own code: gradients are those worked out by hand, and the same seed gives the same weights."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.slow

# TensorFlow stays out of the process of the tests. A network without hidden layers, as the recipe additive ends:
# y = σ(W·x + b), whose loss is the cross entropy: dL/dW = x·(y − t), dL/db = y − t, each its mean over the rows.
BY_HAND = """
import sys, numpy as np, tensorflow as tf
from pathlib import Path
from marketplace.training.recipes import fitting, uploaded
from marketplace.training.recipes.materials.registry import opened
from marketplace.training.recipes.own import additive
from marketplace.training.recipes.recipe import Clock, TableWork

given = opened(TableWork(sys.argv[1], "csv", "leaves", "tabular-classification", sys.argv[1]))
rows = given.truth.rows
prepared = given.prepare(rows)
fitting.begin(3)
class Plain:
    KNOBS = additive.KNOBS
    head = staticmethod(additive.head)

    def body(self, inputs, prepared, chosen):
        return prepared.joined(inputs)

how = uploaded.How(Plain(), {"epochs": 1, "seed": 3, "learning_rate": 0.01}, print, Clock(60))
model = uploaded.network(given.truth, prepared, rows, how)
dense = model.get_layer(additive.LOGIT)
w = np.random.default_rng(3).normal(size=(prepared.joined(prepared.entries()).shape[1], 1)).astype(np.float32)
dense.set_weights([w, np.float32([0.2])])
ready = prepared.ready(**prepared.raw(rows))
with tf.GradientTape() as tape:
    said = model(ready, training=True)
    loss = model.compute_loss(ready, tf.constant(given.truth.values[rows]), said)
got = tape.gradient(loss, [v.value for v in dense.trainable_weights])

parts = [ready["measures"].numpy().astype(np.float64)]
for at, one in enumerate(prepared.categories):
    parts.append(np.eye(one.depth)[ready["ids"].numpy()[:, at]])
x, t = np.concatenate(parts, 1), given.truth.values[rows][:, None].astype(np.float64)
y = 1 / (1 + np.exp(-(x @ w.astype(np.float64) + np.float64(np.float32(0.2)))))
assert np.abs(said.numpy()[:, 1:] - y).max() < 1e-6
assert 0.01 < np.abs(y - t).mean()
assert np.allclose(got[0].numpy(), x.T @ (y - t) / len(t), atol=1e-6), (got[0].numpy(), x.T @ (y - t) / len(t))
assert np.allclose(got[1].numpy(), (y - t).mean(0), atol=1e-6)
assert abs(float(loss) + (t * np.log(y) + (1 - t) * np.log(1 - y)).mean()) < 1e-6
"""

# The weights of saved models, bit by bit; Keras keeps its variables in no order.
WEIGHTS = """
import hashlib, json, sys, tensorflow as tf
for folder in sys.argv[1:]:
    kept = tf.train.load_checkpoint(folder + "/variables/variables")
    floats = [name for name, dtype in kept.get_variable_to_dtype_map().items() if dtype.is_floating]
    print(json.dumps(sorted(hashlib.sha256(kept.get_tensor(name).tobytes()).hexdigest() for name in floats)))
"""


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Who is older than 45 leaves, with a note that says so now and then."""
    dice = random.Random(1)
    lines = ["age,city,note,leaves"]
    for at in range(80):
        age, city = dice.randint(20, 70), dice.choice(["Rome", "Oslo", "Lima"])
        leaves = "yes" if age > 45 else "no"
        note = (
            f"{dice.choice(['bad', 'awful'] if leaves == 'yes' else ['good', 'fine'])} {dice.choice(['a', 'b'])} {at}"
        )
        lines.append(f"{'' if at % 9 == 1 else age},{city},{note},{leaves}")
    path = tmp_path / "table.csv"
    path.write_text("\n".join(lines))
    return path


def learnt(table: Path, recipe: str, number: int, **asked: object) -> Path:
    """The model that the recipe makes of it."""
    out = table.parent / f"{recipe}-{number}"
    work = {"path": str(table), "form": "csv", "target": "leaves", "task": "tabular-classification", "folds": 0}
    work |= {"leave_out": [], "checkpoints": f"{out}-checkpoints", **asked}
    command = ["--recipe", recipe, "--table", json.dumps(work), "--budget", "120", "--out", str(out)]
    with subprocess.Popen(
        [sys.executable, "-m", "marketplace.training.child", *command, "--params", '{"epochs": 2, "seed": 5}'],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    ) as process:  # fmt: skip
        assert process.stdout is not None
        last = json.loads(process.stdout.readlines()[-1])
    assert "outcome" in last, last
    return out


def test_gradients_are_those_of_the_formula_by_hand(table: Path) -> None:
    command = [sys.executable, "-c", BY_HAND, str(table)]
    done = subprocess.run(command, cwd=ROOT, timeout=120, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-1500:]


def test_the_same_seed_gives_the_same_weights_bit_by_bit(table: Path) -> None:
    reads = {"task": "text-classification", "text": "note"}
    models = [learnt(table, "gru", number, **reads) for number in range(2)]
    command = [sys.executable, "-c", WEIGHTS, *map(str, models)]
    said = subprocess.run(command, check=True, timeout=120, capture_output=True, text=True).stdout
    first, again = (json.loads(line) for line in said.splitlines())
    assert len(first) > 5
    assert first == again
