"""SimpleHTR's and CTCWordBeamSearch's own CSV files convert, and decode to the known texts."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from ctckit import load_decoder, open_dump
from ctckit.dumps.convert import convert

GOLDEN = Path(__file__).parents[2].parent / "shared" / "golden"

pytestmark = pytest.mark.skipif(
    not (GOLDEN / "README.md").is_file(), reason=f"golden matrices are not here: no {GOLDEN}"
)

KNOWN = [
    ("line/rnnOutput.csv", "iam/chars.txt", "the fak friend of the fomly hae tC"),
    ("word/rnnOutput.csv", "iam/chars.txt", "aircrapt"),
]


def best_path(dump: Path) -> list[str]:
    opened = open_dump(dump)
    decoder = load_decoder("bestpath", opened.alphabet)
    return [text for part in opened.batches() for text in decoder.decode_batch(part.batch).texts()]


@pytest.mark.parametrize("store", ["float32", "float16"])
@pytest.mark.parametrize(("matrix", "chars", "text"), KNOWN)
def test_best_path_of_converted_csv(
    tmp_path: Path, matrix: str, chars: str, text: str, store: str
) -> None:
    scheidl = GOLDEN / "scheidl"
    convert(scheidl / matrix, tmp_path / "d", alphabet=scheidl / chars, store=store)
    assert best_path(tmp_path / "d") == [text]
    assert open_dump(tmp_path / "d").ids == ["rnnOutput"]


def test_a_folder_of_csv_through_every_format(tmp_path: Path) -> None:
    (tmp_path / "csv").mkdir()
    for matrix, _, _ in KNOWN:
        name = matrix.split("/")[0] + ".csv"
        shutil.copy(GOLDEN / "scheidl" / matrix, tmp_path / "csv" / name)
    chars = GOLDEN / "scheidl" / "iam" / "chars.txt"
    convert(tmp_path / "csv", tmp_path / "dump", alphabet=chars)
    convert(tmp_path / "dump", tmp_path / "x.npz")
    convert(tmp_path / "x.npz", tmp_path / "again", to="csv")
    convert(tmp_path / "again", tmp_path / "last")
    assert open_dump(tmp_path / "last").ids == ["line", "word"]
    assert best_path(tmp_path / "last") == [text for _, _, text in KNOWN]


def test_bentham_has_one_class_more_than_characters(tmp_path: Path) -> None:
    folder = GOLDEN / "scheidl" / "bentham"
    convert(folder / "mat_2.csv", tmp_path / "d", alphabet=folder / "chars.txt")
    dump = open_dump(tmp_path / "d")
    characters = (folder / "chars.txt").read_text(encoding="utf-8")
    assert (dump.alphabet.tokens[:-1], dump.alphabet.blank) == (tuple(characters), 93)
    [text] = best_path(tmp_path / "d")
    assert "both mental and corporeal, is far" in text


def test_synthetic_lines(tmp_path: Path) -> None:
    chars = GOLDEN / "scheidl" / "iam" / "chars.txt"
    convert(GOLDEN / "synthetic_lines.npz", tmp_path / "d", alphabet=chars, blank=79)
    with np.load(GOLDEN / "synthetic_lines.npz") as arrays:
        read = [m for part in open_dump(tmp_path / "d").batches() for m in part.batch]
        np.testing.assert_array_equal(np.stack(read), arrays["log_probs"])
