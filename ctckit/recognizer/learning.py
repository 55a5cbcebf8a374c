"""What learns: the network with the CTC loss, and the optimizer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import keras
from keras import ops

from ctckit.recognizer.loss import ctc_losses
from ctckit.recognizer.network import build_network
from ctckit.recognizer.schedule import Schedule
from ctckit.recognizer.shape import NetworkShape

__all__ = ["CTCNetwork", "make_network", "make_optimizer"]


class CTCNetwork(keras.Model):  # type: ignore[misc]
    """The network with the CTC loss, per token of the batch's texts."""

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Any:
        """Return the loss; `x` is images and frames, `y` is tokens and their numbers."""
        tokens, lengths = y
        losses = ctc_losses(tokens, lengths, y_pred, x[1])
        count = ops.cast(ops.maximum(ops.sum(lengths), 1), losses.dtype)
        return ops.sum(losses) / count


def make_network(shape: NetworkShape, precision: str) -> CTCNetwork:
    """Return the network, with random weights.

    Parameters
    ----------
    shape : its sizes
    precision : ``"float32"``, or ``"mixed"``: layers compute in float16, but for the logits
    """
    with _policy("mixed_float16" if precision == "mixed" else "float32"):
        network = build_network(shape)
        return CTCNetwork(network.inputs, network.outputs[0])


def make_optimizer(
    network: CTCNetwork, schedule: Schedule, precision: str
) -> tuple[keras.optimizers.Optimizer, list[Any]]:
    """Compile a network; return its optimizer, and the variables that scale the loss.

    Parameters
    ----------
    network : from `make_network`, with the same precision
    schedule : whose rate at the peak, and weight decay, the optimizer takes
    precision : ``"float32"``, which needs no scale, or ``"mixed"``
    """
    adam = keras.optimizers.AdamW(
        schedule.learning_rate, weight_decay=schedule.weight_decay, global_clipnorm=5.0
    )
    adam.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    mixed = precision == "mixed"
    # Gradients below 6e-8 would be 0 in float16.
    optimizer = keras.optimizers.LossScaleOptimizer(adam) if mixed else adam
    # XLA on the CPU takes seconds for each new shape; JAX knows nothing else.
    jit = "auto" if keras.backend.backend() == "jax" else False
    network.compile(optimizer=optimizer, jit_compile=jit, auto_scale_loss=False)
    optimizer.build(network.trainable_variables)
    return adam, [optimizer.step_counter, optimizer.dynamic_scale] if mixed else []


@contextmanager
def _policy(name: str) -> Iterator[None]:
    """Make layers with a policy of what they compute in; weights are float32 in any case."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(name)
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
