"""TensorFlow and Keras, imported when first needed: that takes seconds, and nothing that answers people waits for it."""

from __future__ import annotations

import gc
import logging
import os
from typing import Any


def tensorflow() -> Any:
    """TensorFlow, set up for many small requests side by side."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("CUDA_VISIBLE_DEVICES", "-1")
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    import tensorflow as tf

    logging.getLogger("tensorflow").setLevel(logging.ERROR)
    try:
        # Requests are many and models small: cores are better used by requests side by side.
        tf.config.threading.set_intra_op_parallelism_threads(int(os.environ.get("TF_NUM_INTRAOP_THREADS", "1")))
        tf.config.threading.set_inter_op_parallelism_threads(int(os.environ.get("TF_NUM_INTEROP_THREADS", "1")))
    except RuntimeError:
        pass  # TensorFlow already runs; the first load has set them
    return tf


def size_of(model: Any) -> int:
    """Bytes of a Keras model's weights in memory, where they are float32 whatever the file has."""
    return int(model.count_params()) * 4


def collect() -> None:
    """Frees models that nobody refers to: they are full of cycles, which Python would leave lying for very long."""
    gc.collect()


def keras_hub() -> Any:
    """KerasHub on TensorFlow."""
    tensorflow()
    import keras_hub as hub

    return hub


def keras() -> Any:
    """Keras on TensorFlow."""
    tensorflow()
    import keras as library

    return library
