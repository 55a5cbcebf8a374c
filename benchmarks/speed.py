"""How fast ctckit decodes, beside what can be installed, in one run.

    make peers bench

All figures are medians of interleaved runs on one thread; ours include making the texts, the peers'
are those of their own work alone (see peers.py); a text's log-probability is beside TensorFlow's
CTC loss, which is its negative. Times are for one matrix. CPU time counts every
thread of the process. The result goes to
benchmarks/speed.json, and with --readme as a table into README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from inputs import (
    ROOT,
    Float32Array,
    Lines,
    any_alphabet,
    batch_of,
    flat_matrices,
    load_lines,
    peaked_matrices,
)
from likelihood import of_true_texts, of_unlikely_texts
from peers import theirs, versions_of
from report import growth_lines, measured, microseconds, write_readme
from timing import Contestant, grown, interleave, ours, where_and_when

import ctckit

PEER_LINES = 20
Row = dict[str, Any]


def compare(case: str, contestants: list[Contestant], rounds: int, bars: dict[str, float]) -> Row:
    """Time one case; bars: at least how many times faster than each peer it is to be."""
    timings = interleave(contestants, rounds)
    own = timings["ctckit"]
    row: Row = {"case": case, "ctckit_us": own.cpu * 1e6, "ctckit_wall_us": own.wall * 1e6}
    for name, timing in timings.items():
        if name != "ctckit":
            row[f"{name}_us"] = timing.cpu * 1e6
            row[f"{name}_wall_us"] = timing.wall * 1e6
            row[f"{name}_ratio"] = timing.cpu / own.cpu
            row[f"{name}_bar"] = bars.get(name)
    cells = [f"{name} {timing.cpu * 1e6:.1f} us" for name, timing in timings.items()]
    print(f"{case}: {', '.join(cells)}", file=sys.stderr, flush=True)
    return row


def best_path_cases(lines: Lines) -> list[Row]:
    """Best path on a batch of 128, and from the array to the texts."""
    array = np.concatenate([lines.log_probs] * 3)[:128]
    decoder = ctckit.load_decoder("bestpath", lines.alphabet)

    def from_array() -> list[str]:
        batch = ctckit.MatrixBatch.from_log_probs(array, lines.alphabet)
        return decoder.decode_batch(batch, threads=1).texts()

    peers = [
        theirs("tensorflowgreedy", array, lines.alphabet, 4),
        theirs("fastctcviterbi", array, lines.alphabet, 4),
    ]
    mine = ours("bestpath", array, lines.alphabet)
    return [
        compare("best path, batch of 128", [mine, *peers], 15, {"TensorFlow": 6}),
        compare(
            "best path, array in (checked), list of str out",
            [Contestant("ctckit", from_array, len(array), 20), *peers],
            15,
            {},
        ),
    ]


def beam_search_cases(lines: Lines, rounds: int) -> list[Row]:
    """Beam search at several widths, lengths and kinds of matrices."""
    golden = lines.log_probs
    long = golden.reshape(-1, 400, golden.shape[-1])
    bars = {25: {"TensorFlow": 200.0, "fast-ctc-decode": 120.0}}
    bars[100] = {"TensorFlow": 300.0, "fast-ctc-decode": 300.0}
    cases = [
        ("T=32, W=25", np.ascontiguousarray(golden[:, :32]), 25, {}),
        ("T=100, W=25", golden, 25, bars[25]),
        ("T=100, W=100", golden, 100, bars[100]),
        ("T=400, W=100", np.concatenate([long, long]), 100, {}),
        ("flat random, T=100, W=25", flat_matrices(), 25, {}),
    ]
    rows = []
    for name, array, width, bar in cases:
        few = array[:PEER_LINES]
        contestants = [
            ours("beamsearch", array, lines.alphabet, beam_width=width),
            theirs("tensorflowbeamsearch", few, lines.alphabet, beam_width=width),
            theirs("fastctcbeamsearch", few, lines.alphabet, beam_width=width),
        ]
        rows.append(compare(f"beam search, {name}", contestants, rounds, bar))
    return rows


def single_cases(lines: Lines, rounds: int) -> list[Row]:
    """Decode one matrix a call."""
    one = lines.log_probs[:1]
    rows = []
    for case, names, options in (
        ("best path", ("bestpath", "tensorflowgreedy", "fastctcviterbi"), {}),
        (
            "beam search, W=25",
            ("beamsearch", "tensorflowbeamsearch", "fastctcbeamsearch"),
            {"beam_width": 25},
        ),
    ):
        mine, *peers = names
        contestants = [ours(mine, one, lines.alphabet, **options)]
        contestants += [theirs(name, one, lines.alphabet, 20, **options) for name in peers]
        rows.append(compare(f"{case}, one matrix a call", contestants, rounds, {}))
    return rows


def likelihood_cases(lines: Lines, rounds: int) -> list[Row]:
    """Exact log-probabilities of one given text a matrix, beside TensorFlow's CTC loss."""
    return [
        compare("log-probability of the true text", of_true_texts(lines), rounds, {}),
        compare("log-probability of an unlikely text, T=400", of_unlikely_texts(lines), rounds, {}),
    ]


