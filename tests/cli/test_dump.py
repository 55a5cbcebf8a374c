"""``ctckit dump``: what it says, and that nothing is lost; mostly with a fake for the network."""

from __future__ import annotations

import errno
import os
import pty
import re
import signal
import subprocess
import sys
import time
import types
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from ctckit import open_dump
from ctckit.errors import MissingExtraError

FAKE = '''
"""Stands for ctckit.recognizer.recognizer: the columns of an image are its matrix."""
import os, time
import cv2
import numpy as np
from ctckit import Alphabet, InvalidValueError, MatrixBatch


class Recognizer:
    alphabet = Alphabet(["a", "b", ""], blank=2)
    backend = "fake"
    calls = 2

    def __init__(self, model):
        self.source = {"model": model}

    @classmethod
    def load(cls, model=None, device="auto"):
        if device == "gpu":
            raise InvalidValueError("device must be cpu where fake sees no GPU, got 'gpu'; buy one")
        return cls(None if model is None else model.name)

    def prepare(self, image):
        height, width = image.shape
        size = max(1, round(width * 8 / height)), 8
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def recognize(self, prepared, ids=None):
        time.sleep(float(os.environ.get("FAKE_SECONDS", "0")))
        logits = []
        for one in prepared:
            columns = one[:, ::4].mean(axis=0) / 64
            logits.append(np.stack([columns, 3 - columns, np.ones_like(columns)], axis=1))
        return MatrixBatch.from_logits(logits, self.alphabet, ids=ids)
'''

DRIVER = """
import os, signal, sys, types
from ctckit.recognizer import windows

windows.WINDOW_IMAGES = 8
if os.environ.get("FAKE"):
    fake = types.ModuleType("ctckit.recognizer.recognizer")
    exec(os.environ["FAKE"], vars(fake))
    sys.modules[fake.__name__] = fake
left, real = int(os.environ.get("KILL_AT", "0")), os.fsync

def fsync(descriptor):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
    real(descriptor)

os.fsync = fsync
from ctckit.cli.main import main
main()
"""

GOES_ON = "ctckit: interrupted; what is written stays, run the command again to go on\n"


@pytest.fixture
def fake(monkeypatch):
    """Put the fake in the place of the recognizer."""
    module = types.ModuleType("ctckit.recognizer.recognizer")
    exec(FAKE, vars(module))
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module.Recognizer


def draw(path, width=30, seed=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, width), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def images(folder):
    """Twelve images in `folder`/words; labels for ten of them."""
    rows = ["file,text\n"]
    for i in range(12):
        name = f"{'ab'[i % 2]}/{i:02}.png"
        draw(folder / "words" / name, 20 + 7 * i, i)
        rows += [f"{name},text {i}\n"] if i < 10 else []
    (folder / "words" / "labels.csv").write_text("".join(rows), encoding="utf-8")
    return folder / "words"


def without_rate(text):
    """Return a message without what differs from run to run."""
    start, found, rest = text.rpartition(" images/s, ")
    assert found
    assert rest.endswith(" s\n")
    float(rest[:-3])
    start, _, rate = start.rpartition(", ")
    int(rate.replace(",", "").replace(".", ""))
    return start


WITHOUT_TEXT = "ctckit: warning: 2 images without a text: 'a/10.png', 'b/11.png'\n"


# What it does and says


def test_images_become_a_dump(invoke, fake, images, folder):
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 0
    assert result.stdout == ""
    assert without_rate(result.stderr) == (
        f"{WITHOUT_TEXT}ctckit: 12 images in 'dump' (2 with no text)"
    )
    dump = open_dump("dump")
    assert dump.ids == sorted(f"{'ab'[i % 2]}/{i:02}.png" for i in range(12))
    texts = {f"{'ab'[i % 2]}/{i:02}.png": f"text {i}" for i in range(10)}
    assert dump.references == [texts.get(id) for id in dump.ids]
    assert (dump.store, dump.source) == ("float32", {"command": "ctckit dump", "model": None})
    assert invoke("decode", "--decoder", "bestpath").exit_code == 0
    assert invoke("bench", "--decoder", "bestpath").exit_code == 0


