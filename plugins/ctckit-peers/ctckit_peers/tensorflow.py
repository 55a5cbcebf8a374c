"""The decoders `tensorflowgreedy` and `tensorflowbeamsearch`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import numpy as np

from ctckit import option
from ctckit_peers.peer import Found, Matrices, Peer, in_order


@contextmanager
def _without_stderr() -> Iterator[None]:
    """Keep off stderr what TensorFlow says at its start, whatever its level of logging is.

    Its C++ writes to the file descriptor. A level below 3 is a wish to see it.
    """
    if os.environ.get("TF_CPP_MIN_LOG_LEVEL") != "3" or "tensorflow" in sys.modules:
        yield
        return
    try:
        kept = os.dup(2)
    except OSError:  # stderr is closed
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


class TensorFlow(Peer):
    """What TensorFlow's two decoders share: time-major input, padded, blank last; one thread.

    The threads are TensorFlow's for the whole process, and can only be set before it does
    something; after that they stay as they are.
    """

    distributions = ("tensorflow", "tensorflow-cpu")
    install = "pip install 'ctckit-peers[tensorflow]'"

    def prepare(self) -> None:
        """Load TensorFlow."""
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        with _without_stderr():
            self._tf = self.import_peer("tensorflow")
            with suppress(RuntimeError):  # it is at work already
                self._tf.config.threading.set_intra_op_parallelism_threads(1)
                self._tf.config.threading.set_inter_op_parallelism_threads(1)
            self._tf.constant(0)  # it starts with the first tensor
        self._classes = self.blank_last()

    def convert(self, matrices: Matrices) -> tuple[Any, Any]:
        """Return tensors of matrices (T, N, C) and of their lengths."""
        lengths = np.array([len(one) for one in matrices], dtype=np.int32)
        shape = int(lengths.max()), len(matrices), len(self._classes)
        padded = np.zeros(shape, dtype=np.float32)
        for i, matrix in enumerate(matrices):
            padded[: len(matrix), i] = in_order(matrix, self._classes)
        return self._tf.constant(padded), self._tf.constant(lengths)

    def _texts(self, sparse: Any, count: int) -> list[list[int]]:
        """Return the token ids of each of `count` lines of a sparse tensor."""
        texts: list[list[int]] = [[] for _ in range(count)]
        values = sparse.values.numpy().tolist()
        for (line, _), value in zip(sparse.indices.numpy().tolist(), values, strict=True):
            texts[line].append(self._classes[value])
        return texts


class TensorFlowGreedy(TensorFlow):
    """Take the best path with ``tf.nn.ctc_greedy_decoder``; the score is the path's."""

    one_text = True
    scores_are_log_probs = True

    merge_repeated: bool = option(True, help="Drop repeats.")

    def run(self, inputs: tuple[Any, Any], n_best: int) -> Any:
        """Call TensorFlow on the whole batch."""
        matrices, lengths = inputs
        return self._tf.nn.ctc_greedy_decoder(matrices, lengths, merge_repeated=self.merge_repeated)

    def collect(self, raw: Any) -> Found:
        """Return one text a matrix."""
        (sparse,), sums = raw
        scores = (0.0 - sums.numpy()[:, 0]).tolist()
        texts = self._texts(sparse, len(scores))
        return [[found] for found in zip(texts, scores, strict=True)]


class TensorFlowBeamSearch(TensorFlow):
    """Search a beam of prefixes with ``tf.nn.ctc_beam_search_decoder``."""

    scores_are_log_probs = True
    exhaustive = {"beam_width": 5000}  # noqa: RUF012
    known_failings = {  # noqa: RUF012
        "exhaustive": "what goes on from a prefix in the frame in which that becomes impossible is "
        "lost",
        "n-best-prefix": "of texts that tie another comes first with another top_paths",
    }

    beam_width: int = option(100, minimum=1, help="Prefixes kept after each frame.")

    def run(self, inputs: tuple[Any, Any], n_best: int) -> list[Any]:
        """Call TensorFlow on the whole batch; where that has too few texts, on each matrix."""
        matrices, lengths = inputs
        try:
            return [self._search(matrices, lengths, n_best)]
        except self._tf.errors.InvalidArgumentError as error:
            if n_best == 1 or "Less leaves" not in str(error):
                raise
        return [
            self._as_many_as_there_are(matrices[:, i : i + 1], lengths[i : i + 1], n_best)
            for i in range(len(lengths))
        ]

    def _search(self, matrices: Any, lengths: Any, n_best: int) -> Any:
        return self._tf.nn.ctc_beam_search_decoder(
            matrices, lengths, beam_width=self.beam_width, top_paths=n_best
        )

    def _as_many_as_there_are(self, matrix: Any, length: Any, n_best: int) -> Any:
        """Return the texts of one matrix: TensorFlow refuses to give fewer than are asked for."""
        for fewer in range(n_best, 1, -1):
            with suppress(self._tf.errors.InvalidArgumentError):
                return self._search(matrix, length, fewer)
        return self._search(matrix, length, 1)

    def collect(self, raw: list[Any]) -> Found:
        """Return the texts of each matrix, best first."""
        for by_rank, scores in raw:
            count = scores.shape[0]
            texts = [self._texts(sparse, count) for sparse in by_rank]
            for i, own in enumerate(scores.numpy().tolist()):
                yield [(rank[i], score) for rank, score in zip(texts, own, strict=True)]
