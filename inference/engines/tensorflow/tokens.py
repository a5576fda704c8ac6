"""Text ↔ tokens, by Hugging Face's `tokenizers`, from either layout of folder; and the folder's chat template."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2.exceptions import TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment
from tokenizers import Tokenizer, implementations
from tokenizers.decoders import DecodeStream

from marketplace.errors import InputInvalid, ModelNotReady
from marketplace.training.artifact import read_json

_PLAIN = (
    "{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}\n{% endfor %}"
    "{% if add_generation_prompt %}assistant:{% endif %}"
)
_ENDS = ("<|endoftext|>", "<|im_end|>", "<|eot_id|>", "<|end_of_text|>", "</s>", "<eos>", "<end_of_turn>", "[SEP]")


class Tokens:
    """A model's tokenizer."""

    def __init__(self, place: Path) -> None:
        self._tokenizer = _tokenizer(place)
        settings = read_json(place / "tokenizer_config.json")
        self._special = {
            name: _content(settings.get(name)) for name in ("bos_token", "eos_token", "unk_token", "pad_token")
        }
        template = settings.get("chat_template") or _file(place / "chat_template.jinja") or _PLAIN
        if isinstance(template, list):  # several by name
            template = next((one["template"] for one in template if one.get("name") == "default"), _PLAIN)
        self._template = _environment().from_string(template)
        self.ends = self._end_tokens(place)

    def encode(self, text: str, special: bool = True) -> list[int]:
        """The text's tokens; with those that the tokenizer adds around a text where `special`."""
        return list(self._tokenizer.encode(text, add_special_tokens=special).ids)

    def encode_batch(self, texts: Sequence[str], most: int) -> list[list[int]]:
        """Each text's tokens with those around it, at most `most` of them."""
        return [_cut(one.ids, most) for one in self._tokenizer.encode_batch(list(texts))]

    def prompt(self, messages: Sequence[Mapping[str, Any]]) -> list[int]:
        """The tokens of a conversation, by the folder's template. Raises InputInvalid where the template refuses it."""
        try:
            text = self._template.render(messages=messages, add_generation_prompt=True, **self._special)
        except (TemplateError, TypeError, KeyError) as error:
            raise InputInvalid(
                f"The model's template cannot put these messages together: {str(error)[:200]}", param="/messages"
            ) from error
        return self.encode(text, special=False)

    def reader(self) -> Any:
        """For one answer: gives text as its tokens come, never half a character."""
        stream = DecodeStream(skip_special_tokens=True)
        return lambda token: stream.step(self._tokenizer, token) or ""

    def _end_tokens(self, place: Path) -> frozenset[int]:
        found: set[int] = set()
        for file in ("generation_config.json", "config.json"):
            ends = read_json(place / file).get("eos_token_id")
            found |= set(ends) if isinstance(ends, list) else {ends} if isinstance(ends, int) else set()
        if not found:
            names = [self._special["eos_token"]] if self._special["eos_token"] else list(_ENDS)
            found = {number for name in names if (number := self._tokenizer.token_to_id(name)) is not None}
        return frozenset(found)


def _tokenizer(place: Path) -> Tokenizer:
    whole = place / "tokenizer.json"
    assets = place / "assets" / "tokenizer"
    try:
        if "model" in read_json(whole):
            return Tokenizer.from_file(str(whole))
        if (assets / "merges.txt").is_file():
            files = str(assets / "vocabulary.json"), str(assets / "merges.txt")
            return _inner(implementations.ByteLevelBPETokenizer.from_file(*files))  # type: ignore[attr-defined] # not in its stubs
        if (assets / "vocabulary.txt").is_file():
            words = str(assets / "vocabulary.txt")
            return _inner(implementations.BertWordPieceTokenizer.from_file(words))  # type: ignore[attr-defined] # as above
    except Exception as error:  # the library raises bare Exceptions
        raise ModelNotReady(f"The tokenizer cannot be read: {str(error)[:200]}") from error
    raise ModelNotReady("The folder has no tokenizer.json, and no vocabulary that can be read in its place.")


def _inner(made: Any) -> Tokenizer:
    """The tokenizer that the library's ready-made ones wrap."""
    found: Tokenizer = made._tokenizer
    return found


def _environment() -> ImmutableSandboxedEnvironment:
    """As transformers makes it: a template is somebody else's program, so it runs in a sandbox."""

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True)
    environment.globals["raise_exception"] = refuse
    return environment


def _cut(ids: Sequence[int], most: int) -> list[int]:
    """At most `most` tokens, the last one kept: it closes the text for the model."""
    return list(ids) if len(ids) <= most else [*ids[: most - 1], ids[-1]]


def _content(token: Any) -> str:
    return str(token.get("content", "")) if isinstance(token, dict) else str(token or "")


def _file(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""