def test_all_options(invoke, fake, images, folder):
    (folder / "texts.jsonl").write_text('{"id": "a/00.png", "text": "x"}\n')
    options = ["--references", "texts.jsonl", "--model", "m.safetensors", "--batch-size", "3"]
    options += ["--device", "cpu", "--store", "float16", "--csv", "csv", "--threads", "1"]
    result = invoke("dump", "--images", "words", "--output", "out/d", *options)
    assert result.exit_code == 0
    assert "ctckit: 12 images in 'out/d', CSV files in 'csv' (11 with no text), " in result.stderr
    dump = open_dump("out/d")
    assert (dump.store, dump.source["model"]) == ("float16", "m.safetensors")
    assert dump.references == ["x", *[None] * 11]
    assert len(list((folder / "csv").glob("*.csv"))) == 12
    assert (folder / "csv" / "a_00.png.csv").exists()


def test_run_again(invoke, fake, images, folder):
    assert invoke("dump", "--images", "words").exit_code == 0
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 0
    assert result.stderr == (f"{WITHOUT_TEXT}ctckit: nothing to do: 12 images already in 'dump'\n")
    draw(images / "c.png")
    result = invoke("dump", "--images", "words", "--batch-size", "1")
    assert result.exit_code == 0
    assert without_rate(result.stderr).endswith(
        "ctckit: 13 images in 'dump' (3 with no text), 12 were already there"
    )
    assert open_dump("dump").ids[-1] == "c.png"
    for options, message in [
        (["--store", "float16"], "store 'float32' instead of 'float16' in 'dump'"),
        (["--model", "other"], "store 'float16' instead of 'float32' in 'dump'"),
        (["--model", "new"], "source['model'] = 'other' instead of 'new' in 'dump'"),
    ]:
        result = invoke("dump", "--images", "words", *options)
        assert result.exit_code == 1
        assert result.stderr.endswith(
            "ctckit: error: dump to resume must have the same alphabet, store and source, got "
            f"{message}; choose a new folder, or overwrite it (--overwrite)\n"
        )
        result = invoke("dump", "--images", "words", *options, "--overwrite")
        assert result.exit_code == 0
        assert "13 images in 'dump' (3 with no text), " in result.stderr


def test_what_has_changed_since(invoke, fake, images, folder):
    assert invoke("dump", "--images", "words").exit_code == 0
    draw(images / "b" / "03.png", seed=99)
    (images / "b" / "05.png").unlink()
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "ctckit: error: images must be as they were when 'dump' was made, got 2 that are not, the "
        "first 'b/03.png' (its content has changed); make the dump anew (--overwrite), or choose "
        "another output\n"
    )
    result = invoke("dump", "--images", "words", "--overwrite")
    assert result.exit_code == 0
    assert "ctckit: 11 images in 'dump' (2 with no text), " in result.stderr


def test_a_moved_folder_goes_on(invoke, fake, images, folder):
    assert invoke("dump", "--images", "words").exit_code == 0
    images.rename(folder / "elsewhere")
    assert "nothing to do" in invoke("dump", "--images", "elsewhere").stderr


def test_csv_of_a_run_that_was_complete(invoke, fake, images, folder):
    assert invoke("dump", "--images", "words").exit_code == 0
    assert invoke("dump", "--images", "words", "--csv", "csv").exit_code == 0
    assert len(list((folder / "csv").glob("*.csv"))) == 12
    result = invoke("dump", "--images", "words", "--csv", "csv")
    assert result.exit_code == 0
    assert result.stderr == (
        f"{WITHOUT_TEXT}ctckit: 12 images already in 'dump', CSV files in 'csv'\n"
    )
    draw(images / "new.png")
    assert invoke("dump", "--images", "words", "--csv", "csv").exit_code == 0
    assert len(list((folder / "csv").glob("*.csv"))) == 13
    (folder / "csv" / "mine.csv").write_text("years of work")
    result = invoke("dump", "--images", "words", "--csv", "csv")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: output folder must be new or empty, got 'csv' with 16 files; choose "
        "another, or overwrite it (--overwrite)\n"
    )
    assert (folder / "csv" / "mine.csv").read_text() == "years of work"
    assert invoke("dump", "--images", "words", "--csv", "csv", "--overwrite").exit_code == 0


