"""The installed peers, each as calls over a batch. Their output is not made into texts."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import numpy as np
from inputs import Float32Array

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
Call = Callable[[], object]


class TensorFlow:
    """``tf.nn.ctc_greedy_decoder`` and ``tf.nn.ctc_beam_search_decoder`` on one thread."""

    name = "TensorFlow"

    def __init__(self) -> None:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        self._tf: Any = tf
        self.version = tf.__version__

    def _inputs(self, log_probs: Float32Array) -> tuple[Any, Any]:
        lines, frames, _ = log_probs.shape
        time_major = np.ascontiguousarray(log_probs.transpose(1, 0, 2))
        return self._tf.constant(time_major), self._tf.fill([lines], frames)

    def best_path(self, log_probs: Float32Array) -> Call:
        """Blank last."""
        inputs, lengths = self._inputs(log_probs)
        return lambda: self._tf.nn.ctc_greedy_decoder(inputs, lengths)

    def beam_search(self, log_probs: Float32Array, width: int) -> Call:
        """Blank last."""
        inputs, lengths = self._inputs(log_probs)
        return lambda: self._tf.nn.ctc_beam_search_decoder(inputs, lengths, beam_width=width)

    def beam_search_texts(self, log_probs: Float32Array, width: int, tokens: Any) -> list[str]:
        """Return the best texts."""
        (sparse,), _ = self.beam_search(log_probs, width)()  # type: ignore[misc]
        texts = [""] * len(log_probs)
        for (line, _), value in zip(sparse.indices.numpy(), sparse.values.numpy(), strict=True):
            texts[line] += tokens[value]
        return texts


class FastCtcDecode:
    """fast-ctc-decode, in Rust; blank first; nothing cut off."""

    name = "fast-ctc-decode"

    def __init__(self) -> None:
        from importlib.metadata import version

        import fast_ctc_decode

        self._module: Any = fast_ctc_decode
        self.version = version("fast-ctc-decode")

    def _inputs(self, log_probs: Float32Array) -> tuple[list[Float32Array], str]:
        classes = log_probs.shape[-1]
        probs = np.exp(np.concatenate([log_probs[..., -1:], log_probs[..., :-1]], axis=-1))
        symbols = "".join(chr(0x4E00 + i) for i in range(classes))
        return [np.ascontiguousarray(one) for one in probs], symbols

    def best_path(self, log_probs: Float32Array) -> Call:
        """Blank last in log_probs."""
        matrices, symbols = self._inputs(log_probs)
        return lambda: [self._module.viterbi_search(one, symbols) for one in matrices]

    def beam_search(self, log_probs: Float32Array, width: int) -> Call:
        """Blank last in log_probs."""
        matrices, symbols = self._inputs(log_probs)
        return lambda: [
            self._module.beam_search(one, symbols, beam_size=width, beam_cut_threshold=0.0)
            for one in matrices
        ]
