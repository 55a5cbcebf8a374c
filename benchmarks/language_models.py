"""N-gram models beside those of other programs: perplexity, scores, time.

    make lm

Every tenth sentence of a corpus is left out, models of orders 2 to 5 are trained on the rest, by
ctckit and by IRSTLM (tlm, improved Kneser-Ney, no pruning), and asked for what was left out; ctckit
reads both. Perplexity is told in three ways, since the two differ in what they leave to unknown
words, IRSTLM a fifth of all, ctckit as little as KenLM by default:

- of all words and ends of sentences, each unknown word scored as <unk>;
- of the known words and ends alone;
- of these, each given that it is no unknown word: this one compares what is known of them.

Where the Python package kenlm is installed, it gets ctckit's models, and the largest difference of
a word's log10 probability is told; KenLM adds up a sentence's in float32. Peers that are not
installed are left out. The result goes to benchmarks/language_models.json.
"""

from __future__ import annotations

import argparse
import datetime
import importlib.metadata
import importlib.util
import json
import math
import os
import platform
import re
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import llvmlite.binding
import numpy as np

from ctckit.kernels.ngrams import score_sentences
from ctckit.language import NGramModel, split_sentences

ROOT = Path(__file__).resolve().parents[1]
CORPUS = ROOT.parent / "shared" / "golden" / "corpus.txt"
RESULT = Path(__file__).with_suffix(".json")
IRSTLM = Path(os.environ.get("IRSTLM", "/usr/lib/irstlm")) / "bin" / "tlm"
ORDERS = (2, 3, 4, 5)
LOG_10 = math.log(10)
Sentences = list[list[str]]
Row = dict[str, Any]


def split_corpus(path: Path) -> tuple[Sentences, Sentences]:
    """Return sentences to train on, and every tenth one; they end where . ! and ? do."""
    lines = re.sub(r"(?<=[.!?])\s+", "\n", path.read_text(encoding="utf-8"))
    sentences = split_sentences(lines)
    return [one for i, one in enumerate(sentences) if i % 10 != 9], sentences[9::10]


def perplexities(model: NGramModel, sentences: Sentences) -> Row:
    """Return the three perplexities of a text."""
    score = model.score_text(sentences)
    total = 0.0
    for words in sentences:
        state = model.first_state
        for number in [*model.word_ids(words).tolist(), model.end]:
            lost, _ = step(model, state, model.unknown)
            log_prob, state = step(model, state, number)
            if number != model.unknown:
                total += log_prob - math.log1p(-math.exp(lost))
    count = score.words - score.unknown + score.sentences
    unknown = math.exp(model.log_prob[1 + model.unknown])
    return {
        "unknown_probability": round(unknown, 6),
        "all": round(score.perplexity, 2),
        "known": round(score.known_perplexity, 2),
        "given_known": round(math.exp(-total / count), 2),
    }


def step(model: NGramModel, state: int, number: int) -> tuple[float, int]:
    """Return a word's log-probability after a state, and the state after it."""
    words, offsets = np.array([number], dtype=np.int32), np.array([0, 1])
    log_prob, entry = np.zeros(1), np.zeros(1, dtype=np.int32)
    score_sentences(words, offsets, state, model.arrays, log_prob, entry)
    return float(log_prob[0]), int(model.state[entry[0]])


def measure(order: int, train: Sentences, test: Sentences, folder: Path) -> Row:
    """Return what there is to say of the models of an order."""
    NGramModel.train(train[:10], 2).write_arpa(folder / "warm.arpa")  # kernels are compiled
    NGramModel.load(folder / "warm.arpa").score_text(train[:1])
    start = time.process_time()
    model = NGramModel.train(train, order)
    seconds = {"train": time.process_time() - start}
    path = folder / f"{order}.arpa"
    model.write_arpa(path)
    os.environ["CTCKIT_CACHE_DIR"] = str(folder / "cache")
    for name in ("load", "load again"):
        start = time.process_time()
        model = NGramModel.load(path)
        seconds[name] = time.process_time() - start
    score = model.score_text(test)
    row: Row = {
        "order": order,
        "n-grams": sum(model.counts),
        "words": score.words,
        "unknown_words": score.unknown,
        "perplexity": perplexities(model, test),
        "cpu_seconds": {name: round(value, 4) for name, value in seconds.items()},
    }
    if IRSTLM.is_file():
        row["irstlm"] = perplexities(irstlm(order, train, folder), test)
    if importlib.util.find_spec("kenlm"):
        row["kenlm"] = difference(model, path, test)
    return row


