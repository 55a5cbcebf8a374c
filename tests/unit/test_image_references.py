"""The texts of images: one file, labels.csv in each folder, or a text file beside the image."""

from __future__ import annotations

import unicodedata
from pathlib import Path
from typing import Literal

import pytest

from ctckit.errors import CtckitError, InvalidValueError, NotFoundError
from ctckit.recognizer.folders import find_images
from ctckit.recognizer.references import ImageReferences, find_references
from ctckit.references import read_references

HANDWRITING = Path(__file__).parents[2].parent / "shared" / "handwriting" / "test"


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def images(folder: Path, *names: str) -> None:
    write(folder, dict.fromkeys(names, b""))


def found_in(folder: Path, references: Path | None = None) -> ImageReferences:
    return find_references(folder, find_images(folder), references)


def test_no_references(tmp_path: Path) -> None:
    images(tmp_path, "b.png", "a/c.jpg")
    assert found_in(tmp_path) == ImageReferences({}, [], ["a/c.jpg", "b.png"])


def test_labels_csv(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "s/b.png", "s/c.png", "d.png", "e.png")
    labels = 'id,file,text,writer\n7,./a.png," x  ,""y",w\n8,s\\b.png,,w\n9,no/x.png,t,w\n'
    write(tmp_path, {"labels.csv": labels + ".9,.\\d.png,e\u0301,w\n"})
    assert found_in(tmp_path) == ImageReferences(
        {"a.png": ' x  ,"y', "d.png": "e\u0301", "s/b.png": ""},
        ["no/x.png"],
        ["e.png", "s/c.png"],
        groups=dict.fromkeys(("a.png", "s/b.png", "d.png"), "w"),
    )


def test_columns_in_other_case(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    write(tmp_path, {"labels.csv": "File,TEXT,Writer\na.png,x,w\nb.png,y,\n"})
    result = found_in(tmp_path)
    assert (result.texts, result.groups) == ({"a.png": "x", "b.png": "y"}, {"a.png": "w"})
    # As it is spelled comes first.
    write(tmp_path, {"labels.csv": "File,TEXT,file,text\nb.png,no,a.png,x\n"})
    assert found_in(tmp_path).texts == {"a.png": "x"}


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_in_another_normal_form(tmp_path: Path, form: Literal["NFC", "NFD"]) -> None:
    """As where macOS has packed the images, and another system has written the table."""
    other: Literal["NFC", "NFD"] = "NFD" if form == "NFC" else "NFC"
    on_disk = [unicodedata.normalize(form, name) for name in ("ü/é.png", "ü/ö.png", "ñ.png")]
    named = [unicodedata.normalize(other, name) for name in ("ü\\é.png", "./ü/ö.png", "ñ.png")]
    images(tmp_path, *on_disk)
    rows = "".join(f"{name},{i},w{i}\n" for i, name in enumerate(named))
    write(tmp_path, {"labels.csv": "file,text,writer\n" + rows + "ï.png,no,\n"})
    assert found_in(tmp_path) == ImageReferences(
        {on_disk[2]: "2", on_disk[0]: "0", on_disk[1]: "1"},
        ["ï.png"],
        [],
        {name: f"w{i}" for i, name in enumerate(on_disk)},
    )


def test_the_exact_name_comes_first(tmp_path: Path) -> None:
    images(tmp_path, "é.png", "e\u0301.png")
    if len(find_images(tmp_path)) < 2:
        pytest.skip("the file system takes both for one name")
    write(tmp_path, {"labels.csv": "file,text\ne\u0301.png,apart\né.png,composed\n"})
    assert found_in(tmp_path).texts == {"é.png": "composed", "e\u0301.png": "apart"}
    write(tmp_path, {"labels.csv": "file,text\ne\u0301.png,apart\n"})
    assert found_in(tmp_path).texts == {"e\u0301.png": "apart"}
    # Which of two is meant is not known.
    images(tmp_path, "ọ\u0302.png", "o\u0302\u0323.png")
    write(tmp_path, {"labels.csv": "file,text\nộ.png,which\n"})
    assert found_in(tmp_path).without_image == ["ộ.png"]


def test_the_nearest_labels_csv_wins(tmp_path: Path) -> None:
    images(tmp_path, "s/a.png", "s/t/b.png", "s/c.png")
    rows = "file,text\ns/a.png,far\ns/t/b.png,far\ns/c.png,far\n"
    write(tmp_path, {"labels.csv": rows, "s/labels.csv": "file,text\na.png,near\nt/b.png,near\n"})
    write(tmp_path, {"s/t/labels.csv": "file,text\nb.png,nearest\nx.png,\n"})
    write(tmp_path, {"empty/labels.csv": "file,text\ny.png,\n", ".h/labels.csv": "no header"})
    result = found_in(tmp_path)
    assert result.texts == {"s/a.png": "near", "s/c.png": "far", "s/t/b.png": "nearest"}
    assert (result.without_image, result.without_text) == (["empty/y.png", "s/t/x.png"], [])


def test_a_text_beside_the_image(tmp_path: Path) -> None:
    contents: dict[str, tuple[str | bytes, str]] = {
        "a.b": (" x \n", " x "),
        "c": (b"\xef\xbb\xbf\xc3\xbc\r\n", "ü"),
        "d": ("", ""),
        "e": ("no end", "no end"),
        "f": ("\nx\n\n", "x"),
        "g": ("a\u2028b\x0bc", "a\u2028b\x0bc"),
    }
    for name, (content, _) in contents.items():
        write(tmp_path, {f"s/{name}.png": b"", f"s/{name}.gt.txt": content})
    write(tmp_path, {"s/g.jpg": b"", "s/lost.gt.txt": "x", "s/other.txt": "x\ny"})
    result = found_in(tmp_path)
    expected = {f"s/{name}.png": text for name, (_, text) in contents.items()}
    assert result.texts == expected | {"s/g.jpg": "a\u2028b\x0bc"}
    assert list(result.texts) == [image.id for image in find_images(tmp_path)]
    assert (result.without_image, result.without_text) == (["s/lost.gt.txt"], [])


def test_labels_csv_comes_before_the_text_beside(tmp_path: Path) -> None:
    images(tmp_path, "a.png", "b.png")
    write(tmp_path, {"labels.csv": "file,text\na.png,table\n", "a.gt.txt": "1\n2"})
    write(tmp_path, {"b.gt.txt": "beside\n"})
    assert found_in(tmp_path) == ImageReferences({"a.png": "table", "b.png": "beside"}, [], [])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("r.csv", "file,text\n./s/a.png,x\nno.png,y\n"),
        ("r.jsonl", '{"id": "s\\\\a.png", "reference": "x"}\n{"file": "no.png", "text": "y"}\n'),
    ],
)
def test_a_file_that_is_given_counts_alone(tmp_path: Path, name: str, content: str) -> None:
    folder = tmp_path / "images"
    images(folder, "s/a.png", "b.png")
    write(folder, {"labels.csv": "file,text\nb.png,no\n", "b.gt.txt": "no"})
    write(tmp_path, {name: content})
    assert found_in(folder, tmp_path / name) == ImageReferences(
        {"s/a.png": "x"}, ["no.png"], ["b.png"]
    )


