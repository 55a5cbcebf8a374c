"""What lexica of 1,000 to 1,000,000 words cost: to build, in memory, from the cache, in a search.

    .venv/bin/python benchmarks/lexicon_size.py

The words are those of the golden corpus, then made ones that look like them, so that each lexicon
begins the larger ones. Each build is a process of its own, median of some; its memory is how far
the resident set grows at most, above the list that it is given, and by how much once it is done. A
search is measured as in speed.py: CPU time for one matrix, on one thread, median of runs that are
interleaved over the sizes; once more with what the processor's caches held overwritten before each
matrix. The result goes to benchmarks/lexicon_size.json.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from inputs import ROOT, Lines, batch_of, load_lines
from timing import Contestant, interleave
from words import common_pieces, words_like

import ctckit
from ctckit.language import Lexicon, default_word_characters, read_corpus, split_words

SIZES = (1_000, 10_000, 100_000, 1_000_000)
BARS = {"list_s": 5.0, "file_s": 5.0, "cached_ms": 50.0, "peak_mb": 100.0, "file_peak_mb": 100.0}
"""At the largest size."""
GROWTH_BAR = 1.5
"""How many times slower a search may be with 1,000,000 words than with 10,000."""
PIECES = 1_000
"""Tokens of several characters in the alphabet of word pieces."""
CACHES = 96 << 20
"""Bytes that displace whatever is in the processor's caches."""
Row = dict[str, Any]


def resident() -> tuple[float, float]:
    """Return the megabytes that the process has in memory, and the most it has had."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    kilobytes = {line.split(":")[0]: line.split()[1] for line in lines if line.startswith("Vm")}
    return float(kilobytes["VmRSS"]) * 1024e-6, float(kilobytes["VmHWM"]) * 1024e-6


def corpus_words(lines: Lines, path: Path | None = None) -> list[str]:
    """Return the different words of the lines' corpus, or of another one."""
    text = read_corpus(path or lines.corpus)
    return list(dict.fromkeys(split_words(text, default_word_characters(lines.alphabet))))


def build_once(how: str, path: Path) -> Row:
    """Build a lexicon in this process.

    how : from a list, with every spelling in `PIECES` pieces too, from a file, or from the cache
    """
    lines = load_lines()
    alphabet, every = lines.alphabet, how == "every"
    if every:
        tokens = [*common_pieces(corpus_words(lines), PIECES), *alphabet.tokens]
        alphabet = ctckit.Alphabet(tokens, len(tokens) - 1)
    words = path.read_text(encoding="utf-8").split() if how in ("list", "every") else []
    len(Lexicon(["a"], alphabet, all_spellings=every))  # loads the kernels
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # forget the most
    before, _ = resident()
    start, start_cpu = time.perf_counter(), time.process_time()
    if words:
        lexicon = Lexicon(words, alphabet, all_spellings=every)
    else:
        lexicon = Lexicon.from_file(path, alphabet)
    seconds, cpu = time.perf_counter() - start, time.process_time() - start_cpu
    after, most = resident()
    return {
        "seconds": seconds,
        "cpu": cpu,
        "peak_mb": most - before,
        "stays_mb": after - before,
        "words": len(lexicon),
        "nodes": len(lexicon.nodes) - 1,
        "arcs": len(lexicon.arc_token),
    }


def builds(path: Path, how: str, times: int) -> Row:
    """Return the medians of some builds, each in a process of its own."""
    results = []
    for _ in range(times):
        with tempfile.TemporaryDirectory() as folder:
            runs = 2 if how == "cached" else 1
            for _ in range(runs):
                result = subprocess.run(
                    [sys.executable, __file__, "--build", how, str(path)],
                    env=os.environ | {"CTCKIT_CACHE_DIR": folder},
                    stdout=subprocess.PIPE,
                    check=True,
                )
            results.append(json.loads(result.stdout))
    return {key: statistics.median(one[key] for one in results) for key in results[0]}


def build_row(path: Path, times: int) -> Row:
    """Measure one size."""
    kinds = ("list", "file", "cached", "every")
    by_list, by_file, cached, every = (builds(path, how, times) for how in kinds)
    return {
        "words": by_list["words"],
        "nodes": by_list["nodes"],
        "list_s": by_list["seconds"],
        "list_cpu_s": by_list["cpu"],
        "peak_mb": by_list["peak_mb"],
        "stays_mb": by_list["stays_mb"],
        "file_s": by_file["seconds"],
        "file_cpu_s": by_file["cpu"],
        "file_peak_mb": by_file["peak_mb"],
        "cached_ms": cached["seconds"] * 1e3,
        "cached_stays_mb": cached["stays_mb"],
        "every_s": every["seconds"],
        "every_cpu_s": every["cpu"],
        "every_peak_mb": every["peak_mb"],
        "every_stays_mb": every["stays_mb"],
        "every_arcs": every["arcs"],
    }