def test_csv_that_cannot_be_written(invoke, fake, images, folder, monkeypatch):
    from ctckit.dumps import matrix_csv

    def fail(error):
        def write(path, text):
            raise error

        monkeypatch.setattr(matrix_csv, "_write", write)

    fail(OSError(errno.ENOSPC, "No space left on device"))
    result = invoke("dump", "--images", "words", "--csv", "csv")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "ctckit: error: disk must have room for 'csv', got 'No space left on device'; free some "
        "space, then run again (the dump itself, 'dump', is complete)\n"
    )
    fail(KeyboardInterrupt())
    for options, again in [([], ""), (["--overwrite"], ", without --overwrite,")]:
        result = invoke("dump", "--images", "words", "--csv", "csv", *options)
        assert result.exit_code == 130
        assert result.stderr.endswith(
            f"ctckit: interrupted; the dump 'dump' is complete, run the command again{again} for "
            "'csv'\n"
        )
    assert sorted(one.name for one in folder.iterdir()) == ["dump", "words"]


def test_one_image_with_its_text(invoke, fake, folder):
    draw(folder / "words" / "x.png")
    (folder / "words" / "x.gt.txt").write_text("hello\n")
    result = invoke("dump", "--images", "words")
    assert without_rate(result.stderr) == "ctckit: 1 image in 'dump'"
    assert open_dump("dump").references == ["hello"]


def test_no_texts_at_all(invoke, fake, images):
    (images / "labels.csv").unlink()
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 0
    assert without_rate(result.stderr) == (
        "ctckit: none of the 12 images has a text, so the dump has no references\n"
        "ctckit: 12 images in 'dump' (12 with no text)"
    )


def test_texts_that_fit_no_image(invoke, fake, images):
    rows = "".join(f"{i},x\n" for i in ["a/00.png", *range(1200)])
    (images / "labels.csv").write_text("file,text\n" + rows)
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 0
    named = ", ".join(f"'{i}'" for i in range(10))
    first, second, _ = result.stderr.splitlines()
    assert first == f"ctckit: warning: 1,200 references without an image: {named}, ..."
    assert second.startswith("ctckit: warning: 11 images without a text: 'a/02.png', 'a/04.png', ")
    assert second.endswith(", ...")
    assert second.count(".png'") == 10
    (images / "labels.csv").write_text("file,text\nx,y\na/00.png,z\n")
    result = invoke("dump", "--images", "words", "--output", "other")
    assert "ctckit: warning: 1 reference without an image: 'x'\n" in result.stderr


# Bad input


def odd_images(folder):
    """Write images that are unusual, and sound."""
    folder.mkdir()
    rng = np.random.default_rng(1)
    gray = rng.integers(0, 256, (20, 60), dtype=np.uint8)
    colour = rng.integers(0, 256, (20, 60, 4), dtype=np.uint8)
    Image.fromarray(gray[:1, :1]).save(folder / "tiny.png")
    Image.fromarray(np.tile(gray, (1, 334))[:, :20_000]).save(folder / "wide.png")
    Image.fromarray(np.full((20, 60), 255, np.uint8)).save(folder / "white.png")
    Image.fromarray(colour, "RGBA").save(folder / "alpha.png")
    cv2.imwrite(str(folder / "deep.png"), gray.astype(np.uint16) * 257)
    cv2.imwrite(str(folder / "deep.tiff"), gray.astype(np.uint16) * 257)
    Image.fromarray(colour, "CMYK").save(folder / "cmyk.jpg")
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(gray).save(folder / "turned.JPEG", exif=exif)
    (folder / "notes.txt").write_text("no image")
    return 8


