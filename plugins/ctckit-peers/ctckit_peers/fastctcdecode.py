"""The decoders `fastctcviterbi` and `fastctcbeamsearch`."""

from __future__ import annotations

from typing import Any

import numpy as np

from ctckit import InvalidValueError, option
from ctckit_peers.peer import Float32Array, Found, Matrices, Peer, in_order

FIRST = {False: 0x4E00, True: 0x10000}
"""The code point of the blank's symbol; True: for more classes than stand before surrogates."""
MANY = 0xD800 - FIRST[False]


class FastCtcDecode(Peer):
    """What fast-ctc-decode's two decoders share: probabilities, blank first, no scores.

    Each class gets a character of its own as its symbol, whatever its token is.
    """

    distributions = ("fast-ctc-decode",)
    install = "pip install 'ctckit-peers[fast-ctc-decode]'"
    one_text = True

    def prepare(self) -> None:
        """Load fast-ctc-decode."""
        self._module = self.import_peer("fast_ctc_decode")
        self._classes = self.blank_first()
        self._first = FIRST[len(self._classes) > MANY]
        self._symbols = "".join(chr(self._first + i) for i in range(len(self._classes)))

    def convert(self, matrices: Matrices) -> list[Float32Array]:
        """Return probabilities, float32."""
        return [np.exp(in_order(one, self._classes)) for one in matrices]

    def collect(self, raw: list[tuple[str, Any]]) -> Found:
        """Return one text a matrix."""
        return [
            [([self._classes[ord(symbol) - self._first] for symbol in symbols], None)]
            for symbols, _ in raw
        ]


class FastCtcViterbi(FastCtcDecode):
    """Take the best path with fast-ctc-decode's ``viterbi_search``."""

    collapse_repeats: bool = option(True, help="Drop repeats.")

    def run(self, inputs: list[Float32Array], n_best: int) -> list[tuple[str, Any]]:
        """Call fast-ctc-decode on each matrix."""
        search, symbols, collapse = (
            self._module.viterbi_search,
            self._symbols,
            self.collapse_repeats,
        )
        return [search(one, symbols, collapse_repeats=collapse) for one in inputs]


class FastCtcBeamSearch(FastCtcDecode):
    """Search a beam of prefixes with fast-ctc-decode's ``beam_search``; it gives one text."""

    exhaustive = {"beam_width": 5000}  # noqa: RUF012

    beam_width: int = option(5, minimum=1, help="Prefixes kept after each frame.")
    beam_cut_threshold: float = option(
        0.0, minimum=0.0, maximum=1.0, help="Least probability of a class; below 1 / C."
    )
    collapse_repeats: bool = option(True, help="Drop repeats.")

    def prepare(self) -> None:
        """Load fast-ctc-decode, and refuse what it refuses for every matrix."""
        most = 1 / len(self.alphabet)
        if self.beam_cut_threshold >= most and self.beam_cut_threshold > 0:
            raise InvalidValueError(
                f"beam_cut_threshold must be below 1 / {len(self.alphabet)}, got "
                f"{self.beam_cut_threshold:g}; lower it"
            )
        super().prepare()

    def run(self, inputs: list[Float32Array], n_best: int) -> list[tuple[str, Any]]:
        """Call fast-ctc-decode on each matrix."""
        search, symbols = self._module.beam_search, self._symbols
        options: dict[str, Any] = {
            "beam_size": self.beam_width,
            "beam_cut_threshold": self.beam_cut_threshold,
            "collapse_repeats": self.collapse_repeats,
        }
        return [search(one, symbols, **options) for one in inputs]
