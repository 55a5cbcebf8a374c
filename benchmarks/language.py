"""Decoding with language models: how fast and how well, beside what can be installed, in one run.

    make language

Models of words and of characters are trained on the corpus that the lines come from, which flatters
all decoders alike, and one of words on its sentences without those that hold a line. All get the
same ARPA files and weights. Times are CPU time for one matrix: medians of interleaved runs on one
thread, over the first lines; ours include making the texts, the peers' are those of their own work
alone (see peers.py). Error rates are pooled over all lines, white
space made single spaces. Exits with 1 if a bar is missed. The result goes to
benchmarks/language.json, and with --readme as a table into README.md.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inputs import ROOT, Lines, load_lines
from language_entries import LM_WEIGHT, NARROW, SAME_THRESHOLD, UNKNOWN, WORD_BONUS, Entries, Entry
from language_growth import PHRASES, WEIGHT, growth
from language_inputs import sentences_of, train, train_characters, without_references
from report import growth_lines, measured, microseconds, write_readme
from timing import Contestant, interleave, repeated, where_and_when

from ctckit.metrics import count_errors

WIDTHS = (25, 100)
TIMED_LINES = 20
PHRASES_BAR = 1.2
"""How many times as long the most hot phrases may take as none."""
CHARACTERS = 6
"""The order of the model of characters."""
Row = dict[str, Any]


def compare(model: str, width: int, entries: list[Entry], lines: Lines, rounds: int) -> list[Row]:
    """Time and score what decodes with one model at one width."""
    few = lines.log_probs[:TIMED_LINES]
    contestants = [
        (Contestant if one.against else repeated)(one.label, one.timed(few), len(few))
        for one in entries  # peers take long enough
    ]
    timings = interleave(contestants, rounds)
    rows: list[Row] = []
    for entry in entries:
        timing = timings[entry.label]
        texts = [" ".join(text.split()) for text in entry.texts(lines.log_probs)]
        counts = count_errors(lines.references, texts)
        row: Row = {"model": model, "width": width, "decoder": entry.label}
        row |= {"us": timing.cpu * 1e6, "wall_us": timing.wall * 1e6}
        row |= {"cer": counts.cer, "wer": counts.wer}
        if entry.against:
            own = next(one for one in rows if one["decoder"] == entry.against)
            row |= {"against": entry.against, "times": row["us"] / own["us"], "bar": entry.bar}
            row["cer_against"] = own["cer"]
        rows.append(row)
        said = f"{model}, W={width}, {entry.label}: {row['us']:.0f} us, CER {counts.cer:.4f}"
        print(said, file=sys.stderr, flush=True)
    return rows


def missed_bars(result: Row) -> list[str]:
    """Return what is wrong with each bar that is missed."""
    missed = []
    for row in result["rows"]:
        if row.get("bar") is None:
            continue
        where = f"{row['model']}, W={row['width']}, {row['against']} beside {row['decoder']}"
        if row["times"] < row["bar"]:
            missed.append(f"{where}: {row['times']:.1f} times as fast, bar {row['bar']:g}")
        if row["cer_against"] > row["cer"]:
            missed.append(f"{where}: CER {row['cer_against']:.4f}, bar {row['cer']:.4f}")
    phrases = [row["us"] for row in result["growth"]["phrases"]]
    if phrases[-1] >= PHRASES_BAR * phrases[0]:
        times = phrases[-1] / phrases[0]
        missed.append(f"{PHRASES[-1]} hot phrases: {times:.2f} times none, bar {PHRASES_BAR:g}")
    return missed


def table(result: Row) -> str:
    """Return the README's section."""
    head = "".join(f" | W={width} | times | CER" for width in WIDTHS)
    out = [f"| with | decoder{head} |", "|---|---" + "|---" * 3 * len(WIDTHS) + "|"]
    cells: dict[tuple[str, str], dict[int, Row]] = {}
    for row in result["rows"]:
        cells.setdefault((row["model"], row["decoder"]), {})[row["width"]] = row
    for (model, decoder), by_width in cells.items():
        line = [model, decoder]
        for width in WIDTHS:
            row = by_width.get(width, {})
            line.append(microseconds(row["us"]) if row else "")
            line.append(f"{row['times']:.1f}" if "times" in row else "")
            line.append(f"{row['cer']:.4f}" if row else "")
        out.append(f"| {' | '.join(line)} |")
    out += ["", *notes(result), "", *growth_lines(result["growth"]), ""]
    left_out = "".join(f" {name} is left out: {why}." for name, why in result["left_out"].items())
    out.append(
        f"{measured(result['stamp'])}; times over the first {TIMED_LINES} of "
        f"{result['lines']} lines, CER over all.{left_out} `make language` repeats it."
    )
    return "\n".join(out)