def word_beam_search_cases(lines: Lines, rounds: int) -> list[Row]:
    """Word beam search beside TensorFlow's plain beam search of the same width."""
    few = lines.log_probs[:PEER_LINES]
    rows = []
    for mode, width, bar in (("Words", 25, 100), ("NGrams", 25, 60), ("NGramsForecast", 10, 28)):
        mine = ours(
            "wordbeamsearch",
            lines.log_probs,
            lines.alphabet,
            corpus=lines.corpus,
            mode=mode,
            beam_width=width,
            smoothing=0.0 if mode == "Words" else 0.1,
        )
        peer = theirs("tensorflowbeamsearch", few, lines.alphabet, beam_width=width)
        case = f"word beam search, {mode}, W={width}"
        rows.append(compare(case, [mine, peer], rounds, {"TensorFlow": bar}))
    return rows


def thread_case(lines: Lines) -> Row:
    """Two threads against one on 2,000 lines, wall time."""
    array = np.concatenate([lines.log_probs] * 34)[:2000]
    batch = batch_of(array, lines.alphabet)
    decoder = ctckit.load_decoder("beamsearch", lines.alphabet, beam_width=25)

    def call(threads: int) -> Contestant:
        return Contestant(
            f"{threads} threads",
            lambda: decoder.decode_batch(batch, threads=threads).texts(),
            len(batch),
            repeats=10,  # in a row, so that the second core is awake
        )

    timings = interleave([call(1), call(2)], 7)
    one, two = timings["1 threads"].wall, timings["2 threads"].wall
    print(f"two threads: {one / two:.2f} times one", file=sys.stderr, flush=True)
    return {"lines": len(batch), "one_us": one * 1e6, "two_us": two * 1e6, "ratio": one / two}