def test_a_name_with_a_backslash_is_taken_as_it_is(tmp_path: Path) -> None:
    images(tmp_path, "a\\b.png", "a/b.png")
    write(tmp_path, {"labels.csv": "file,text\na\\b.png,x\na/b.png,y\n"})
    assert found_in(tmp_path).texts == {"a/b.png": "y", "a\\b.png": "x"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("s/labels.csv", "file,text\na.png,x\na.png,y\n", r"'a.png' again in '.*csv', line 3"),
        ("s/labels.csv", "file,text\na.png,x\n./a.png,y\n", r"'./a.png' again in '.*s/labels.csv'"),
        (
            "s/labels.csv",
            "name,text\na.png,x\n",
            r"must have a column 'file' or 'id', got .*line 1",
        ),
        ("s/labels.csv", "File;Text\na.png;x\n", r"separated by commas, got 'File;Text' with ';'"),
        (
            "s/labels.csv",
            b"file,text\na.png,\xff\n",
            r"UTF-8 text, got byte 0xff in '.*labels.csv'",
        ),
        ("s/a.gt.txt", "x\ny\n", r"reference must be one line, got 2 in '.*s/a.gt.txt'; cut the"),
        ("s/a.gt.txt", b"\xff", r"reference must be UTF-8 text, got byte 0xff in '.*a.gt.txt'"),
    ],
)
def test_wrong_references(tmp_path: Path, name: str, content: str | bytes, message: str) -> None:
    images(tmp_path, "s/a.png")
    write(tmp_path, {name: content})
    with pytest.raises(InvalidValueError, match=message):
        found_in(tmp_path)


def test_wrong_files_that_are_given(tmp_path: Path) -> None:
    images(tmp_path, "a.png")
    with pytest.raises(NotFoundError, match=r"references must be an existing file, got '.*no.csv'"):
        found_in(tmp_path, tmp_path / "no.csv")
    with pytest.raises(CtckitError, match=r"references must be a .csv or .jsonl file, got '.*txt'"):
        found_in(tmp_path, tmp_path / "no.txt")


def test_the_id_columns_of_read_references(tmp_path: Path) -> None:
    path = write(tmp_path, {"r.csv": "file,id,text\na.png,1,x\n"}) / "r.csv"
    assert read_references(path) == {"1": "x"}
    assert read_references(path, id_columns=("file",)) == {"a.png": "x"}
    path = write(tmp_path, {"r.jsonl": '{"file": "a.png", "id": "1", "text": "x"}'}) / "r.jsonl"
    assert read_references(path, id_columns=("file", "id")) == {"a.png": "x"}


@pytest.mark.skipif(
    not (HANDWRITING / "labels.csv").is_file(), reason=f"handwriting is not here: no {HANDWRITING}"
)
def test_real_references() -> None:
    result = found_in(HANDWRITING)
    assert (len(result.texts), result.without_image, result.without_text) == (1643, [], [])
    assert result.texts["words/dhsd_w06_6_1.png"] == "Bankgäßchen"
