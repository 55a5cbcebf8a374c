"""The shims of ctckit.compat beside the originals: the same calls, how long and how well.

    make shims

Each call is made of both libraries with the same arguments and the same arrays, as a user makes
it who changes one import: nothing is prepared outside of it but the decoder. Times are CPU time for
one matrix, medians of interleaved runs, over the first lines; error rates are of all, pooled,
white space made single spaces. The result goes to benchmarks/shims.json.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from inputs import ROOT, Float32Array, Lines, load_lines
from language_inputs import sentences_of, train
from timing import Contestant, interleave, repeated, where_and_when

from ctckit.metrics import count_errors

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
TIMED_LINES = 20
WIDTH = 25
HOT_WORDS, HOT_LENGTH = 25, 5
"""How many, and of how many letters at least: what users boost are names."""
Texts = Callable[[Float32Array], list[str]]
Call = tuple[str, Callable[[Any], Texts]]


@dataclass(frozen=True)
class Shim:
    """A library, and what is called.

    Attributes
    ----------
    name : of the shim in ctckit.compat
    original : the module whose names it has
    distributions : of the original
    calls : what each call is, and what makes of a module a function of matrices (N, T, C)
    """

    name: str
    original: str
    distributions: tuple[str, ...]
    calls: list[Call]


def pyctcdecode(lines: Lines, folder: Path) -> Shim:
    """Return the calls of pyctcdecode; its models are read by kenlm."""
    labels = [*lines.alphabet.tokens]
    labels[lines.alphabet.blank] = ""
    model = train("2-gram", sentences_of(lines), 2, folder)
    words = {word for text in lines.references for word in text.split() if word.isalpha()}
    hot_words = sorted(word for word in words if len(word) >= HOT_LENGTH)[:HOT_WORDS]

    def decode(with_model: bool, **options: Any) -> Callable[[Any], Texts]:
        def make(module: Any) -> Texts:
            given = (str(model.path), model.words) if with_model else ()
            decoder = module.build_ctcdecoder(labels, *given)
            return lambda matrices: [decoder.decode(one, **options) for one in matrices]

        return make

    def beams(module: Any) -> Texts:
        decoder = module.build_ctcdecoder(labels, str(model.path), model.words)
        return lambda matrices: [decoder.decode_beams(one)[0][0] for one in matrices]

    return Shim(
        "pyctcdecode",
        "pyctcdecode",
        ("pyctcdecode", "kenlm"),
        [
            ("decode, 2-gram", decode(True)),
            (f"decode, 2-gram, beam_width={WIDTH}", decode(True, beam_width=WIDTH)),
            (f"decode, 2-gram, {HOT_WORDS} hot words", decode(True, hotwords=hot_words)),
            ("decode, no model", decode(False)),
            ("decode_beams, 2-gram", beams),
        ],
    )


def tensorflow(lines: Lines, folder: Path) -> Shim:
    """Return the calls of tf.nn, for a batch at once."""
    tokens = lines.alphabet.tokens

    def texts_of(sparse: Any, count: int) -> list[str]:
        texts = [""] * count
        for (line, _), value in zip(
            np.asarray(sparse.indices), np.asarray(sparse.values), strict=True
        ):
            texts[line] += tokens[value]
        return texts

    def make(name: str, **options: Any) -> Callable[[Any], Texts]:
        def of(module: Any) -> Texts:
            search = getattr(getattr(module, "nn", module), name)

            def texts(matrices: Float32Array) -> list[str]:
                time_major = np.ascontiguousarray(matrices.transpose(1, 0, 2))
                lengths = np.full(len(matrices), matrices.shape[1], dtype=np.int32)
                (sparse,), _ = search(time_major, lengths, **options)
                return texts_of(sparse, len(matrices))

            return texts

        return of

    return Shim(
        "tensorflow",
        "tensorflow",
        ("tensorflow-cpu",),
        [
            ("ctc_greedy_decoder", make("ctc_greedy_decoder")),
            *(
                (f"ctc_beam_search_decoder, {width}", make("ctc_beam_search_decoder", **options))
                for width in (WIDTH, 100)
                for options in ({"beam_width": width},)
            ),
        ],
    )


def fast_ctc_decode(lines: Lines, folder: Path) -> Shim:
    """Return the calls of fast-ctc-decode, a matrix each; its blank is first."""
    blank = lines.alphabet.blank
    order = [blank, *(i for i in range(len(lines.alphabet)) if i != blank)]
    symbols = ["", *(lines.alphabet.tokens[i] for i in order[1:])]

    def make(name: str, **options: Any) -> Callable[[Any], Texts]:
        def of(module: Any) -> Texts:
            search = getattr(module, name)

            def texts(matrices: Float32Array) -> list[str]:
                probs = np.ascontiguousarray(np.exp(matrices[..., order]))
                return [search(one, symbols, **options)[0] for one in probs]

            return texts

        return of

    return Shim(
        "fast_ctc_decode",
        "fast_ctc_decode",
        ("fast-ctc-decode",),
        [
            ("viterbi_search", make("viterbi_search")),
            (f"beam_search, {WIDTH}", make("beam_search", beam_size=WIDTH)),
            ("beam_search, 100", make("beam_search", beam_size=100)),
        ],
    )


def compare(shim: Shim, lines: Lines, rounds: int) -> Iterator[dict[str, Any]]:
    """Time and score the calls of a shim and of its original."""
    original = import_module(shim.original)
    ours = import_module(f"ctckit.compat.{shim.name}")
    if shim.name == "tensorflow":
        original.config.threading.set_intra_op_parallelism_threads(1)
        original.config.threading.set_inter_op_parallelism_threads(1)
    few = lines.log_probs[:TIMED_LINES]
    for name, make in shim.calls:
        new, old = make(ours), make(original)
        contestants = [
            repeated("ctckit", lambda new=new: new(few), len(few)),  # type: ignore[misc]
            Contestant("original", lambda old=old: old(few), len(few)),  # type: ignore[misc]
        ]
        timings = interleave(contestants, rounds)
        rates = {}
        for label, call in (("cer", new), ("original_cer", old)):
            texts = [" ".join(text.split()) for text in call(lines.log_probs)]
            rates[label] = count_errors(lines.references, texts).cer
        us, theirs = (timings[one].cpu * 1e6 for one in ("ctckit", "original"))
        row = {"shim": shim.name, "call": name, "us": us, "original_us": theirs}
        print(f"{shim.name} {name}: {us:.0f} us, {theirs:.0f} us", file=sys.stderr, flush=True)
        yield row | {"times": theirs / us, **rates}


def run(rounds: int) -> dict[str, Any]:
    """Measure everything."""
    logging.getLogger("pyctcdecode").setLevel(logging.ERROR)
    lines = load_lines()
    rows: list[dict[str, Any]] = []
    left_out = {}
    versions = {name: version(name) for name in ("ctckit", "numpy", "numba")}
    with tempfile.TemporaryDirectory() as folder:
        for make in (pyctcdecode, tensorflow, fast_ctc_decode):
            shim = make(lines, Path(folder))
            try:
                versions |= {name: version(name) for name in shim.distributions}
            except PackageNotFoundError as error:
                left_out[shim.name] = f"{error.name} is not installed"
                continue
            rows += compare(shim, lines, rounds)
    return {
        "stamp": {**where_and_when(), "versions": versions, "matrices": lines.source},
        "lines": len(lines.references),
        "timed_lines": TIMED_LINES,
        "left_out": left_out,
        "rows": rows,
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description="Time the shims beside the originals.")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "shims.json")
    arguments = parser.parse_args()
    result = run(arguments.rounds)
    text = json.dumps(result, indent=1, ensure_ascii=False)
    arguments.output.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
