"""How a training went: the evaluations as a table, as a picture, and in a few numbers."""

from __future__ import annotations

import csv
import importlib
import io
import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ctckit.recognizer.models import write_whole

CURVE = "curve.csv"
PICTURE = "curve.png"
SUMMARY = "summary.json"
CURVE_COLUMNS = ("images", "seconds", "loss", "cer", "wer", "exact")

Row = dict[str, float | None]


def read_curve(folder: Path, images: int) -> list[Row]:
    """Return the evaluations so far, without those that came after `images`, and damaged ones.

    A training that was killed goes on from its last checkpoint, and evaluates again after that.
    A column that is not there, as in files of before there was a WER, is not known.
    """
    try:
        text = (folder / CURVE).read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return []
    rows = []
    for read in csv.DictReader(io.StringIO(text)):
        try:
            row: Row = {name: float(read[name]) if read.get(name) else None
                        for name in CURVE_COLUMNS}  # fmt: skip
            at = row["images"] = int(read["images"])
        except (KeyError, ValueError, TypeError):
            continue
        if at <= images and row["seconds"] is not None and row["loss"] is not None:
            rows.append(row)
    return rows


def write_curve(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``curve.csv``, an evaluation a row; what is not known is empty.

    Raises
    ------
    InvalidValueError : it cannot be written
    """
    text = io.StringIO()
    writer = csv.DictWriter(text, CURVE_COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_whole(folder / CURVE, text.getvalue().encode())


def can_draw() -> bool:
    """Return whether there is a Matplotlib, which `draw_curve` needs."""
    # It would say on stderr that it looks for fonts, the first time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    try:
        importlib.import_module("matplotlib.figure")
    except Exception:  # missing, or broken, which must not end a training
        return False
    return True


def draw_curve(folder: Path, rows: Sequence[Row]) -> None:
    """Write ``curve.png``: the loss and the error rates over the images; at least one row.

    Raises
    ------
    InvalidValueError : it cannot be written
    """
    from matplotlib.figure import Figure  # no pyplot, which would ask for a screen
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    figure = Figure(figsize=(8, 4.5), layout="constrained")
    left = figure.subplots()
    left.set_xlabel("images trained on")
    left.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    left.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    left.grid(alpha=0.3)
    images = [row["images"] or 0 for row in rows]
    (loss,) = left.plot(images, _values(rows, "loss"), ".-", color="0.55", label="loss")
    left.set_ylabel("loss per character")
    left.set_ylim(bottom=0)
    lines = [loss]
    if any(row["cer"] is not None for row in rows):
        right = left.twinx()
        right.set_ylabel("error rate on the images to validate on")
        for name, color in (("cer", "tab:blue"), ("wer", "tab:orange")):
            lines += right.plot(images, _values(rows, name), ".-", color=color, label=name.upper())
        known = [row for row in reversed(rows) if row["cer"] is not None]
        best = min(known, key=lambda row: row["cer"] or 0)  # of equally good ones the last
        lines += right.plot([best["images"] or 0], [best["cer"] or 0], "o", color="tab:blue",
                            fillstyle="none", markersize=10, linestyle="none",
                            label=f"best CER, {best['cer']:.4f}")  # fmt: skip
        right.set_ylim(bottom=0)
    left.legend(handles=lines, loc="upper right")
    picture = io.BytesIO()
    # Without the name of the program the same curve makes the same bytes.
    figure.savefig(picture, format="png", dpi=120, metadata={"Software": None})
    write_whole(folder / PICTURE, picture.getvalue())


def _values(rows: Sequence[Row], name: str) -> list[float]:
    """Return a column, NaN where it is not known: there the line has a gap."""
    return [float("nan") if (value := row[name]) is None else value for row in rows]


def write_summary(folder: Path, summary: Mapping[str, Any]) -> None:
    """Write ``summary.json``.

    Raises
    ------
    InvalidValueError : it cannot be written
    """
    write_whole(folder / SUMMARY, (json.dumps(summary, indent=2) + "\n").encode())