def irstlm(order: int, train: Sentences, folder: Path) -> NGramModel:
    """Return IRSTLM's model."""
    text, path = folder / "train.txt", folder / f"irstlm-{order}.arpa"
    text.write_text("".join(f"<s> {' '.join(one)} </s>\n" for one in train), encoding="utf-8")
    command = [IRSTLM, f"-tr={text}", f"-n={order}", "-lm=msb", "-ps=no", f"-oarpa={path}"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=folder)
    return NGramModel.load(path)


def difference(model: NGramModel, path: Path, test: Sentences) -> Row:
    """Return the largest differences of scores from KenLM's, in log10."""
    import kenlm

    peer = kenlm.Model(str(path))
    word, sentence = 0.0, 0.0
    for words in test:
        log_probs = model.word_scores(words)[0] / LOG_10
        scores = [one for one, _, _ in peer.full_scores(" ".join(words))]
        word = max(word, float(np.abs(log_probs - scores).max()))
        sentence = max(sentence, abs(float(log_probs.sum()) - math.fsum(scores)))
    return {"sentences": len(test), "largest_by_word": word, "largest_by_sentence": sentence}


def stamp(corpus: Path) -> Row:
    """Return what was measured with."""
    versions = {"ctckit": importlib.metadata.version("ctckit"), "numpy": np.__version__}
    if importlib.util.find_spec("kenlm"):
        versions["kenlm"] = importlib.metadata.version("kenlm")
    if IRSTLM.is_file() and shutil.which("dpkg-query"):
        versions["irstlm"] = _output("dpkg-query", "-W", "-f", "${Version}", "irstlm")
    return {
        "corpus": corpus.name,
        "versions": versions,
        "python": platform.python_version(),
        "cpu": f"{llvmlite.binding.get_host_cpu_name()}, {os.cpu_count()} cores",
        "date": datetime.date.today().isoformat(),
        "commit": _output("git", "-C", str(ROOT), "rev-parse", "--short", "HEAD"),
    }


def _output(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--corpus", type=Path, default=CORPUS, help="text to train and test on")
    parser.add_argument("--output", type=Path, default=RESULT, help="where the result goes")
    given = parser.parse_args()
    if not given.corpus.is_file():
        parser.error(f"corpus must be a text file, got '{given.corpus}'; name one with --corpus")
    if not IRSTLM.is_file():
        print("IRSTLM is not installed: left out (apt-get install irstlm)")
    if not importlib.util.find_spec("kenlm"):
        print("kenlm is not installed: left out (make kenlm)")
    train, test = split_corpus(given.corpus)
    ways = ("all", "known", "given_known")
    print(f"perplexity of {sum(map(len, test)):,} words; of each pair the second is IRSTLM's")
    print("| order | all words | known words | given known | KenLM's words differ by |")
    print("|---:|---:|---:|---:|---:|")
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for order in ORDERS:
            row = measure(order, train, test, Path(folder))
            rows.append(row)
            pairs = [f"{row['perplexity'][way]}, {row.get('irstlm', {}).get(way)}" for way in ways]
            off = f"{row['kenlm']['largest_by_word']:.1e}" if "kenlm" in row else ""
            print(f"| {' | '.join([str(order), *pairs, off])} |")
    result = {"stamp": stamp(given.corpus), "results": rows}
    given.output.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
