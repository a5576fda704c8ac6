"""KerasHub and Hugging Face folders, and .keras files: loaded, run, and equal to what they must be."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.engines.engine import Engine, Piece, ReplicaSpec, Work
from inference.engines.tensorflow.engine import engine_of
from inference.errors import ContextTooLong, Overloaded
from marketplace.errors import InputInvalid, SourceInvalid
from marketplace.tasks import registry
from marketplace.training.signature import describe
from portal.kit.errors import Problem
from tests.fixtures.language import SENTENCES, bert_by_hand, encoder_folder

PROMPT = "The cat sat"


def engine(place: Path, task: str, **options: Any) -> Engine:
    declared = registry.get(task)
    made = engine_of(ReplicaSpec("r", "tensorflow", str(place), "a/b", declared, describe(place, declared), options))
    made.load()
    return made


@pytest.fixture(scope="module")
def writer(writer_folder: Path) -> Iterator[Engine]:
    made = engine(writer_folder, "chat")
    yield made
    made.unload()


def said(writer: Engine, **given: Any) -> str:
    return str(writer.infer(Work({"prompt": PROMPT, "temperature": 0, **given})).output["text"])


def test_greedy_text_is_what_kerashub_generates(writer: Engine, writer_folder: Path) -> None:
    from inference.engines.tensorflow.library import keras_hub
    from inference.engines.tensorflow.tokens import Tokens

    tokens = Tokens(writer_folder)
    prompt, count = tokens.encode(PROMPT), 24
    model = keras_hub().models.CausalLM.from_preset(str(writer_folder), preprocessor=None)
    model.compile(sampler="greedy")
    padded, mask = np.zeros((2, 1, len(prompt) + count), "int32")
    padded[0, : len(prompt)], mask[0, : len(prompt)] = prompt, 1
    found = model.generate({"token_ids": padded, "padding_mask": mask}, stop_token_ids=None)["token_ids"]
    read = tokens.reader()
    expected = "".join(read(int(token)) for token in np.asarray(found)[0, len(prompt) :])
    got = writer.infer(Work({"prompt": PROMPT, "temperature": 0, "max_tokens": count}))
    assert got.output["text"].startswith(expected[: len(got.output["text"])])
    assert got.output["text"]
    assert got.units["input_token"] == len(prompt)


def test_a_text_is_the_same_alone_and_among_others(writer: Engine) -> None:
    def ask(seed: int) -> str:
        return said(writer, temperature=0.9, top_p=0.9, seed=seed, max_tokens=20)

    alone = [ask(seed) for seed in range(8)]
    together: list[str] = [""] * 8
    threads = [
        threading.Thread(target=lambda seed=seed: together.__setitem__(seed, ask(seed)))  # type: ignore[misc] # bound now
        for seed in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert together == alone
    assert len(set(alone)) > 1


def test_pieces_join_to_the_whole_and_no_character_is_broken(writer: Engine) -> None:
    given = {"messages": [{"role": "user", "content": "Grüße"}], "temperature": 0, "max_tokens": 30}
    pieces = list(writer.stream(Work(given)))
    assert "".join(piece.text for piece in pieces) == writer.infer(Work(given)).output["text"]
    assert pieces[-1].finish in ("stop", "length")
    assert pieces[-1].units["output_token"] <= 30


def test_a_stop_sequence_ends_the_text_before_it(writer: Engine) -> None:
    whole = said(writer, max_tokens=30)
    stop = whole[6:9]
    got = writer.infer(Work({"prompt": PROMPT, "temperature": 0, "max_tokens": 30, "stop": [stop, "never said"]}))
    assert got.output == {"text": whole[: whole.index(stop)], "finish_reason": "stop", "stop_sequence": stop}


def test_a_reader_who_leaves_frees_the_slot(writer: Engine) -> None:
    for _ in range(20):
        pieces = writer.stream(Work({"prompt": PROMPT, "max_tokens": 100}))
        next(iter(pieces))
        pieces.close()  # type: ignore[attr-defined] # a generator
    assert said(writer, max_tokens=5)


@pytest.mark.parametrize(
    ("given", "param"),
    [
        ({"tools": [{}]}, "/tools"),
        ({"response_format": {"type": "json_object"}}, "/response_format"),
        ({"n": 2}, "/n"),
        ({"logprobs": True}, "/logprobs"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}, "/messages/0/content"),
    ],
)
def test_what_it_cannot_do_is_refused_by_name(writer: Engine, given: dict[str, Any], param: str) -> None:
    with pytest.raises(InputInvalid) as refused:
        writer.infer(Work({"messages": [{"role": "user", "content": "hello"}], **given}))
    assert refused.value.param == param


def test_a_prompt_that_is_too_long_is_refused_with_the_numbers(writer: Engine) -> None:
    with pytest.raises(ContextTooLong, match="128"):
        writer.infer(Work({"prompt": "moon " * 300}))


def test_more_than_may_wait_are_refused_at_once(writer_folder: Path) -> None:
    small = engine(writer_folder, "text-generation", queue_max=2)
    streams, refused = [], 0.0
    started = time.monotonic()
    for _ in range(40):
        try:
            streams.append(small.stream(Work({"prompt": PROMPT, "max_tokens": 100})))
        except Overloaded:
            refused = time.monotonic() - started
            break
    assert 0 < refused < 1
    for stream in streams:
        assert isinstance(next(iter(stream)), Piece)
        stream.close()  # type: ignore[attr-defined] # a generator


def test_embeddings_agree_with_the_reference_to_four_decimals(reader_folder: Path) -> None:
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer

    reader = engine(reader_folder, "embeddings")
    got = reader.infer(Work({"texts": SENTENCES}))
    weights = load_file(str(reader_folder / "model.safetensors"))
    encoded = [Tokenizer.from_file(str(reader_folder / "tokenizer.json")).encode(text).ids for text in SENTENCES]
    for vector, ids in zip(got.output["embeddings"], encoded, strict=True):
        assert float(np.dot(vector, bert_by_hand(weights, ids))) > 1 - 1e-4
    assert got.units["input_token"] == sum(map(len, encoded))
    short = reader.infer(Work({"texts": ["cat"], "dimensions": 8})).output["embeddings"][0]
    assert len(short) == 8
    assert abs(np.linalg.norm(short) - 1) < 1e-6
    with pytest.raises(InputInvalid):
        reader.infer(Work({"texts": ["cat"], "dimensions": 99}))


@pytest.mark.parametrize("prefixed", [False, True])
@pytest.mark.parametrize("kind", ["roberta", "distilbert"])
def test_encoders_of_other_families_agree_too(reader_folder: Path, tmp_path: Path, kind: str, prefixed: bool) -> None:
    reader = engine(reader_folder, "embeddings")
    other = engine(encoder_folder(tmp_path / kind, reader_folder, kind, prefixed), "embeddings")
    texts = [*SENTENCES, " ".join(SENTENCES[:3] * 4)]  # the last is longer than what they read
    expected = reader.infer(Work({"texts": texts})).output["embeddings"]
    got = other.infer(Work({"texts": texts})).output["embeddings"]
    for vector, other_vector in zip(expected, got, strict=True):
        assert float(np.dot(vector, other_vector)) > 1 - 1e-4


def test_an_architecture_that_cannot_be_loaded_is_refused_by_name(reader_folder: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(reader_folder, tmp_path / "mpnet")
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "model_type": "mpnet"}))
    with pytest.raises(SourceInvalid, match="mpnet"):
        describe(folder, registry.get("embeddings"))
    del config["hidden_size"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(SourceInvalid, match="needs 'hidden_size' in mpnet/config.json"):
        describe(folder, registry.get("embeddings"))


def test_a_model_of_another_task_is_refused_by_name(reader_folder: Path, writer_folder: Path) -> None:
    with pytest.raises(SourceInvalid, match="A Bert generates no text: its task may be embeddings"):
        describe(reader_folder, registry.get("chat"))
    with pytest.raises(SourceInvalid, match="A GPT2 generates text: its task is chat"):
        describe(writer_folder, registry.get("embeddings"))


def test_a_keras_file_is_served_and_code_in_it_is_not_run(tmp_path: Path) -> None:
    from inference.engines.tensorflow.library import keras

    k = keras()
    model = k.Sequential([k.Input((3,), name="x"), k.layers.Dense(2)])
    model.save(tmp_path / "dense.keras")
    served = engine(tmp_path / "dense.keras", "tensor")
    x = np.ones((2, 3), "float32")
    outputs = served.infer(
        Work({describe(tmp_path / "dense.keras", registry.get("tensor")).inputs[0].name: x}, raw=True)
    )
    np.testing.assert_allclose(next(iter(outputs.output.values())), np.asarray(model(x)), rtol=1e-5)
    trap = k.Sequential([k.Input((3,)), k.layers.Lambda(lambda v: v * 2)])
    trap.save(tmp_path / "trap.keras")
    with pytest.raises(SourceInvalid, match="never run"):
        describe(tmp_path / "trap.keras", registry.get("tensor"))


def test_a_folder_that_is_no_model_is_refused_with_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(Problem, match="config.json"):
        describe(tmp_path, registry.get("chat"))
