"""Write model.arpa.gz and scores.json beside this file: scores of sentences as KenLM has them.

python tests/data/kenlm/make.py, where ctckit and kenlm 0.3.0 (PyPI) are installed.
"""

from __future__ import annotations

import gzip
import json
import random
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
LINES = HERE.parents[2] / "corpora" / "lines"


def make_sentences(words: list[str]) -> list[str]:
    """Return sentences of the language, of its words in no order, and with unknown words."""
    generator = random.Random(7)
    lines = (LINES / "lines.txt").read_text(encoding="utf-8").splitlines()
    corpus = (LINES / "corpus.txt").read_text(encoding="utf-8").split()
    sentences = ["", "unheard", *lines]
    for _ in range(100):
        start = generator.randrange(len(corpus))
        sentences.append(" ".join(corpus[start : start + generator.randint(1, 15)]))
        sentences.append(" ".join(generator.choices([*words, "oov", "Ωμ"], k=8)))
    return sentences


def main() -> None:
    """Train the model, and let KenLM score."""
    import kenlm

    from ctckit.language import NGramModel, split_sentences

    text = (LINES / "corpus.txt").read_text(encoding="utf-8")
    model = NGramModel.train(split_sentences(text), 4)
    model.write_arpa(HERE / "model.arpa.gz")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        plain = Path(folder) / "model.arpa"
        plain.write_bytes(gzip.decompress((HERE / "model.arpa.gz").read_bytes()))
        peer = kenlm.Model(str(plain))
        for i, sentence in enumerate(make_sentences(sorted(set(model.words) - {"<s>", "</s>"}))):
            begin, end = i % 5 != 1, i % 5 != 2
            scores = list(peer.full_scores(sentence, bos=begin, eos=end))
            rows.append(
                {
                    "sentence": sentence,
                    "begin": begin,
                    "end": end,
                    "log10": round(peer.score(sentence, bos=begin, eos=end), 5),
                    "words": [round(one, 5) for one, _, _ in scores],
                    "orders": [order for _, order, _ in scores],
                }
            )
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    (HERE / "scores.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
