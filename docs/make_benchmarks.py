"""Write docs/benchmarks.md from the results in benchmarks/: python docs/make_benchmarks.py."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

PAGE = Path(__file__).with_name("benchmarks.md")
RESULTS = Path(__file__).resolve().parents[1] / "benchmarks"
Row = Mapping[str, Any]

INTRODUCTION = """\
# Benchmarks

This page is made from the JSON files of `benchmarks/` by `python docs/make_benchmarks.py`; a test
checks that it is up to date. Each part says where and with what it was measured, and which command
measures it again on your machine. W is the beam width, T the frames and C the classes of a matrix;
`us` are microseconds.
"""
ACCURACY = """\
Error rates of the bundled model on images whose writers and texts it was not trained on, in
brackets 95% intervals of {resamples:,} resamples of the images.
[The card](model-card.md#how-well-it-reads) says what the images and the word lists are.
"""


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown; all columns but the first are numbers."""
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def time_of(us: float | None) -> str:
    """Return microseconds with as many digits as they deserve, in a fitting unit."""
    if us is None:
        return ""
    number, unit = (us / 1000, "ms") if us >= 1000 else (us, "us")
    digits = 0 if 10 <= us < 1000 else 1
    return f"{number:.{digits}f}\N{NO-BREAK SPACE}{unit}"


def measured(stamp: Row, command: str) -> str:
    """Return the sentence that says where, when and with what."""
    known = ("date", "commit", "cpu", "python", "versions", "matrices", "machine", "cores")
    versions = {"Python": stamp["python"], **stamp.get("versions", {})}
    versions |= {name: value for name, value in stamp.items() if name not in (*known, "corpus")}
    when = f" {stamp['date']} at commit {stamp['commit']}" if "date" in stamp else ""
    machine = stamp.get("cpu") or f"{stamp['machine']}, {stamp['cores']} cores"
    told = ", ".join(f"{name} {number}" for name, number in versions.items())
    of = f"; {stamp['matrices']}" if "matrices" in stamp else ""
    return f"Measured{when} on {machine}; {told}{of}. `{command}` measures it again.\n"


def growth(result: Row) -> str:
    """Return a list: how a time grows with one thing, and all else stays."""
    lines = []
    for name, rows in result["growth"].items():
        told = ", ".join(f"{row['value']}: {row['us']:.0f}" for row in rows)
        lines.append(f"- {name} = {told}\n")
    return "".join(lines)


def speed(result: Row) -> str:
    """Return the part on decoding without language."""
    names = [key[:-3] for key in result["cases"][0] if key.endswith("_us") and "wall" not in key]
    peers = [name for name in names if name != "ctckit"]
    head = ["CPU time for one matrix", "ctckit"]
    head += [cell for name in peers for cell in (name, "times")]
    rows = []
    for case in result["cases"]:
        cells = [case["case"], time_of(case["ctckit_us"])]
        for name in peers:
            ratio = case.get(f"{name}_ratio")
            cells += [time_of(case.get(f"{name}_us")), "" if ratio is None else f"{ratio:.0f}"]
        rows.append(cells)
    start = result["cold_start"]
    firsts = ", ".join(f"{name} {value:.1f} s" for name, value in start["first_call"].items())
    laters = ", ".join(f"{name} {value:.2f} s" for name, value in start["later_call"].items())
    threads = result["threads"]
    return "\n".join(
        [
            "C = 80 and T = 100 unless said. Ours include making the texts. Word beam search is "
            "beside TensorFlow's plain beam search of the same width, a text's log-probability "
            "beside its CTC loss, which prepares the gradient, too.\n",
            table(head, rows),
            f"Two threads take {threads['lines']} lines through beam search {threads['ratio']:.2f} "
            f"times as fast as one. A decoder's very first call compiles: {firsts}. In later "
            f"processes the whole start takes: {laters}.\n",
            "Growth of beam search, us a matrix:\n",
            growth(result),
        ]
    )


def language(result: Row) -> str:
    """Return the part on decoding with language models."""
    widths = sorted({row["width"] for row in result["rows"]})
    found: dict[tuple[str, str], dict[int, Row]] = {}
    for row in result["rows"]:
        found.setdefault((row["model"], row["decoder"]), {})[row["width"]] = row
    rows = []
    for (model, decoder), by_width in found.items():
        cells = [f"{model}: {decoder}"]
        for width in widths:
            row = by_width.get(width)
            cells += ["", ""] if row is None else [time_of(row["us"]), f"{row['cer']:.4f}"]
        rows.append(cells)
    head = ["model: decoder", *(cell for width in widths for cell in (f"W={width}", "CER"))]
    return "\n".join(
        [
            f"CPU time for one matrix, and errors over {result['lines']} lines. All models but that"
            " of *lines unseen* are of a corpus that holds these lines, so that their CERs are too "
            "good for other texts.\n",
            table(head, rows),
            "Growth of `ngrambeamsearch`, us a matrix:\n",
            growth(result),
        ]
    )


def shims(result: Row) -> str:
    """Return the part on ctckit.compat."""
    rows = [
        [f"{row['shim']}: {row['call']}", time_of(row["us"]), time_of(row["original_us"]),
         f"{row['times']:.1f}", f"{row['cer']:.4f}", f"{row['original_cer']:.4f}"]
        for row in result["rows"]
    ]  # fmt: skip
    head = ["call", "ctckit.compat", "original", "times", "CER", "original's"]
    left_out = "".join(f" {name} is left out: {why}." for name, why in result["left_out"].items())
    return (
        "The same calls of the shims and of the originals, all that they do counted: CPU time for "
        f"one matrix, and errors over {result['lines']} lines. pyctcdecode is called with its "
        f"defaults, at which it prunes.{left_out}\n\n{table(head, rows)}"
    )


def large_alphabets(result: Row) -> str:
    """Return the part on many classes."""
    rows = [
        [
            f"{row['classes']:,}",
            *(time_of(row[f"{name}_us"]) for name in ("reading", "W25", "W100")),
        ]
        for row in result["rows"]
    ]
    return table(["classes", "reading the matrix alone", "beamsearch, W=25", "W=100"], rows)


def lexicon_size(result: Row) -> str:
    """Return the part on lexica."""
    names = [name for name in result["searches"] if "cold" not in name]
    rows = [
        [f"{row['words']:,}", f"{row['list_s']:.3f} s", f"{row['file_s']:.3f} s",
         f"{row['cached_ms']:.1f} ms", f"{row['stays_mb']:.1f}",
         *(time_of(result["searches"][name][i]) for name in names)]
        for i, row in enumerate(result["builds"])
    ]  # fmt: skip
    head = ["words", "from a list", "from a file", "from the cache", "MB that stay", *names]
    return table(head, rows)


def language_models(result: Row) -> str:
    """Return the part on n-gram models."""
    rows = []
    for row in result["results"]:
        ours, theirs, seconds = row["perplexity"], row.get("irstlm") or {}, row["cpu_seconds"]
        irstlm = theirs.get("given_known")
        rows.append(
            [str(row["order"]), f"{row['n-grams']:,}", f"{seconds['train']:.2f} s",
             f"{seconds['load']:.3f} s", f"{ours['known']:.2f}", f"{ours['given_known']:.2f}",
             "" if irstlm is None else f"{irstlm:.2f}"]
        )  # fmt: skip
    head = ["order", "n-grams", "training", "loading", "perplexity of known words"]
    return table([*head, "among known words", "IRSTLM's"], rows)


def recognizer(result: Row) -> str:
    """Return the part on images to matrices."""
    command = result["command"]
    names = [name for name, value in command.items() if isinstance(value, dict)]
    rows = [[key, *(f"{command[name][key]:,}" for name in names)] for key in command[names[0]]]
    engines = list(result["network"][0]["images per CPU-second"])
    by_batch = [
        [str(row["batch"]), *(f"{row['images per CPU-second'][name]:,}" for name in engines)]
        for row in result["network"]
    ]
    return "\n".join(
        [
            f"A dump of {command['images']:,} images, SimpleHTR's network beside ours:\n",
            table(["", *names], rows),
            "The networks alone, images a CPU-second:\n",
            table(["batch", *engines], by_batch),
        ]
    )


def accuracy(result: Row) -> str:
    """Return the part on error rates."""

    def rate(row: Row, name: str) -> str:
        low, high = row[f"{name}_95"]
        return f"{row[name]:.3f} [{low:.3f}, {high:.3f}]"

    rows = [
        [f"{row['images']} {row['kind']}s of {row['source']}: {row['decoder']}"
         + (f", {row['words']}" if row["words"] else ""),
         *(rate(row, name) for name in ("cer", "wer", "exact"))]
        for row in result["results"]
    ]  # fmt: skip
    head = ["images: decoder", "CER", "WER", "exact"]
    said = ACCURACY.format(resamples=result["resamples"])
    return f"{said}\n{table(head, rows)}\n`make accuracy` measures it again.\n"


PARTS = {
    "speed": ("Decoding", speed, "make peers bench"),
    "language": ("Decoding with language", language, "make language"),
    "shims": ("Shims beside the originals", shims, "make shims"),
    "large_alphabets": (
        "Large alphabets",
        large_alphabets,
        "python benchmarks/large_alphabets.py",
    ),
    "lexicon_size": ("Lexica", lexicon_size, "python benchmarks/lexicon_size.py"),
    "language_models": ("Language models", language_models, "make lm"),
    "recognizer": ("Images to matrices", recognizer, "make speed"),
    "accuracy": ("Error rates of the bundled model", accuracy, "make accuracy"),
}
"""Of each file of results the title, what makes the text of it, and the command that measures."""


def make_page() -> str:
    """Return the text of docs/benchmarks.md."""
    parts = [INTRODUCTION]
    for name, (title, text_of, command) in PARTS.items():
        result = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
        parts.append(f"## {title}\n\n{text_of(result)}")
        if "stamp" in result:
            parts.append(measured(result["stamp"], command))
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
