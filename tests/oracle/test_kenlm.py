"""N-gram models beside KenLM: scores that it gave once, and where it is installed, new ones."""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import pytest

from ctckit.language import NGramModel, split_sentences

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT / "tests" / "data" / "kenlm"
LINES = ROOT / "corpora" / "lines"
LOG_10 = math.log(10)


def test_scores_are_those_that_kenlm_gave():
    model = NGramModel.load(DATA / "model.arpa.gz")
    rows = json.loads((DATA / "scores.json").read_text(encoding="utf-8"))
    assert len(rows) > 200
    assert {order for row in rows for order in row["orders"]} == {1, 2, 3, 4}
    for row in rows:
        words = row["sentence"].split()
        log_probs, orders = model.word_scores(words, begin=row["begin"], end=row["end"])
        assert log_probs / LOG_10 == pytest.approx(row["words"], abs=1e-5), row
        assert log_probs.sum() / LOG_10 == pytest.approx(row["log10"], abs=1e-5), row
        assert orders.tolist() == row["orders"], row


@pytest.mark.parametrize("order", [2, 3, 4, 5])
def test_scores_are_kenlms(order, tmp_path):
    kenlm = pytest.importorskip(
        "kenlm", reason="kenlm is built from source, so only make kenlm installs it"
    )
    sentences = split_sentences((LINES / "corpus.txt").read_text(encoding="utf-8"))
    model = NGramModel.train(sentences, order)
    model.write_arpa(tmp_path / "model.arpa")
    model = NGramModel.load(tmp_path / "model.arpa")
    peer = kenlm.Model(str(tmp_path / "model.arpa"))
    generator = random.Random(order)
    corpus = [word for words in sentences for word in words]
    for i in range(1000):
        start = generator.randrange(len(corpus))
        words = corpus[start : start + generator.randint(0, 12)]
        words += generator.choices([*corpus, "unheard"], k=generator.randint(0, 8))
        ends = {"begin": i % 3 > 0, "end": i % 4 > 0}
        log_probs, orders = model.word_scores(words, **ends)
        scores = list(peer.full_scores(" ".join(words), bos=ends["begin"], eos=ends["end"]))
        assert log_probs / LOG_10 == pytest.approx([one for one, _, _ in scores], abs=1e-5)
        assert orders.tolist() == [matched for _, matched, _ in scores]
        total = peer.score(" ".join(words), bos=ends["begin"], eos=ends["end"])
        assert log_probs.sum() / LOG_10 == pytest.approx(total, abs=1e-5)