@pytest.mark.filterwarnings("ignore:'mode' parameter is deprecated")
def test_odd_images_are_taken(invoke, fake, folder):
    count = odd_images(folder / "words")
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 0
    assert f"{count} images in 'dump'" in result.stderr
    dump = open_dump("dump")
    assert len(dump) == count
    assert dump[dump.index("turned.JPEG")][0].shape[0] < dump[dump.index("white.png")][0].shape[0]
    assert dump[dump.index("wide.png")][0].shape == (2000, 3)


def test_broken_images(invoke, fake, images):
    (images / "a" / "00.png").write_bytes(b"no image")
    whole = (images / "b" / "01.png").read_bytes()
    (images / "b" / "01.png").write_bytes(whole[: len(whole) // 2])
    for _ in range(2):
        result = invoke("dump", "--images", "words")
        assert result.exit_code == 1
        lines = result.stderr.splitlines()
        assert lines[1].startswith(
            "ctckit: error: image must be PNG, JPEG or TIFF, got 'words/a/00"
        )
        assert lines[2].startswith(
            "ctckit: error: image must be a sound PNG, JPEG or TIFF, got 'wo"
        )
        assert lines[3].startswith("ctckit: 10 images in 'dump' (2 with no text), ")
    assert lines[3] == "ctckit: 10 images in 'dump' (2 with no text), 10 were already there"


def test_only_broken_images(invoke, fake, images, folder):
    for image in images.rglob("*.png"):
        image.write_bytes(b"")
    result = invoke("dump", "--images", "words", "--csv", "csv")
    assert result.exit_code == 1
    lines = result.stderr.splitlines()
    assert len([line for line in lines if "(an empty file); convert it to PNG or" in line]) == 12
    assert lines[-1] == (
        "ctckit: error: images must be readable, got 12 broken ones and no other; check the files"
    )
    assert sorted(one.name for one in folder.iterdir()) == ["words"]


def test_folders_that_hold_no_images(invoke, fake, folder):
    (folder / "empty").mkdir()
    (folder / "file.png").write_bytes(b"")
    for name, message in [
        ("none", "folder must be an existing folder, got 'none'; check the path\n"),
        (
            "empty",
            "folder must hold images (.jpeg, .jpg, .png, .tif, .tiff), got none below 'empty",
        ),
        ("file.png", "folder must be a folder, got the file 'file.png'; give the folder in which "),
    ]:
        result = invoke("dump", "--images", name)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"ctckit: error: {message}")
        assert result.stderr.count("\n") == 1
    assert not (folder / "dump").exists()


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "images must be given, got nothing; see 'ctckit dump --help'"),
        (["--images", "words", "--batch-size", "0"], "batch_size must be an integer of at least 1"),
        (["--images", "words", "--device", "tpu"], "device must be one of auto, cpu, gpu, got 'tp"),
        (["--images", "words", "--store", "int8"], "store must be one of float16, float32, got 'i"),
        (["--images", "words", "--threads", "0"], "threads must be an integer of at least 1, got"),
        (
            ["--images", "words", "--csv", "dump/csv"],
            "csv must be apart from the dump, got 'dump/c",
        ),
        (["--images", ""], "images must be a path, got ''; write . for the current folder\n"),
        (["--images", "words", "--output", ""], "output must be a path, got ''; write ."),
        (["--images", "words", "--csv", ""], "csv must be a path, got ''; write ."),
        (["--images", "words", "--model", ""], "model must be a path, got ''; write ."),
        (["--images", "words", "--references="], "references must be a path, got ''; write ."),
    ],
)
def test_wrong_usage(invoke, fake, images, args, message):
    result = invoke("dump", *args)
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2


def test_no_gpu(invoke, fake, images):
    result = invoke("dump", "--images", "words", "--device", "gpu")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "ctckit: error: device must be cpu where fake sees no GPU, got 'gpu'; buy one\n"
    )
    assert not Path("dump").exists()


