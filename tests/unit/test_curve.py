"""The curve of a training as a table and a picture, and its summary."""

from __future__ import annotations

import importlib.util
import json
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

from ctckit.errors import InvalidValueError
from ctckit.recognizer import curve
from ctckit.recognizer.curve import Row

ROWS: list[Row] = [
    dict(zip(curve.CURVE_COLUMNS, values, strict=True))
    for values in ((10, 5.0, 2.5, 0.5, 0.75, 0.25), (20, 9.5, 1.25, 0.25, 0.5, 0.5))
]
UNKNOWN: list[Row] = [{**row, "cer": None, "wer": None, "exact": None} for row in ROWS]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    assert curve.read_curve(tmp_path, 100) == []
    curve.write_curve(tmp_path, [*ROWS, {**UNKNOWN[0], "images": 30}])
    path = tmp_path / curve.CURVE
    assert path.read_text() == (
        "images,seconds,loss,cer,wer,exact\n"
        "10,5.0,2.5,0.5,0.75,0.25\n20,9.5,1.25,0.25,0.5,0.5\n30,5.0,2.5,,,\n"
    )
    assert curve.read_curve(tmp_path, 30) == [*ROWS, {**UNKNOWN[0], "images": 30}]


def test_it_is_cut_where_the_training_goes_on(tmp_path: Path) -> None:
    curve.write_curve(tmp_path, ROWS)
    assert curve.read_curve(tmp_path, 19) == ROWS[:1]
    path = tmp_path / curve.CURVE
    path.write_text(path.read_text() + "torn,1\n40")
    assert curve.read_curve(tmp_path, 99) == ROWS
    path.write_bytes(b"\xff\xfe nothing of a table")
    assert curve.read_curve(tmp_path, 99) == []


def test_one_of_before_there_was_a_wer(tmp_path: Path) -> None:
    (tmp_path / curve.CURVE).write_text("images,seconds,loss,cer,exact\n10,5.0,2.5,0.5,0.25\n")
    rows = curve.read_curve(tmp_path, 10)
    assert rows == [{**ROWS[0], "wer": None}]
    curve.write_curve(tmp_path, [*rows, ROWS[1]])
    assert curve.read_curve(tmp_path, 20) == [*rows, ROWS[1]]
    if curve.can_draw():
        curve.draw_curve(tmp_path, [*rows, ROWS[1]])


@pytest.mark.parametrize("rows", [ROWS, ROWS[:1], UNKNOWN])
def test_the_picture(tmp_path: Path, rows: list[Row]) -> None:
    if importlib.util.find_spec("matplotlib") is None:
        pytest.skip("needs ctckit[plots]")
    before = sys.modules.get("matplotlib.pyplot")
    curve.draw_curve(tmp_path, rows)
    first = (tmp_path / curve.PICTURE).read_bytes()
    image = cv2.imdecode(np.frombuffer(first, np.uint8), cv2.IMREAD_COLOR)
    assert image.shape == (540, 960, 3)
    blue = (image == (180, 119, 31)).all(axis=2).sum()  # Matplotlib's first colour
    assert (blue > 20) == (rows[0]["cer"] is not None)
    curve.draw_curve(tmp_path, rows)
    assert (tmp_path / curve.PICTURE).read_bytes() == first
    assert sys.modules.get("matplotlib.pyplot") is before


def test_the_summary(tmp_path: Path) -> None:
    curve.write_summary(tmp_path, {"images": 3, "model": {"cer": None}})
    path = tmp_path / curve.SUMMARY
    assert json.loads(path.read_text()) == {"images": 3, "model": {"cer": None}}


def test_where_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for write in (
        lambda: curve.write_curve(tmp_path / "file", ROWS),
        lambda: curve.write_summary(tmp_path / "file", {}),
    ):
        with pytest.raises(InvalidValueError, match=r"file must be writable, got '.*file/.*' \("):
            write()
