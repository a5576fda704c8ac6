"""Chat: messages in, a message out, by the OpenAI protocol."""

from __future__ import annotations

from typing import Any

from marketplace.errors import InputInvalid
from marketplace.tasks.task import Arrays, Json, Metric, ModelSpec, Task
from marketplace.tasks.task import said as _


class Conversation:
    """Messages pass to the upstream as they are; only their frame is checked here."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "messages": {
                    "type": "array",
                    "minItems": 1,
                    "maxItems": 2_000,
                    "items": {
                        "type": "object",
                        "properties": {
                            "role": {"enum": ["system", "developer", "user", "assistant", "tool", "function"]},
                            "content": {"type": ["string", "array", "null"]},
                        },
                        "required": ["role"],
                    },
                },
                "max_tokens": {"type": ["integer", "null"], "minimum": 1},
                "max_completion_tokens": {"type": ["integer", "null"], "minimum": 1},
                "temperature": {"type": ["number", "null"], "minimum": 0, "maximum": 2},
                "top_p": {"type": ["number", "null"], "minimum": 0, "maximum": 1},
                "n": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
                "best_of": {"type": ["integer", "null"], "minimum": 1, "maximum": 128},
                "stop": {"type": ["string", "array", "null"]},
                "seed": {"type": ["integer", "null"]},
                "stream": {"type": ["boolean", "null"]},
                "stream_options": {
                    "type": ["object", "null"],
                    "properties": {"include_usage": {"type": "boolean"}},
                },
            },
            "required": ["messages"],
        }

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        return {
            "type": "object",
            "properties": {
                "choices": {
                    "type": "array",
                    "items": {
                        "type": "object",
                        "properties": {"message": {"type": "object"}, "finish_reason": {"type": ["string", "null"]}},
                        "required": ["message"],
                    },
                },
                "text": {"description": "What a model says that runs here, in place of choices.", "type": "string"},
                "finish_reason": {"enum": ["stop", "length"]},
                "stop_sequence": {"description": "That of `stop` which ended the text.", "type": "string"},
            },
            "anyOf": [{"required": ["choices"]}, {"required": ["text", "finish_reason"]}],
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        raise InputInvalid("This model converses: call it by chat completions or predictions.")

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        return outputs

    def units(self, given: Json) -> dict[str, int]:
        return {}


CHAT = Task(
    name="chat",
    title=_("Chat"),
    summary=_("Answers in a conversation."),
    modality="language",
    codec=Conversation(),
    widget="chat",
    metrics=(Metric("exact_match", _("Right to the letter"), percent=True),),
    protocols=("openai", "predictions"),
    streams=True,
    examples=({"messages": [{"role": "user", "content": "Say hello in one sentence."}], "max_tokens": 60},),
    also=(
        "chatbot",
        "assistant",
        "conversation",
        "dialogue",
        "LLM",
        "large language model",
        "instruct",
        "ChatGPT",
        "GPT",
        "Claude",
        "agent",
        "聊天",
        "助手",
        "大模型",
    ),
)