def growth(lines: Lines) -> dict[str, list[Row]]:
    """How beam search's time grows with T, C and W, each alone."""
    golden = lines.log_probs
    arrays: dict[str, dict[int, tuple[Float32Array, ctckit.Alphabet]]] = {"T": {}, "C": {}}
    for frames in (32, 100, 200, 400, 800, 1600):
        array = np.concatenate([golden] * 4).reshape(-1, golden.shape[-1])
        array = array[: len(array) // frames * frames].reshape(-1, frames, golden.shape[-1])[:40]
        arrays["T"][frames] = array, lines.alphabet
    for classes in (30, 80, 200, 500, 1000, 2000, 5000):
        arrays["C"][classes] = peaked_matrices(20, 100, classes), any_alphabet(classes)
    tables = {
        axis: grown({value: _beam_search(value, *given) for value, given in values.items()})
        for axis, values in arrays.items()
    }
    widths = (1, 5, 10, 25, 50, 100, 200, 400)
    tables["W"] = grown({w: _beam_search(w, golden, lines.alphabet, w) for w in widths})
    return tables


def _beam_search(
    value: int, log_probs: Float32Array, alphabet: ctckit.Alphabet, width: int = 25
) -> Contestant:
    return ours("beamsearch", log_probs, alphabet, label=str(value), beam_width=width)


def cpu_of(arguments: list[str], **environment: str) -> float:
    """Return the CPU seconds that a command takes as a process of its own."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


DECODE_ONE = """
import sys, numpy as np, ctckit
alphabet = ctckit.Alphabet(["a", "b", ""], blank=2)
batch = ctckit.MatrixBatch.from_probs(np.full((1, 3, 3), 1 / 3), alphabet)
options = {"corpus": sys.argv[2]} if sys.argv[1] == "wordbeamsearch" else {}
ctckit.load_decoder(sys.argv[1], alphabet, **options).decode_batch(batch)[0][0].log_prob
"""


def cold_start() -> Row:
    """Return CPU seconds of commands from nothing, and of each decoder's first two calls."""
    commands = {
        "ctckit --help": ["--help"],
        "ctckit decoders": ["decoders"],
        "an unknown option": ["decode", "--beam-wdith", "5"],
    }
    result: Row = {"commands": {}, "first_call": {}, "later_call": {}}
    for name, arguments in commands.items():
        runs = sorted(cpu_of(["-m", "ctckit", *arguments]) for _ in range(5))
        result["commands"][name] = runs[2]
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.txt"
        corpus.write_text("a ba ab", encoding="utf-8")
        for name in ("bestpath", "beamsearch", "wordbeamsearch"):
            cache = {"NUMBA_CACHE_DIR": str(Path(folder) / name)}
            arguments = ["-c", DECODE_ONE, name, str(corpus)]
            result["first_call"][name] = cpu_of(arguments, **cache)
            result["later_call"][name] = sorted(cpu_of(arguments, **cache) for _ in range(3))[1]
    return result


def stamp(lines: Lines) -> Row:
    """Return where and with what this was measured."""
    return {
        **where_and_when(),
        "versions": {
            "ctckit": version("ctckit"),
            "numpy": version("numpy"),
            "numba": version("numba"),
            **versions_of("tensorflowgreedy", "fastctcviterbi"),
        },
        "matrices": lines.source,
    }


def table(result: Row) -> str:
    """Return the README's section."""
    peers = ("TensorFlow", "fast-ctc-decode")
    out = [
        "| CPU time for one matrix (C = 80, T = 100 unless said) | ctckit | TensorFlow | times | "
        "fast-ctc-decode | times |",
        "|---|---|---|---|---|---|",
    ]
    for row in result["cases"]:
        cells = [row["case"], microseconds(row["ctckit_us"])]
        for peer in peers:
            if f"{peer}_us" in row:
                cells += [microseconds(row[f"{peer}_us"]), f"{row[f'{peer}_ratio']:.0f}"]
            else:
                cells += ["", ""]
        out.append("| " + " | ".join(cells) + " |")
    threads, cold, where = result["threads"], result["cold_start"], result["stamp"]
    first = ", ".join(f"{name} {seconds:.1f} s" for name, seconds in cold["first_call"].items())
    later = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in cold["later_call"].items())
    starts = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in cold["commands"].items())
    out += [
        "",
        f"Two threads take {threads['lines']} lines through beam search (W=25) "
        f"{threads['ratio']:.2f} times as fast as one.",
        "",
        "Growth of beam search (microseconds a matrix; W=25, T=100, C=80 but for what grows):",
        "",
    ]
    out += [
        *growth_lines(result["growth"]),
        "",
        f"Start, CPU time: {starts}. A decoder's very first call compiles: {first}; in later "
        f"processes the whole start, with numba, takes {later}.",
        "",
        f"{measured(where)}; word beam search is beside TensorFlow's plain beam search of the same "
        "width, a text's log-probability beside its CTC loss, which prepares the gradient, too. "
        "All on one thread, medians of interleaved runs; ours include making the texts. `make "
        "peers bench` repeats it.",
    ]
    return "\n".join(out)


def main() -> int:
    """Run all cases; exit 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "speed.json")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved runs of each case")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    parser.add_argument("--own", action="store_true", help="start and threads only; keep the rest")
    arguments = parser.parse_args()
    lines = load_lines()
    # Before TensorFlow and its threads are in the process.
    own: Row = {"cold_start": cold_start(), "threads": thread_case(lines)}
    if arguments.own:
        result = json.loads(arguments.output.read_text(encoding="utf-8")) | own
    else:
        result = {"stamp": stamp(lines), **own}
        result["cases"] = [
            *best_path_cases(lines),
            *beam_search_cases(lines, arguments.rounds),
            *word_beam_search_cases(lines, arguments.rounds),
            *single_cases(lines, arguments.rounds),
            *likelihood_cases(lines, arguments.rounds),
        ]
        result["growth"] = growth(lines)
    missed = [
        f"{row['case']}: {row[f'{peer}_ratio']:.0f} times {peer}, bar {row[f'{peer}_bar']:g}"
        for row in result["cases"]
        for peer in ("TensorFlow", "fast-ctc-decode")
        if row.get(f"{peer}_bar") and row[f"{peer}_ratio"] < row[f"{peer}_bar"]
    ]
    result["missed"] = missed
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = table(result)
    print(text)
    if arguments.readme:
        write_readme("speed", text)
    for one in missed:
        print(f"bar missed: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
