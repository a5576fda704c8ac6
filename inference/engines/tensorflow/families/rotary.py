"""Llama and its kin: rotated places, root mean square norms, gated feed-forward, shared keys and values.

Su et al.: RoFormer, 2021 · Touvron et al.: LLaMA, 2023 · Ainslie et al.: GQA, 2023 · Shazeer: GLU Variants, 2020. The
families differ in biases (Qwen 2), norms of queries and keys (Qwen 3), windows (Mistral), a scaled embedding, GELU, norms
after a part and soft bounds (Gemma); whatever of it a layer has is done.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from marketplace.training.artifact import MOST_CONTEXT

KNOWN = (
    "LlamaCausalLM", "Llama3CausalLM", "MistralCausalLM", "QwenCausalLM", "Qwen3CausalLM", "GemmaCausalLM",
    "Phi3CausalLM",
)  # fmt: skip


def knows(model: Any) -> bool:
    """Whether the KerasHub CausalLM is of these families."""
    # Phi-3's long contexts choose their frequencies by the length of a text.
    return type(model).__name__ in KNOWN and not getattr(model.backbone, "rope_scaling_type", None)


def of(tf: Any, backbone: Any) -> Rotary:
    """The backbone's family, see slots."""
    return Rotary(tf, backbone)


class Rotary:
    """See slots.Family."""

    def __init__(self, tf: Any, backbone: Any) -> None:
        self._tf = tf
        gemma = type(backbone).__name__ == "GemmaBackbone"
        first = _part(backbone.transformer_layers[0], "_self_attention_layer", "attention")
        self.context = int(getattr(backbone, "max_sequence_length", None) or MOST_CONTEXT)
        self.heads, self.shared = int(backbone.num_query_heads), int(backbone.num_key_value_heads)
        self.size = int(_part(first, "_value_dense", "value_dense").kernel.shape[-1])
        by_head = getattr(backbone, "query_head_dim_normalize", True)
        self.scale = (self.size if by_head else backbone.hidden_dim // self.heads) ** -0.5
        self.cap = getattr(first, "logit_soft_cap", None)
        self.blocks = [Block(tf, layer, self.heads, self.shared, gemma) for layer in backbone.transformer_layers]
        embedding = backbone.token_embedding
        self._tokens = tf.convert_to_tensor(embedding.embeddings)
        tied = embedding.tie_weights
        self._unembed = tf.transpose(self._tokens) if tied else tf.convert_to_tensor(embedding.reverse_embeddings)
        self._bound = embedding.logit_soft_cap
        self._heat = float(backbone.hidden_dim) ** 0.5 if gemma else None
        self._norm = _norm(tf, backbone.layer_norm, gemma)
        # The layer's own angles, whatever scales them (Llama 3.1's bands among it), for every place once.
        rope = _part(first, "rotary_embedding_layer", "rope_layer")
        every = tf.range(min(self.context, MOST_CONTEXT), dtype=tf.float32)[None]
        angles = rope._compute_cos_sin_embedding(tf.zeros((1, every.shape[1], self.size)), positions=every)
        self._angles = tf.stack([table[0] for table in angles], 1)  # [places, 2, size]

    def embed(self, tokens: Any, at: Any) -> tuple[Any, Any]:
        """See slots.Family. A token's `places` are the cosines and sines to turn by [n, 1, size]."""
        tf = self._tf
        x = tf.gather(self._tokens, tokens)
        angles = tf.gather(self._angles, at)
        return x if self._heat is None else x * self._heat, (angles[:, :1], angles[:, 1:])

    def logits(self, x: Any) -> Any:
        """See slots.Family."""
        found = self._tf.matmul(self._norm(x), self._unembed)
        return found if self._bound is None else self._tf.tanh(found / self._bound) * self._bound


class Block:
    """See slots.Block. The three projections are joined."""

    def __init__(self, tf: Any, layer: Any, heads: int, shared: int, gemma: bool) -> None:
        self._tf, self._heads, self._shared = tf, heads, shared
        attention = _part(layer, "_self_attention_layer", "attention")
        dense = [_part(attention, f"_{name}_dense", f"{name}_dense") for name in ("query", "key", "value")]
        width = int(layer.hidden_dim if not gemma else attention.hidden_dim)
        self._size = int(dense[0].kernel.shape[-1])
        kernels = [tf.convert_to_tensor(part.kernel) for part in dense]
        if gemma:  # has the heads before the width
            kernels = [tf.transpose(kernel, (1, 0, 2)) for kernel in kernels]
        self._in = tf.concat([tf.reshape(kernel, (width, -1)) for kernel in kernels], 1)
        biased = dense[0].bias is not None
        self._in_bias = tf.concat([tf.reshape(part.bias, (-1,)) for part in dense], 0) if biased else None
        out = _part(attention, "_output_dense", "output_dense").kernel
        self._out = tf.reshape(tf.convert_to_tensor(out), (-1, width))
        self._gate, self._up, self._down = (
            tf.convert_to_tensor(_part(layer, *names).kernel)
            for names in (
                ("_feedforward_gate_dense", "feedforward_gate_dense", "gating_ffw"),
                ("_feedforward_intermediate_dense", "feedforward_intermediate_dense", "gating_ffw_2"),
                ("_feedforward_output_dense", "feedforward_output_dense", "ffw_linear"),
            )
        )
        # tf.nn.silu registers a gradient for ever, and with it the graph and all it captured.
        self._activate: Callable[[Any], Any] = (
            (lambda x: tf.nn.gelu(x, approximate=True)) if gemma else (lambda x: x * tf.sigmoid(x))
        )

        def norm(owner: Any, *names: str) -> Any:
            return _norm(tf, _part(owner, *names), gemma)

        def if_any(owner: Any, name: str) -> Any:
            return norm(owner, name) if hasattr(owner, name) else lambda x: x

        self._norm_1 = norm(layer, "_self_attention_layernorm", "pre_attention_layernorm", "pre_attention_norm")
        self._norm_2 = norm(layer, "_feedforward_layernorm", "post_attention_layernorm", "pre_ffw_norm")
        self._norm_query = if_any(attention, "_query_dense_layer_norm")
        self._norm_key = if_any(attention, "_key_dense_layer_norm")
        self._norm_mixed = if_any(layer, "post_attention_norm")
        self._norm_fed = if_any(layer, "post_ffw_norm")
        self.window = _window(attention)

    def project(self, x: Any, places: Any) -> tuple[Any, Any, Any]:
        """See slots.Block."""
        tf = self._tf
        joined = tf.matmul(self._norm_1(x), self._in)
        if self._in_bias is not None:
            joined += self._in_bias
        joined = tf.reshape(joined, (-1, self._heads + 2 * self._shared, self._size))
        query, key, value = tf.split(joined, [self._heads, self._shared, self._shared], axis=1)
        return self._turned(self._norm_query(query), places), self._turned(self._norm_key(key), places), value

    def rest(self, x: Any, attended: Any) -> Any:
        """See slots.Block."""
        tf = self._tf
        x = x + self._norm_mixed(tf.matmul(attended, self._out))
        inner = self._norm_2(x)
        inner = self._activate(tf.matmul(inner, self._gate)) * tf.matmul(inner, self._up)
        return x + self._norm_fed(tf.matmul(inner, self._down))

    def _turned(self, x: Any, places: Any) -> Any:
        """Each pair of a head's halves turned by its place's angle."""
        first, second = self._tf.split(x, 2, axis=-1)
        return x * places[0] + self._tf.concat([-second, first], -1) * places[1]


def _part(owner: Any, *names: str) -> Any:
    """The part by the name that this family gives it."""
    return next(getattr(owner, name) for name in names if hasattr(owner, name))


def _window(attention: Any) -> int | None:
    """How many places back it looks, its own among them."""
    if not getattr(attention, "use_sliding_window_attention", True):
        return None
    window = getattr(attention, "_sliding_window", None) or getattr(attention, "sliding_window_size", None)
    return int(window) if window else None


def _norm(tf: Any, layer: Any, gemma: bool) -> Any:
    scale, epsilon = tf.convert_to_tensor(layer.scale) + float(gemma), float(layer.epsilon)

    def norm(x: Any) -> Any:
        return x * tf.math.rsqrt(tf.reduce_mean(tf.square(x), -1, keepdims=True) + epsilon) * scale

    return norm