def test_models_that_are_refused(invoke, images, folder):
    """The real reader, which needs no network for this."""
    import json

    def model(header):
        text = json.dumps(header).encode()
        return len(text).to_bytes(8, "little") + text

    newer = {"__metadata__": {"format": "ctckit-model", "version": "2"}}
    contents = {
        "cut": model(newer)[:20],
        "hostile": b"cos\nsystem\n(S'touch owned'\ntR.",
        "huge": (1 << 60).to_bytes(8, "little") + b"{}",
        "newer": model(newer),
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
        result = invoke("dump", "--images", "words", "--model", name)
        assert result.exit_code == 1
        last = result.stderr.splitlines()[-1]
        if name == "newer":
            assert last == (
                "ctckit: error: model must be of version 1 to 1, got version 2 in 'newer'; install "
                "a later ctckit"
            )
        else:
            assert last.startswith(f"ctckit: error: model must be a file written by ctckit train, "
                                   f"got '{name}', ")  # fmt: skip
    result = invoke("dump", "--images", "words", "--model", "nowhere")
    assert result.exit_code == 1
    assert "error: model must be a file that exists, got 'nowhere'; " in result.stderr
    assert sorted(one.name for one in folder.iterdir()) == sorted([*contents, "words"])


def test_a_missing_extra(invoke, monkeypatch, images):
    def missing(device):
        raise MissingExtraError("the recognizer needs keras, which is missing; pip install it")

    from ctckit.recognizer import engines

    monkeypatch.setattr(engines, "choose", missing)
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: the recognizer needs keras, which is missing; pip install it\n"
    )


def test_places_that_cannot_be_written(invoke, fake, images, folder, monkeypatch):
    (folder / "file").write_text("x")
    (folder / "thesis").mkdir()
    (folder / "thesis" / "thesis.tex").write_text("years of work")
    for options, message in [
        (["--output", "file"], "destination must be a folder, got 'file' (Not a directory)"),
        (["--output", "file/d"], "destination must be a folder, got 'file/d' (Not a directory)"),
        (["--output", "thesis", "--overwrite"], "output folder must hold nothing else, got 'thesi"),
        (["--output", "words"], "output folder must hold nothing else, got 'a' in 'words'; "),
        (["--csv", "thesis", "--overwrite"], "output folder must hold nothing else, got 'thesis."),
    ]:
        result = invoke("dump", "--images", "words", *options)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"ctckit: error: {message}")
    assert not (folder / "dump").exists()

    def full(descriptor):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        result = invoke("dump", "--images", "words")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "ctckit: error: disk must have room for 'dump', got 'No space left on device'; free some "
        "space, then run again\n"
    )
    assert invoke("dump", "--images", "words").exit_code == 0
    assert len(open_dump("dump")) == 12


# Interrupted and killed


@pytest.fixture
def many(folder):
    """Draw 150 images, in `folder`/words, with texts."""
    rng, rows = np.random.default_rng(2), ["file,text\n"]
    for i in range(150):
        draw(folder / "words" / f"{i}.png", int(rng.integers(8, 200)), i)
        rows.append(f"{i}.png,text {i}\n")
    (folder / "words" / "labels.csv").write_text("".join(rows))
    return folder


def start(folder, *args, stderr=subprocess.PIPE, **env):
    """Start the command, with the fake and windows of eight images."""
    env = {**os.environ, "FAKE": FAKE, **{name: str(value) for name, value in env.items()}}
    command = [sys.executable, "-c", DRIVER, "dump", "--images", "words", *args]
    return subprocess.Popen(command, cwd=folder, env=env, stderr=stderr, text=True)


def finish(process, timeout=60):
    errors = process.communicate(timeout=timeout)[1]
    assert "Traceback" not in errors
    return process.returncode, errors


