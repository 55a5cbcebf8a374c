"""Lines that a network may have read, a language model of their words, and the original."""

from __future__ import annotations

import importlib
import logging

import numpy as np
import pytest

from ctckit.compat.pyctcdecode import kenlm as stand_in
from ctckit.language import NGramModel, split_sentences

CORPUS = """the night train to york leaves at noon
the train to leeds is late
call a doctor in the night
mister brown will call at noon
call mister brown
the doctor will be at the station at noon
a letter came in the night
"""
LABELS = ["<pad>", "<s>", "<unk>", "|", *"etaonihsrdlumwcfgypbvk'xjqz"]


@pytest.fixture(scope="session")
def labels():
    """As a tokenizer has them."""
    return list(LABELS)


@pytest.fixture(scope="session")
def original():
    """pyctcdecode, with kenlm, or, where that is not built, with what stands in for it."""
    logging.getLogger("pyctcdecode").setLevel(logging.CRITICAL)
    module = pytest.importorskip("pyctcdecode", reason="pyctcdecode is not installed")
    for name in ("decoder", "language_model"):
        part = importlib.import_module(f"pyctcdecode.{name}")
        if not hasattr(part, "kenlm"):
            part.kenlm = stand_in
    return module


@pytest.fixture(scope="session")
def arpa(tmp_path_factory):
    """The path of a trigram model of the corpus."""
    path = tmp_path_factory.mktemp("model") / "words.arpa"
    NGramModel.train(split_sentences(CORPUS), order=3).write_arpa(path)
    return str(path)


@pytest.fixture(scope="session")
def read():
    """Return what makes logits of a text, in labels, as if something else had been seen."""

    def make(text, labels=LABELS, seen=None, seed=0, noise=0.7):
        rng = np.random.default_rng(seed)
        text, seen = (list((one or text).replace(" ", "|")) for one in (text, seen))
        logits = rng.normal(0.0, noise, (4 * len(text) + 8, len(labels)))
        logits[:, 0] += 8
        for i, (right, wrong) in enumerate(zip(text, seen, strict=True)):
            frames = slice(3 + 4 * i, 5 + 4 * i)
            logits[frames, labels.index(right)] += 13
            if wrong != right:
                logits[frames, labels.index(wrong)] += 14.5
        return logits.astype(np.float32)

    return make


@pytest.fixture(scope="session")
def lines(read):
    """Five lines, some with characters misread."""
    said = ["the night train to york", "call mister okafor at noon", "a letter came", "late", ""]
    seen = ["the nitht trayn to yorc", "call mister ocafer at noon", "a letter cane", "late", ""]
    return [read(a, seen=b, seed=i) for i, (a, b) in enumerate(zip(said, seen, strict=True))]
