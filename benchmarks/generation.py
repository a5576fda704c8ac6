"""Texts generated at once by our engine beside `CausalLM.generate`, one after the other. One core: taskset -c 0.

The model: GPT-2-like, about 30 million parameters, random weights. Its last line is JSON.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
STREAMS, PROMPT, TOKENS, VOCABULARY = 8, 16, 48, 30_000


def main() -> None:
    from inference.engines.tensorflow.decoders import decoder_of
    from inference.engines.tensorflow.library import keras_hub, tensorflow
    from inference.engines.tensorflow.sampling import Sampler
    from inference.engines.tensorflow.scheduler import Scheduler, Text

    tf, hub = tensorflow(), keras_hub()
    import numpy as np

    backbone = hub.models.GPT2Backbone(
        vocabulary_size=VOCABULARY, num_layers=8, num_heads=8, hidden_dim=448, intermediate_dim=1792,
        max_sequence_length=256,
    )  # fmt: skip
    model = hub.models.GPT2CausalLM(backbone, preprocessor=None)
    model.compile(sampler="greedy")
    prompts = np.random.default_rng(1).integers(1, VOCABULARY, (STREAMS, PROMPT)).astype("int32")

    def alone(prompt: object) -> object:
        padded = np.zeros((1, PROMPT + TOKENS), "int32")
        padded[0, :PROMPT] = prompt
        mask = np.zeros_like(padded)
        mask[0, :PROMPT] = 1
        found = model.generate({"token_ids": padded, "padding_mask": mask}, stop_token_ids=None)
        return found["token_ids"][0, PROMPT:]

    scheduler = Scheduler(decoder_of(tf, model))

    def together() -> list[list[int]]:
        found: list[list[int]] = [[] for _ in prompts]

        def one(at: int) -> None:
            text = Text(
                prompts[at].tolist(), TOKENS, Sampler({"temperature": 0}, 0), frozenset(), time.monotonic() + 600
            )
            found[at] = list(scheduler.generate(text))

        threads = [threading.Thread(target=one, args=(at,)) for at in range(STREAMS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return found

    expected = [np.asarray(alone(prompt)).tolist() for prompt in prompts]  # warms up, and is what must come out
    got = together()
    same = sum(a == b for a, b in zip(expected, got, strict=True))
    best = {"alone": 0.0, "together": 0.0}
    for _ in range(3):
        started = time.perf_counter()
        for prompt in prompts:
            alone(prompt)
        best["alone"] = max(best["alone"], STREAMS * TOKENS / (time.perf_counter() - started))
        started = time.perf_counter()
        together()
        best["together"] = max(best["together"], STREAMS * TOKENS / (time.perf_counter() - started))
    result = {
        "parameters": int(backbone.count_params()),
        "streams": STREAMS,
        "alone_tokens_per_s": round(best["alone"], 1),
        "together_tokens_per_s": round(best["together"], 1),
        "ratio": round(best["together"] / best["alone"], 2),
        "texts_that_agree": f"{same} of {STREAMS}",
    }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
