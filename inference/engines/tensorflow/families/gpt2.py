"""GPT-2. Radford et al.: Language Models are Unsupervised Multitask Learners, 2019."""

from __future__ import annotations

from typing import Any


def knows(model: Any) -> bool:
    """Whether the KerasHub CausalLM is of this family."""
    return type(model).__name__ == "GPT2CausalLM"


def of(tf: Any, backbone: Any) -> GPT2:
    """The backbone's family, see slots."""
    return GPT2(tf, backbone)


class GPT2:
    """See slots.Family."""

    cap = None

    def __init__(self, tf: Any, backbone: Any) -> None:
        self._tf = tf
        self.context = int(backbone.max_sequence_length)
        self.heads = self.shared = int(backbone.num_heads)
        self.size = int(backbone.hidden_dim) // self.heads
        self.scale = self.size**-0.5
        self.blocks = [Block(tf, layer, self.heads) for layer in backbone.transformer_layers]
        self._tokens = tf.convert_to_tensor(backbone.token_embedding.embeddings)
        self._unembed = tf.transpose(self._tokens)
        self._places = tf.convert_to_tensor(backbone.position_embedding.position_embeddings)
        self._norm = _norm(tf, backbone.layer_norm)

    def embed(self, tokens: Any, at: Any) -> tuple[Any, Any]:
        """See slots.Family."""
        return self._tf.gather(self._tokens, tokens) + self._tf.gather(self._places, at), None

    def logits(self, x: Any) -> Any:
        """See slots.Family."""
        return self._tf.matmul(self._norm(x), self._unembed)


class Block:
    """See slots.Block. The three projections are joined."""

    window = None

    def __init__(self, tf: Any, layer: Any, heads: int) -> None:
        self._tf, self._heads = tf, heads
        attention = layer._self_attention_layer
        width = attention._query_dense.kernel.shape[0]
        dense = (attention._query_dense, attention._key_dense, attention._value_dense)
        self._in = tf.concat([tf.reshape(part.kernel, (width, -1)) for part in dense], 1)
        self._in_bias = tf.concat([tf.reshape(part.bias, (-1,)) for part in dense], 0)
        self._out = tf.reshape(tf.convert_to_tensor(attention._output_dense.kernel), (-1, width))
        self._up, self._down = layer._feedforward_intermediate_dense, layer._feedforward_output_dense
        self._out_bias = tf.convert_to_tensor(attention._output_dense.bias)
        self._norm_1 = _norm(tf, layer._self_attention_layer_norm)
        self._norm_2 = _norm(tf, layer._feedforward_layer_norm)

    def project(self, x: Any, places: Any) -> tuple[Any, Any, Any]:
        """See slots.Block."""
        joined = self._tf.matmul(self._norm_1(x), self._in) + self._in_bias
        query, key, value = self._tf.unstack(
            self._tf.reshape(joined, (-1, 3, self._heads, x.shape[-1] // self._heads)), axis=1
        )
        return query, key, value

    def rest(self, x: Any, attended: Any) -> Any:
        """See slots.Block."""
        tf = self._tf
        x = x + tf.matmul(attended, self._out) + self._out_bias
        inner = tf.nn.gelu(tf.matmul(self._norm_2(x), self._up.kernel) + self._up.bias, approximate=True)
        return x + tf.matmul(inner, self._down.kernel) + self._down.bias


def _norm(tf: Any, layer: Any) -> Any:
    gamma, beta, epsilon = tf.convert_to_tensor(layer.gamma), tf.convert_to_tensor(layer.beta), float(layer.epsilon)

    def norm(x: Any) -> Any:
        mean, variance = tf.nn.moments(x, [-1], keepdims=True)
        return (x - mean) * tf.math.rsqrt(variance + epsilon) * gamma + beta

    return norm