def assert_same(one, other):
    """Check that two dumps hold the same, each image once."""
    one, other = open_dump(one), open_dump(other)
    assert one.damaged == other.damaged == []
    assert len(set(one.ids)) == len(one.ids)
    assert (one.ids, one.references, one.digests) == (other.ids, other.references, other.digests)
    for i in range(len(one)):
        np.testing.assert_allclose(one[i][0], other[i][0], rtol=0, atol=1e-5)


def test_killed_at_any_moment(many, invoke, fake):
    assert invoke("dump", "--images", "words", "--output", "whole").exit_code == 0
    counts = []
    # Before what is written is on the disk, in new, grown and salvaged shards and manifests.
    for kill_at in (1, 2, 3, 4, 9, 3, 5, 6, 7, 8):
        code, errors = finish(start(many, KILL_AT=kill_at))
        assert code == -signal.SIGKILL, errors
        counts.append(len(open_dump("dump")) if Path("dump/manifest.json").exists() else 0)
    assert counts == sorted(counts)
    assert 0 < counts[-1] < 150
    code, errors = finish(start(many))
    assert code == 0
    assert f"150 images in 'dump', {counts[-1]} were already there, " in errors
    assert_same("dump", "whole")
    assert {one.suffix for one in Path("dump").iterdir()} == {".json", ".arrow"}


