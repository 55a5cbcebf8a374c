"""The command pack: what it writes, what it says, and how it ends."""

from __future__ import annotations

import errno
import os
import subprocess
import sys

import numpy as np
import pytest

from ctckit.cli.main import COMMANDS

cv2 = pytest.importorskip("cv2", reason="needs ctckit[images]")

TEXTS = ["one", "two", "three", "four"]


def draw(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.full((40, 100), 255, np.uint8))


@pytest.fixture
def data(folder):
    """Four images with texts, in `folder`/data."""
    for i in range(len(TEXTS)):
        draw(folder / "data" / f"{i}.png")
    rows = "".join(f"{i}.png,{text}\n" for i, text in enumerate(TEXTS))
    (folder / "data" / "labels.csv").write_text("file,text\n" + rows)
    return folder / "data"


def test_what_it_says(invoke, data):
    result = invoke("pack", "data")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == (
        "ctckit: 4 images of the layout 'folder' packed into 'data/packed.arrow' (0.0 MB)\n"
    )
    again = (data / "packed.arrow").read_bytes()
    assert invoke("pack", "data", "--output", "out/p.arrow").exit_code == 0
    assert (data.parent / "out" / "p.arrow").read_bytes() == again


def test_what_is_left_out_is_named(invoke, data, folder):
    iam = folder / "iam"
    rows = ["# a comment"]
    for i in range(3):
        draw(iam / "img" / "a01" / "a01-000u" / f"a01-000u-00-0{i}.png")
        rows.append(f"a01-000u-00-0{i} ok 154 408 768 27 51 AT A")
    (iam / "img/a01/a01-000u/a01-000u-00-01.png").write_bytes(b"no image")
    draw(iam / "img" / "a01" / "a01-117" / "a01-117-05-02.png")
    rows += ["a01-117-05-02 ok 1 2 3 4 5 VB Powell"] + [f"damaged{i}" for i in range(12)]
    (iam / "gt").mkdir()
    (iam / "gt" / "words.txt").write_text("\n".join(rows))
    result = invoke("pack", "iam")
    assert result.exit_code == 1
    named = ", ".join(
        f"line {i + 6} of words.txt (1 columns, fewer than 9): 'damaged{i}'" for i in range(10)
    )
    lines = result.stderr.splitlines()
    assert lines[0] == f"ctckit: warning: left out 12 damaged labels: {named}, ..."
    assert lines[1] == "ctckit: warning: left out 1 image known to be damaged: a01-117-05-02"
    assert lines[2].startswith(
        "ctckit: warning: left out 1 image that cannot be read: image must be PNG, JPEG or TIFF"
    )
    assert lines[3].startswith("ctckit: 2 images of the layout 'iam' packed into 'iam/packed.arr")
    assert len(lines) == 4


def test_errors_that_end_it(invoke, data, folder, monkeypatch):
    (folder / "file").write_text("x")
    draw(folder / "plain" / "a.png")
    (folder / "bad").mkdir()
    draw(folder / "bad" / "a.png")
    (folder / "bad" / "labels.csv").write_bytes("file,text\na.png,été\n".encode("cp1252"))
    for args, message in [
        (["none"], "folder must be an existing folder, got 'none'; check the path"),
        (["file"], "folder must be a folder, got the file 'file'; give a folder of images"),
        (["plain"], "data must have a layout that ctckit knows, got 'plain' with none of img/ wi"),
        (["bad"], "references must be UTF-8 text, got byte 0xe9 in 'bad/labels.csv', line 2 (it "),
        (["data", "--output", "x.bin"], "output must be a file whose name ends in .arrow, got 'x"),
        (["data", "--output", "file/x.arrow"], "output path must be writable, got 'file/x.arrow"),
    ]:
        result = invoke("pack", *args)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"ctckit: error: {message}"), result.stderr
        assert result.stderr.count("\n") == 1

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    result = invoke("pack", "data")
    assert result.stderr == (
        "ctckit: error: disk must have room for 'data/packed.arrow', got 'No space left on "
        "device'; free some space, then run again\n"
    )
    assert result.exit_code == 1
    assert not [path.name for path in data.iterdir() if "packed" in path.name]


def test_wrong_usage(invoke):
    assert "pack" in COMMANDS
    result = invoke("pack")
    assert result.exit_code == 2
    assert result.stderr.startswith("ctckit: error: DIR must be given, got nothing; see 'ctckit pa")
    for name, args in (("folder", [""]), ("output", ["data", "--output", ""])):
        result = invoke("pack", *args)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"ctckit: error: {name} must be a path, got ''; write . ")


def test_without_the_extra(invoke, data, monkeypatch):
    monkeypatch.setattr("ctckit.recognizer.extras.is_installed", lambda module: module != "PIL")
    result = invoke("pack", "data")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: the recognizer needs pillow, which is missing; pip install 'ctckit[onnx]'\n"
    )


@pytest.mark.parametrize("number", ["SIGINT", "SIGTERM"])
def test_interrupted(data, folder, number):
    """Nothing half done stays."""
    for i in range(600):
        (data / f"more{i}.png").write_bytes((data / "0.png").read_bytes())
        with (data / "labels.csv").open("a") as file:
            file.write(f"more{i}.png,x\n")
    code = (
        "import os, signal, sys\n"
        "from ctckit.recognizer import packing\n"
        "first = packing._record\n"
        "def record(rows, sources):\n"
        f"    os.kill(os.getpid(), signal.{number})\n"
        "    return first(rows, sources)\n"
        "packing._record = record\n"
        "sys.argv = ['ctckit', 'pack', 'data']\n"
        "from ctckit.cli.main import main\n"
        "main()\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=False
    )
    assert result.returncode == 130, result.stderr
    assert result.stderr == "ctckit: interrupted\n"
    assert not [path.name for path in data.iterdir() if "packed" in path.name]
