"""Each family's decoder writes what KerasHub's own `generate` writes: alone, among others, from either layout."""

from __future__ import annotations

import gc
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import ReplicaSpec, Work
from inference.engines.tensorflow.decoders import decoder_of
from inference.engines.tensorflow.engine import engine_of
from inference.engines.tensorflow.library import keras_hub, tensorflow
from inference.engines.tensorflow.sampling import Sampler
from inference.engines.tensorflow.scheduler import Scheduler, Text
from inference.engines.tensorflow.slots import Slotted
from inference.engines.tensorflow.tokens import Tokens
from inference.errors import DeadlinePassed
from marketplace.tasks import registry
from marketplace.training.signature import describe
from tests.fixtures.language import decoder_folder

WORDS, COUNT = 97, 20
PROMPTS = [np.random.default_rng(4).integers(1, WORDS, size).tolist() for size in (1, 3, 5, 8, 13, 21, 34, 55, 90)]
_SIZES: dict[str, Any] = {
    "vocabulary_size": WORDS, "num_layers": 3, "hidden_dim": 32, "intermediate_dim": 48, "num_query_heads": 4,
    "num_key_value_heads": 2,
}  # fmt: skip
_OLDER: dict[str, Any] = {
    "vocabulary_size": WORDS, "num_layers": 2, "num_heads": 4, "hidden_dim": 32, "intermediate_dim": 64,
    "max_sequence_length": 128,
}  # fmt: skip
_BANDS: dict[str, Any] = {
    "rope_max_wavelength": 500_000, "rope_frequency_adjustment_factor": 8.0, "rope_low_freq_factor": 1.0,
    "rope_high_freq_factor": 4.0, "rope_pretraining_sequence_length": 64, "tie_word_embeddings": True,
}  # fmt: skip
_GEMMA_2: dict[str, Any] = {
    "head_dim": 16, "query_head_dim_normalize": False, "use_post_ffw_norm": True, "use_post_attention_norm": True,
    "attention_logit_soft_cap": 5, "final_logit_soft_cap": 3, "use_sliding_window_attention": True,
    "sliding_window_size": 6,
}  # fmt: skip
WITH_SLOTS: dict[str, tuple[str, dict[str, Any]]] = {
    "gpt2": ("GPT2", _OLDER),
    "llama 2": ("Llama", _SIZES),
    "llama 3.1": ("Llama3", {**_SIZES, **_BANDS}),
    "mistral, with a window": ("Mistral", {**_SIZES, "sliding_window": 9, "head_dim": 16}),
    "qwen 2": ("Qwen", _SIZES),
    "qwen 3": ("Qwen3", {**_SIZES, "head_dim": 16, "rope_max_wavelength": 1_000_000}),
    "gemma": ("Gemma", {**_SIZES, "head_dim": 8}),
    "gemma 2": ("Gemma", {**_SIZES, **_GEMMA_2}),
    "phi 3": ("Phi3", _SIZES),
}
WITHOUT: dict[str, tuple[str, dict[str, Any]]] = {"bloom": ("Bloom", _OLDER)}


def made(name: str, sizes: dict[str, Any]) -> Any:
    """A KerasHub model with random weights."""
    models = keras_hub().models
    model = getattr(models, f"{name}CausalLM")(getattr(models, f"{name}Backbone")(**sizes), preprocessor=None)
    rng = np.random.default_rng(5)
    for weight in model.weights:
        centre = 1.0 if weight.path.endswith(("scale", "gamma")) and name != "Gemma" else 0.0
        weight.assign(rng.normal(centre, 0.35, weight.shape))
    return model


def generated(model: Any, prompts: Sequence[Sequence[int]], count: int) -> list[list[int]]:
    """By `CausalLM.generate`, without any token that ends a text."""
    model.compile(sampler="greedy", jit_compile=False)
    ids = np.zeros((len(prompts), max(map(len, prompts)) + count), np.int32)
    mask = np.zeros_like(ids)
    for row, prompt in enumerate(prompts):
        ids[row, : len(prompt)], mask[row, : len(prompt)] = prompt, 1
    found = np.asarray(model.generate({"token_ids": ids, "padding_mask": mask}, stop_token_ids=None)["token_ids"])
    return [found[row, len(prompt) : len(prompt) + count].tolist() for row, prompt in enumerate(prompts)]


def written(scheduler: Scheduler, prompt: Sequence[int]) -> list[int]:
    text = Text(prompt, COUNT, Sampler({"temperature": 0}, 0), frozenset(), time.monotonic() + 60)
    return list(scheduler.generate(text))


def at_once(ask: Callable[[int], Any], count: int) -> list[Any]:
    found: list[Any] = [None] * count
    threads = [threading.Thread(target=lambda at=at: found.__setitem__(at, ask(at))) for at in range(count)]  # type: ignore[misc] # bound now
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


