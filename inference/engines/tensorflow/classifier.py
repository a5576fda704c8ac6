"""Image classifiers of KerasHub, from its own folders or Hugging Face's: pictures made ready as the folder says."""

from __future__ import annotations

from typing import Any

import numpy as np

from inference.engines.batching import Arrays
from inference.engines.engine import ReplicaSpec, Work
from inference.engines.tensorflow.kerasfile import KerasModel
from inference.engines.tensorflow.library import keras, keras_hub, tensorflow
from marketplace.errors import ModelNotReady
from marketplace.tasks.pictures import decode
from marketplace.training.pictures import converter_of
from portal.kit.errors import Problem


class Classifier(KerasModel):
    """See engine.Engine. Answers with probabilities; tensors that come raw are those that the model itself reads."""

    def __init__(self, replica: ReplicaSpec) -> None:
        super().__init__(replica)
        self._ready: Any = None

    def model(self) -> Any:
        """See KerasModel."""
        tf = tensorflow()
        try:
            found = keras_hub().models.ImageClassifier.from_preset(str(self._place), preprocessor=None, dtype="float32")
            converter = converter_of(self._place)
        except Problem as problem:
            raise ModelNotReady(problem.message) from problem
        except Exception as error:  # the library raises whatever its parsers raise
            raise ModelNotReady(f"{self._replica.model} cannot be loaded: {str(error)[:200]}") from error

        @tf.function(input_signature=[tf.TensorSpec([None, None, 3], tf.float32)])  # type: ignore[untyped-decorator] # no types
        def ready(picture: Any) -> Any:
            return converter(picture[None])

        self._ready = ready
        ready(tf.zeros((8, 8, 3)))
        return found if _gives_probabilities(found) else lambda x, training: tf.nn.softmax(found(x, training=training))

    def prepared(self, work: Work) -> Arrays:
        """See KerasModel."""
        if "image" not in work.given:  # of another task
            return super().prepared(work)
        picture = np.asarray(decode(work.given["image"]), np.float32)
        return {self._replica.spec.inputs[0].name: self._ready(picture).numpy()}

    def unload(self) -> None:
        """See engine.Engine."""
        self._ready = None
        super().unload()


def _gives_probabilities(model: Any) -> bool:
    return keras().activations.get(model.activation) is not keras().activations.linear
