"""A bench's result as rows, and those as text in several formats."""

from __future__ import annotations

import csv
import io
import json
import math
from collections.abc import Callable
from typing import Any

from ctckit.bench.harness import BenchResult, Score

HEADERS = ("decoder", "CER", "WER", "exact lines", "lines/s", "left out because")


def table_rows(result: BenchResult) -> list[tuple[str, ...]]:
    """Return one row of strings a decoder, in the order of `HEADERS`."""
    return [_table_row(score) for score in result.scores]


def _table_row(score: Score) -> tuple[str, ...]:
    if score.reason is not None:
        return score.label, "-", "-", "-", "-", score.reason
    counts = score.counts
    return (
        score.label,
        f"{counts.cer:.4f}",
        f"{counts.wer:.4f}",
        f"{counts.exact_lines}/{counts.lines}",
        _short_number(score.lines_per_second),
        "",
    )


def _short_number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def records(result: BenchResult) -> list[dict[str, Any]]:
    """Return one flat record a decoder; what was not measured is None."""
    return [_record(score) for score in result.scores]


def _record(score: Score) -> dict[str, Any]:
    counts = score.counts
    measured: dict[str, Any] = {
        "cer": counts.cer,
        "wer": counts.wer,
        "exact": counts.exact,
        "edits": counts.edits,
        "characters": counts.characters,
        "word_edits": counts.word_edits,
        "words": counts.words,
        "exact_lines": counts.exact_lines,
        "lines": counts.lines,
        "seconds": score.seconds,
        "lines_per_second": score.lines_per_second,
    }
    if score.reason is not None:
        measured = dict.fromkeys(measured)
    return {"decoder": score.label, **measured, "left_out": score.reason}


def to_csv(result: BenchResult) -> str:
    """Return the records as CSV (RFC 4180) with a header."""
    out = io.StringIO()
    rows = records(result)
    writer = csv.DictWriter(out, fieldnames=list(rows[0]) if rows else ["decoder"])
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def to_json(result: BenchResult) -> str:
    """Return the result as one JSON object; rates that are infinite become null."""
    rows = [{key: _finite(value) for key, value in row.items()} for row in records(result)]
    whole = {
        "dump": result.source,
        "lines": result.lines,
        "lines_without_reference": result.unreferenced,
        "damaged": result.damaged,
        "decoders": rows,
    }
    return json.dumps(whole, ensure_ascii=False, indent=2) + "\n"


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def to_markdown(result: BenchResult) -> str:
    """Return a Markdown table."""
    rows = table_rows(result)
    width = len(HEADERS) if any(score.reason for score in result.scores) else len(HEADERS) - 1
    lines = [HEADERS[:width], ("---", *["---:"] * 4, "---")[:width], *[row[:width] for row in rows]]
    return "".join(f"| {' | '.join(map(_markdown_cell, line))} |\n" for line in lines)


def _markdown_cell(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|").replace("\n", " ")


FORMATS: dict[str, Callable[[BenchResult], str]] = {
    ".csv": to_csv,
    ".json": to_json,
    ".md": to_markdown,
}