def test_killed_by_the_clock(many, invoke, fake):
    assert invoke("dump", "--images", "words", "--output", "whole").exit_code == 0
    rng = np.random.default_rng(3)

    def unfinished():
        with suppress(FileNotFoundError):
            return {one.stat().st_mtime_ns for one in many.glob("dump/*.partial")}
        return set()

    for _ in range(4):
        before = unfinished()  # what the last run has left
        process = start(many, "--batch-size", "4", FAKE_SECONDS=0.02)
        deadline = time.monotonic() + 30
        while not unfinished() - before and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(rng.uniform(0, 0.15))
        process.kill()
        finish(process)
    assert 0 < len(open_dump("dump")) < 150
    assert finish(start(many))[0] == 0
    assert_same("dump", "whole")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(many, invoke, fake, number):
    process = start(many, "--batch-size", "4", FAKE_SECONDS=0.05)
    deadline = time.monotonic() + 30
    while not list(many.glob("dump/*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    assert finish(process) == (130, GOES_ON)
    dump = open_dump("dump")
    assert dump.damaged == []
    assert 0 < len(dump) < 150
    assert f"150 images in 'dump', {len(dump)} were already there" in finish(start(many))[1]
    assert invoke("dump", "--images", "words", "--output", "whole").exit_code == 0
    assert_same("dump", "whole")


def test_interrupted_before_anything_is_written(invoke, fake, images, monkeypatch):
    def recognize(self, prepared, ids):
        signal.raise_signal(signal.SIGINT)
        return np.zeros((len(prepared), 1, 3))

    with monkeypatch.context() as patch:
        patch.setattr(fake, "recognize", recognize)
        result = invoke("dump", "--images", "words")
    assert (result.exit_code, result.stderr) == (130, f"{WITHOUT_TEXT}ctckit: interrupted\n")
    assert invoke("dump", "--images", "words").exit_code == 0
    draw(images / "new.png")
    monkeypatch.setattr(fake, "recognize", recognize)
    result = invoke("dump", "--images", "words")
    assert result.exit_code == 130
    assert result.stderr.endswith(f"\n{GOES_ON}")


def test_interrupted_while_it_replaces_a_dump(many, invoke, fake):
    assert invoke("dump", "--images", "words").exit_code == 0
    before = {one.name: one.read_bytes() for one in Path("dump").iterdir()}
    process = start(many, "--overwrite", "--batch-size", "4", FAKE_SECONDS=0.05)
    deadline = time.monotonic() + 30
    while not list(many.glob(".dump.partial/*.partial")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    assert finish(process) == (130, "ctckit: interrupted\n")
    assert {one.name: one.read_bytes() for one in Path("dump").iterdir()} == before
    assert sorted(one.name for one in many.iterdir()) == ["dump", "words"]


@pytest.mark.parametrize("lost", ["swallowed", "in a callback", "as another error"])
def test_interrupted_where_that_is_lost(invoke, fake, images, folder, monkeypatch, capfd, lost):
    class Callback:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    real = fake.load.__func__

    def load(cls, *args):
        if lost == "in a callback":
            Callback()
            return real(cls, *args)
        with suppress(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        if lost == "as another error":
            raise ImportError("numpy.core.multiarray failed to import")
        return real(cls, *args)

    monkeypatch.setattr(fake, "load", classmethod(load))
    hook = sys.unraisablehook
    result = invoke("dump", "--images", "words")
    assert (result.exit_code, result.stderr) == (130, f"{WITHOUT_TEXT}ctckit: interrupted\n")
    assert capfd.readouterr().err == ""
    assert not (folder / "dump").exists()
    assert sys.unraisablehook is hook


def test_progress_on_a_terminal(many):
    ours, theirs = pty.openpty()
    process = start(many, FAKE_SECONDS=0.05, stderr=theirs, TERM="xterm", COLUMNS=100)
    os.close(theirs)
    shown = b""
    # An OSError tells that the other end is closed.
    with open(ours, "rb", buffering=0) as terminal, suppress(OSError):  # noqa: PTH123
        while part := terminal.read(4096):
            shown += part
    assert process.wait(60) == 0
    assert b"/150 images" in re.sub(rb"\x1b\[[0-9;?]*[a-zA-Z]", b"", shown)
    assert shown.decode().rstrip().endswith(" s")


def test_signals_are_given_back(invoke, fake, images):
    before = [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)]
    assert invoke("dump", "--images", "words").exit_code == 0
    assert [signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM)] == before


# The network itself


MAKE_MODEL = """
import dataclasses, sys
import keras
from ctckit import Alphabet
from ctckit.recognizer.models import Model, save_model
from ctckit.recognizer.network import build_network, named_weights
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.shape import NetworkShape

keras.utils.set_random_seed(1)
shape = NetworkShape(height=16, classes=4, stem=(2, 4, 8), channels=8, blocks=1)
weights = {name: one.numpy() for name, one in named_weights(build_network(shape)).items()}
model = Model(Alphabet(["a", "b", "c", ""], blank=3), shape, Preprocessing(16, 2.5), weights)
save_model("tiny.safetensors", model)
"""


@pytest.fixture
def tiny_model(many):
    """Write a model with random weights, `many`/tiny.safetensors."""
    if not all(map(find_spec, ("keras", "tensorflow", "safetensors"))):
        pytest.skip("the recognizer's packages are not installed")
    code = "from ctckit.recognizer.extras import require_recognizer; require_recognizer()"
    env = {**os.environ, "KERAS_BACKEND": "tensorflow"}
    subprocess.run([sys.executable, "-c", code + MAKE_MODEL], cwd=many, env=env, check=True)
    return ["--model", "tiny.safetensors", "--device", "cpu"]


def test_the_network_killed(many, tiny_model):
    """Four times Keras has to start: about half a minute."""
    real = {"FAKE": "", "KERAS_BACKEND": "tensorflow"}
    code, errors = finish(start(many, *tiny_model, "--output", "whole", **real), 120)
    said = errors.splitlines(keepends=True)[-1]  # TensorFlow may have spoken before
    assert (code, without_rate(said)) == (0, "ctckit: 150 images in 'whole'")
    code, _ = finish(start(many, *tiny_model, KILL_AT=8, **real), 120)
    assert code == -signal.SIGKILL
    written = len(open_dump("dump"))
    assert 0 < written < 150
    # Other batches, and other neighbours in them.
    code, errors = finish(start(many, *tiny_model, "--batch-size", "5", **real), 120)
    assert code == 0
    assert f"ctckit: 150 images in 'dump', {written} were already there, " in errors
    assert_same("dump", "whole")
    assert len(open_dump("dump").source["model"]) == 32