def notes(result: Row) -> list[str]:
    """Return what must be known to read the table."""
    corpus = result["corpus"]
    text = f"""
        CPU time for one matrix (C = 80, T = 100), on one thread, medians of interleaved runs, ours
        with the making of texts, the peers' own work alone; times: how many times as long as
        `ngrambeamsearch` takes with the same model, or `beamsearch`; beside pyctcdecode, which has
        an open vocabulary and prunes more,
        with one and beam_threshold {NARROW:g} (unpruned pyctcdecode: without). Models
        are by `ctckit lm train` on the {corpus["sentences"]} sentences of the corpus, which hold
        the lines, so that these CERs are too good for other texts; one is on the
        {corpus["without_references"]} sentences that hold none of them. Lexica are the models'
        words. A natural log counts {LM_WEIGHT:g}, a word {WORD_BONUS:g} with a model, an unknown
        word {UNKNOWN:.1f}. Words are what stands between spaces, as they are for the peers; *words
        of letters* are ctckit's default, where anything else may stand between words, unscored.
        pyctcdecode is as it comes or unpruned, ctckit as it comes, with a beam_threshold of
        {SAME_THRESHOLD:g}, or unpruned, flashlight-text unpruned or with the same threshold; its
        words end with a space, and so does each of its matrices."""
    growth = f"""
        Growth of `ngrambeamsearch` (microseconds a matrix; 2-gram, W=25, but for what grows; words
        of a lexicon without a model; hot phrases of weight {WEIGHT:g}):"""
    return [" ".join(text.split()), "", " ".join(growth.split())]


def run(rounds: int) -> Row:
    """Measure everything."""
    lines = load_lines()
    entries = Entries(lines)
    sentences = sentences_of(lines)
    held_out = without_references(sentences, lines.references)
    stamp = {**where_and_when(), "versions": entries.versions(), "matrices": lines.source}
    result: Row = {"stamp": stamp, "left_out": entries.left_out, "lines": len(lines.references)}
    result["corpus"] = {"sentences": len(sentences), "without_references": len(held_out)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.environ["CTCKIT_CACHE_DIR"] = str(folder / "cache")
        two, four = (train(f"{order}-gram", sentences, order, folder) for order in (2, 4))
        unseen = train("2-gram, lines unseen", held_out, 2, folder)
        characters = train_characters("characters", sentences, CHARACTERS, folder)
        groups: dict[str, Callable[[int], list[Entry]]] = {
            "nothing": entries.without_model,
            "a lexicon": lambda width: entries.with_lexicon(two, width),
            two.name: lambda width: entries.with_model(two, width, more=True),
            four.name: lambda width: entries.with_model(four, width),
            unseen.name: lambda width: entries.with_model(unseen, width),
            f"{CHARACTERS}-gram of characters": lambda width: entries.with_characters(
                characters, width
            ),
        }
        result["rows"] = [
            row
            for model, make in groups.items()
            for width in WIDTHS
            for row in compare(model, width, make(width), lines, rounds)
        ]
        result["growth"] = growth(lines, two, sentences, entries.characters, folder)
    result["missed"] = missed_bars(result)
    return result


def main() -> int:
    """Run all cases; exit 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=ROOT / "benchmarks" / "language.json")
    parser.add_argument("--rounds", type=int, default=7, help="interleaved runs of each case")
    parser.add_argument("--readme", action="store_true", help="put the table into README.md")
    arguments = parser.parse_args()
    result = run(arguments.rounds)
    arguments.output.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = table(result)
    print(text)
    for name, why in result["left_out"].items():
        print(f"left out: {name}, since {why}", file=sys.stderr)
    if arguments.readme:
        write_readme("language", text)
    for one in result["missed"]:
        print(f"bar missed: {one}", file=sys.stderr)
    return 1 if result["missed"] else 0


if __name__ == "__main__":
    sys.exit(main())
