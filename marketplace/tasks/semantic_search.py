"""A query and documents → the documents by how near their meaning is. The model gives each text a vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from marketplace.tasks.embeddings import QUALITY, vectors
from marketplace.tasks.task import Arrays, Json, ModelSpec, Task
from marketplace.tasks.task import said as _

MOST_DOCUMENTS = 1_000
MOST_CHARACTERS = 20_000


class SemanticSearch:
    """Documents are ranked by the cosine of their vector with the query's; each is a row, and so is the query."""

    def input_schema(self, spec: ModelSpec) -> dict[str, Any]:
        text = {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS}
        return {
            "type": "object",
            "properties": {
                "query": {**text, "title": _("Query")},
                "documents": {
                    "title": _("Documents"), "type": "array", "items": text, "minItems": 1, "maxItems": MOST_DOCUMENTS,
                },
                "top_k": {"title": _("At most so many"), "type": "integer", "minimum": 1, "maximum": MOST_DOCUMENTS},
            },
            "required": ["query", "documents"],
            "additionalProperties": False,
        }  # fmt: skip

    def output_schema(self, spec: ModelSpec) -> dict[str, Any]:
        item = {
            "type": "object",
            "properties": {
                "index": {"type": "integer", "minimum": 0},
                "text": {"type": "string"},
                "score": {"type": "number", "minimum": -1, "maximum": 1},
            },
            "required": ["index", "text", "score"],
            "additionalProperties": False,
        }
        return {
            "type": "object",
            "properties": {"items": {"type": "array", "items": item, "minItems": 1}},
            "required": ["items"],
            "additionalProperties": False,
        }

    def prepare(self, given: Json, spec: ModelSpec) -> Arrays:
        return {spec.inputs[0].name: np.asarray([given["query"], *given["documents"]], object)}

    def present(self, given: Json, outputs: Arrays, spec: ModelSpec) -> Json:
        found = vectors(outputs)
        length = np.maximum(np.linalg.norm(found, axis=1, keepdims=True), 1e-12)
        unit = found / length
        scores = np.clip(unit[1:] @ unit[0], -1, 1)
        order = np.argsort(-scores, kind="stable")[: given.get("top_k")]
        documents = given["documents"]
        return {"items": [{"index": int(i), "text": documents[i], "score": round(float(scores[i]), 6)} for i in order]}

    def units(self, given: Json) -> dict[str, int]:
        return {"row": len(given["documents"]) + 1}


SEMANTIC_SEARCH = Task(
    name="semantic-search",
    title=_("Semantic search"),
    summary=_("Ranks documents by how near their meaning is to a query's."),
    modality="language",
    codec=SemanticSearch(),
    widget="fields",
    metrics=QUALITY,
    examples=(
        {
            "query": "I forgot my password",
            "documents": [
                "Geben Sie eine gültige E-Mail-Adresse ein.",
                "Passwort zurücksetzen",
                "您的密码已经设置。现在您可以继续进行登录。",
                "Aucun résultat",
                "La página no existe",
            ],
            "top_k": 3,
        },
    ),
    also=(
        "retrieval",
        "RAG",
        "reranker",
        "reranking",
        "document search",
        "knowledge base",
        "similarity",
        "检索",
        "检索增强",
        "知识库",
    ),
)
