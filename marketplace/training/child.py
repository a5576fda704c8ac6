"""Trains in a process of its own: `python -m marketplace.training.child --recipe R --dataset D --params JSON --out DIR`.

With `--table JSON` (recipe.TableWork) it learns an upload, in at most `--budget` seconds of compute.
Prints one JSON object a line: {"progress": …} as it goes, and last {"outcome": …} or {"error": {"code", "message"}}.
Ends when its parent does: standard input closing is the sign.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
import threading
import traceback
from pathlib import Path

from marketplace.training.recipes import registry, uploaded
from marketplace.training.recipes.course import spent_s
from marketplace.training.recipes.recipe import Clock, Progress, TableWork


def main() -> int:
    """Runs the recipe named on the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--dataset", default="")
    parser.add_argument("--table", type=json.loads)
    parser.add_argument("--budget", type=float, default=0.0)
    parser.add_argument("--params", default="{}")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    # Whatever libraries print must not come between our lines.
    wire = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    threading.Thread(target=_end_with_parent, daemon=True).start()

    def say(**line: object) -> None:
        wire.write(json.dumps(line) + "\n")

    clock: Clock | None = None

    def report(progress: Progress) -> None:
        told = {**progress.to_json(), "used_s": clock.used_s() if clock else 0.0}
        # JSON has no NaN, which a loss becomes where the learning rate is too high.
        say(
            progress={
                name: None if isinstance(value, float) and not math.isfinite(value) else value
                for name, value in told.items()
            }
        )

    report(Progress("starting"))
    try:
        params = json.loads(given.params)
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
        os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(given.threads)
        tf.config.threading.set_inter_op_parallelism_threads(given.threads)
        # What TensorFlow writes on the side it would remove at an exit that we do not wait for.
        with tempfile.TemporaryDirectory() as tempfile.tempdir:
            if given.table is None:
                outcome = registry.get(given.recipe).train(given.dataset, params, report, given.out)
            else:
                work = TableWork(**{**given.table, "leave_out": tuple(given.table["leave_out"])})
                clock = Clock(given.budget, spent_s(Path(work.checkpoints)))
                recipe = registry.get_for_tables(given.recipe)
                outcome = uploaded.train(work, recipe, params, report, given.out, clock)
    except (KeyError, ValueError) as error:
        say(error={"code": "bad_parameters", "message": str(error.args[0] if error.args else error)[:400]})
        return 1
    except Exception as error:
        traceback.print_exc()
        say(error={"code": "training_failed", "message": f"{type(error).__name__}: {error}"[:400]})
        return 1
    say(outcome=outcome.to_json(), used_s=clock.used_s() if clock else 0.0)
    return 0


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(3)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    # TensorFlow's threads are not worth waiting for.
    os._exit(code)
