"""Additive networks: one small network a column, whose outputs are summed, so that every answer gives its exact reasons.

As recipes.additive, for uploaded tables: the logit of the second of two labels is a base and a number a column, each a
function of that column alone, 0 on average over the training split; calibrated on the validation split by Platt's scaling.
The signature also answers {"contributions": (B, columns), "base": (B, 1)}.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from marketplace.tasks.task import Tensor
from marketplace.training.recipes import calibrating
from marketplace.training.recipes.additive import KNOBS

__all__ = ["KNOBS", "answers", "body", "head"]
EFFECTS, LOGIT = "effects", "logit"


def body(inputs: Mapping[str, Any], prepared: Any, chosen: Mapping[str, Any]) -> Any:
    """See recipe.TableRecipe: a number a column (B, columns), in the columns' order."""
    import keras

    layers, places = keras.layers, prepared.places
    by_name = dict(zip([one.name for one in prepared.categories], prepared.vectors(inputs), strict=True))
    effects = []
    for column in prepared.columns:
        alone = by_name.get(column.name)
        if alone is None:
            alone = keras.ops.take(inputs["measures"], np.asarray(places[column.name]), axis=1)
        for units in (chosen["units"], chosen["units"]):
            alone = layers.Dropout(chosen["dropout"])(layers.Dense(units, "relu")(alone))
        effects.append(layers.Dense(1)(alone))
    return layers.Concatenate(name=EFFECTS)(effects) if len(effects) > 1 else layers.Identity(name=EFFECTS)(effects[0])


def head(effects: Any, truth: Any, learn: Any) -> Any:
    """Σ and a bias, as the chances of both labels. Raises ValueError for a target that has not two values."""
    import keras

    if len(truth.labels) != 2:
        raise ValueError(
            "reasons are given for one of two labels: choose a column with two values, or the recipe dense"
        )
    logit = keras.layers.Dense(1, kernel_initializer="ones", name=LOGIT)(effects)
    return keras.layers.Softmax()(keras.layers.Concatenate()([keras.ops.zeros_like(logit), logit]))


def answers(network: Any, prepared: Any, truth: Any, parts: Any) -> Any:
    """The sum's weights and the calibration are folded into the base and the contributions."""
    import keras
    import tensorflow as tf

    each = keras.Model(network.inputs, network.get_layer(EFFECTS).output)
    weights, bias = (np.asarray(one, np.float64) for one in network.get_layer(LOGIT).get_weights())
    learn, check = ({k: v.numpy() for k, v in prepared.ready(**prepared.raw(rows)).items()} for rows in parts)

    def given(ready: Any) -> Any:
        return [ready[one.name] for one in network.inputs]

    typical = each.predict(given(learn), verbose=0).mean(0).astype(np.float64)
    logits = each.predict(given(check), verbose=0).astype(np.float64) @ weights[:, 0] + bias[0]
    slope, offset = calibrating.platt(logits, truth.values[parts[1]])
    scale, centre = tf.constant(slope * weights[:, 0], tf.float32), tf.constant(typical, tf.float32)
    base = tf.constant(slope * float(typical @ weights[:, 0] + bias[0]) + offset, tf.float32)

    def reasoned(ready: Mapping[str, Any]) -> dict[str, Any]:
        contributions = (each(given(ready), training=False) - centre) * scale
        logit = tf.reduce_sum(contributions, 1, keepdims=True) + base
        return {
            "probabilities": tf.sigmoid(tf.concat([-logit, logit], 1)),
            "contributions": contributions,
            "base": tf.zeros_like(logit) + base,
        }

    columns = len(prepared.columns)
    return reasoned, (Tensor("contributions", "float32", (None, columns)), Tensor("base", "float32", (None, 1)))