@pytest.mark.parametrize("name", [*WITH_SLOTS, *WITHOUT])
def test_a_family_writes_what_kerashub_writes(name: str) -> None:
    model = made(*(WITH_SLOTS | WITHOUT)[name])
    decoder = decoder_of(tensorflow(), model)
    assert isinstance(decoder, Slotted) == (name in WITH_SLOTS)
    expected = generated(model, PROMPTS, COUNT)
    assert len({token for text in expected for token in text}) > 5, "a model that says one word shows nothing"
    scheduler = Scheduler(decoder)
    assert [written(scheduler, prompt) for prompt in PROMPTS] == expected
    assert at_once(lambda at: written(scheduler, PROMPTS[at]), len(PROMPTS)) == expected
    if isinstance(decoder, Slotted):
        assert decoder.traces == 1, "whatever comes, nothing is traced again"
    scheduler.close()


def test_a_window_that_kerashub_cannot_generate_with_is_kept() -> None:
    model = made("Qwen", {**_SIZES, "use_sliding_window_attention": True, "sliding_window_size": 7})
    scheduler = Scheduler(decoder_of(tensorflow(), model))
    for prompt in PROMPTS[2:5]:
        text = list(prompt)
        for _ in range(6):
            seen = {"token_ids": np.asarray([text], np.int32), "padding_mask": np.ones((1, len(text)), np.int32)}
            text.append(int(np.asarray(model(seen))[0, -1].argmax()))
        assert written(scheduler, prompt)[:6] == text[len(prompt) :]
    scheduler.close()


@pytest.mark.parametrize("kind", ["gpt2", "llama", "mistral", "qwen2", "qwen3"])
def test_a_folder_of_hugging_face_is_served_with_slots(tmp_path: Path, kind: str) -> None:
    folder = decoder_folder(tmp_path / kind, kind)
    task = registry.get("text-generation")
    engine = engine_of(ReplicaSpec("r", "tensorflow", str(folder), f"a/{kind}", task, describe(folder, task)))
    engine.load()
    assert isinstance(engine._scheduler._decoder, Slotted)  # type: ignore[attr-defined] # a Generator
    tokens, texts = Tokens(folder), ["The cat sat", "A ship", "Numbers add up when"]
    model = keras_hub().models.CausalLM.from_preset(str(folder), preprocessor=None, dtype="float32")
    for text, expected in zip(texts, generated(model, [tokens.encode(text) for text in texts], COUNT), strict=True):
        read = tokens.reader()
        whole = "".join(read(token) for token in expected)
        got = engine.infer(Work({"prompt": text, "temperature": 0, "max_tokens": COUNT})).output
        assert got["text"]
        assert whole.startswith(got["text"]) if got["finish_reason"] == "stop" else got["text"] == whole
    assert engine.memory_bytes > 4 * model.count_params(), "the cache takes memory too"
    engine.unload()


def test_a_folder_says_the_temperature_where_a_caller_does_not(tmp_path: Path) -> None:
    folder, task = decoder_folder(tmp_path / "llama", "llama"), registry.get("chat")
    (folder / "generation_config.json").write_text('{"do_sample": false}')
    engine = engine_of(ReplicaSpec("r", "tensorflow", str(folder), "a/b", task, describe(folder, task)))
    engine.load()
    cold = engine.infer(Work({"prompt": "The cat", "max_tokens": COUNT, "temperature": 0})).output
    assert engine.infer(Work({"prompt": "The cat", "max_tokens": COUNT})).output == cold
    hot = [
        engine.infer(Work({"prompt": "The cat", "max_tokens": COUNT, "temperature": 2, "seed": seed})).output
        for seed in range(3)
    ]
    assert any(one != cold for one in hot)
    engine.unload()


def test_whose_time_runs_out_in_line_for_a_slot_is_told_then(tmp_path: Path) -> None:
    decoder = decoder_of(tensorflow(), made("Llama3", _SIZES))
    scheduler = Scheduler(decoder)

    def text(most: int, timeout_s: float) -> Text:
        return Text([1], most, Sampler({"temperature": 0}, 0), frozenset(), time.monotonic() + timeout_s)

    busy = [scheduler.generate(text(1000, 60)) for _ in range(decoder.slots)]
    assert all(next(stream) for stream in busy)
    started = time.monotonic()
    with pytest.raises(DeadlinePassed, match="did not get to the request"):
        next(scheduler.generate(text(1, 0.1)))
    assert time.monotonic() - started < 0.5, "the others write for seconds"
    for stream in busy:
        stream.close()  # type: ignore[attr-defined] # a generator
    scheduler.close()


def test_unloading_frees_what_loading_took(tmp_path: Path) -> None:
    folder = decoder_folder(tmp_path / "llama", "llama")
    task = registry.get("chat")
    gc.collect()  # what other tests left
    before = alive()
    for _ in range(2):
        engine = engine_of(ReplicaSpec("r", "tensorflow", str(folder), "a/b", task, describe(folder, task)))
        engine.load()
        engine.infer(Work({"prompt": "The cat", "max_tokens": 3}))
        assert alive() > before
        engine.unload()
    assert alive() == before


def alive() -> int:
    """How many models' graphs and caches are in memory."""
    return sum(type(one).__name__ in ("Slotted", "FuncGraph") for one in gc.get_objects())