def searches(lines: Lines, paths: list[Path], rounds: int) -> dict[str, list[float]]:
    """Return each decoder's CPU microseconds for one matrix, by size; and with cold caches."""
    installed = {decoder.name for decoder in ctckit.list_decoders()}
    options: dict[str, tuple[str, Row]] = {
        "wordbeamsearch": ("corpus", {"mode": "Words"}),
        "ngrambeamsearch": ("lexicon", {}),
    }
    batch = batch_of(lines.log_probs, lines.alphabet)
    times = {}
    for name in sorted(installed & set(options), reverse=True):
        option, others = options[name]
        contestants, decoders = [], []
        for path in paths:
            decoder = ctckit.load_decoder(
                name, lines.alphabet, beam_width=25, **others, **{option: path}
            )
            decoders.append(decoder)

            def call(decoder: ctckit.Decoder = decoder) -> list[str]:
                return decoder.decode_batch(batch, threads=1).texts()

            contestants.append(Contestant(path.stem, call, len(batch), 3))
        timings = interleave(contestants, rounds)
        times[name] = [timings[path.stem].cpu * 1e6 for path in paths]
        times[f"{name}, cold"] = cold_searches(lines, decoders)
    return times


def cold_searches(lines: Lines, decoders: list[ctckit.Decoder]) -> list[float]:
    """Return the CPU microseconds of one matrix in a batch of its own, caches emptied before."""
    filler = np.zeros(CACHES, dtype=np.uint8)
    times: list[list[float]] = [[] for _ in decoders]
    for i in range(len(lines.log_probs)):
        batch = batch_of(lines.log_probs[i : i + 1], lines.alphabet)
        for decoder, found in zip(decoders, times, strict=True):
            filler[::64] += 1
            start = time.process_time()
            decoder.decode_batch(batch, threads=1).texts()
            found.append((time.process_time() - start) * 1e6)
    return [statistics.median(found) for found in times]


def stamp(lines: Lines) -> Row:
    """Return where and with what this was measured."""
    command = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    info = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    cpu = next((line.split(":", 1)[1].strip() for line in info if "model name" in line), "unknown")
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "cpu": f"{cpu}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "versions": {name: version(name) for name in ("ctckit", "numpy", "numba")},
        "matrices": lines.source,
    }


def table(result: Row) -> str:
    """Return the result as Markdown."""
    names = list(result["searches"])
    head = ["words", "nodes", "from a list", "at most", "then", "from a file", "at most"]
    head += ["from the cache", "every spelling", "at most", *(f"{name}, W=25" for name in names)]
    out = [f"| {' | '.join(head)} |", "|" + "---|" * len(head)]
    for i, row in enumerate(result["builds"]):
        cells = [f"{row['words']:,.0f}", f"{row['nodes']:,.0f}", f"{row['list_s']:.2f} s"]
        cells += [f"{row['peak_mb']:.1f} MB", f"{row['stays_mb']:.1f} MB"]
        cells += [f"{row['file_s']:.2f} s", f"{row['file_peak_mb']:.1f} MB"]
        cells += [f"{row['cached_ms']:.1f} ms"]
        cells += [f"{row['every_s']:.2f} s", f"{row['every_peak_mb']:.1f} MB"]
        cells += [f"{result['searches'][name][i]:.0f} us" for name in names]
        out.append(f"| {' | '.join(cells)} |")
    for name, growth in result["growth"].items():
        out += ["", f"{name}: {growth:.2f} times as long with 1,000,000 words as with 10,000."]
    return "\n".join(out)


def main() -> int:
    """Measure all sizes; exit 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    default = Path(__file__).with_suffix(".json")
    parser.add_argument("--output", type=Path, default=default)
    parser.add_argument("--rounds", type=int, default=9, help="interleaved runs of each search")
    parser.add_argument("--times", type=int, default=5, help="builds of each size")
    parser.add_argument("--words", type=Path, help="take the words of this text, then made ones")
    parser.add_argument("--build", nargs=2, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.build:
        how, path = arguments.build
        print(json.dumps(build_once(how, Path(path))))
        return 0
    lines = load_lines()
    words = words_like(corpus_words(lines, arguments.words), SIZES[-1])
    result: Row = {"stamp": stamp(lines), "builds": []}
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / f"{size}.txt" for size in SIZES]
        for size, path in zip(SIZES, paths, strict=True):
            path.write_text("\n".join(words[:size]) + "\n", encoding="utf-8")
            result["builds"].append(build_row(path, arguments.times))
        result["searches"] = searches(lines, paths, arguments.rounds)
    few = SIZES.index(10_000)
    result["growth"] = {name: us[-1] / us[few] for name, us in result["searches"].items()}
    largest = result["builds"][-1]
    missed = [f"{key} {largest[key]:.1f}" for key, bar in BARS.items() if largest[key] > bar]
    missed += [f"{name} {x:.2f} times" for name, x in result["growth"].items() if x > GROWTH_BAR]
    result["missed"] = missed
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(table(result))
    for one in missed:
        print(f"bar missed: {one}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
