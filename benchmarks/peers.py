"""The installed peers, as ctckit-peers has them.

Only a peer's own work is timed. What an adapter does to ask the peer and to read its answer (it
orders classes, takes exponentials, pads, makes tensors and search objects, makes token ids) comes
before the clock starts or not at all; of ctckit the making of texts is timed, too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ctckit_peers import Peer
from inputs import Float32Array, batch_of
from timing import Contestant

import ctckit
from ctckit.registry import decoder_class

Call = Callable[[], object]
LABELS = {
    "tensorflowgreedy": "TensorFlow",
    "tensorflowbeamsearch": "TensorFlow",
    "fastctcviterbi": "fast-ctc-decode",
    "fastctcbeamsearch": "fast-ctc-decode",
}
"""What the tables of speed call the peers."""


def own_work(decoder: Peer, log_probs: Float32Array) -> Call:
    """Return a call of a peer's own work on matrices, for the best text."""
    inputs = decoder.convert(list(batch_of(log_probs, decoder.alphabet)))
    return lambda: decoder.run(inputs, 1)


def theirs(
    name: str,
    log_probs: Float32Array,
    alphabet: ctckit.Alphabet,
    repeats: int = 1,
    **options: Any,
) -> Contestant:
    """Return a peer's own work on matrices, to be timed."""
    decoder = load_peer(name, alphabet, **options)
    return Contestant(LABELS[name], own_work(decoder, log_probs), len(log_probs), repeats)


def load_peer(name: str, alphabet: ctckit.Alphabet, **options: Any) -> Peer:
    """Return a peer's adapter; MissingExtraError if the peer is not installed."""
    decoder = ctckit.load_decoder(name, alphabet, **options)
    assert isinstance(decoder, Peer)
    return decoder


def versions_of(*names: str) -> dict[str, str]:
    """Return the versions of the packages behind some decoders."""
    found: dict[str, str] = {}
    for name in names:
        chosen = decoder_class(name)
        assert issubclass(chosen, Peer)
        found |= chosen.versions()
    return found
