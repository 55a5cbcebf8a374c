"""Packed data sets: the same images as the folder gives, used while they are up to date."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from ctckit.errors import DumpError, InvalidValueError, NotFoundError
from ctckit.recognizer.datasets.detect import read_dataset
from ctckit.recognizer.packed import PACKED, find_packed, read_packed
from ctckit.recognizer.packing import target_of, write_packed
from ctckit.recognizer.real import read_real
from ctckit.recognizer.recipe import BatchMaker, Recipe, read_data

cv2 = pytest.importorskip("cv2", reason="needs ctckit[images]")

TEXTS = ["one", "two", "three", "été", "five", "six", "seven", "eight"]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight images of two writers, one of them tall, and a broken one."""
    root = tmp_path / "data"
    (root / "s").mkdir(parents=True)
    rng = np.random.default_rng(0)
    rows = ["file,text,writer", "s/broken.png,x,"]
    for i, text in enumerate(TEXTS):
        image = rng.integers(0, 255, (150 if i == 3 else 40, 200 + i), np.uint8)
        cv2.imwrite(str(root / f"s/{i}.png"), image)
        rows.append(f"s/{i}.png,{text},w{i % 2}")
    (root / "s" / "broken.png").write_bytes(b"no image")
    (root / "labels.csv").write_text("\n".join(rows), encoding="utf-8")
    return root


def packed(data: Path, output: Path | None = None) -> Path:
    target = target_of(data, output)
    write_packed(data, read_dataset(data), target)
    return target


def age(*paths: Path) -> None:
    """Make files look older than what is written now, whatever the clock's steps."""
    for path in paths:
        os.utime(path, ns=(10**18, 10**18))


def test_the_same_as_the_folder(data: Path, tmp_path: Path) -> None:
    plain = read_real([data])
    done: list[int] = []
    elsewhere = tmp_path / "new" / "p.arrow"
    write_packed(data, read_dataset(data), elsewhere, done.append)
    assert sum(done) == 8
    packed(data)
    for source in (data, elsewhere):
        real = read_real([source])
        assert (real.ids, real.texts, real.groups) == (plain.ids, plain.texts, plain.groups)
        assert (real.broken, real.without_text) == (plain.broken, 0)
        for one, other in zip(real.images, plain.images, strict=True):
            np.testing.assert_array_equal(one, other)
        assert not real.images[0].flags.owndata
        assert max(len(image) for image in real.images) == 96
    assert read_real([data]).notes == [f"reading '{data / PACKED}' instead of the images"]
    assert [path.name for path in elsewhere.parent.iterdir()] == ["p.arrow"]


def test_nothing_is_decoded(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = Recipe(data=(str(data),), columns=1000, validation_share=0.5)
    before = read_data(recipe)
    packed(data)
    monkeypatch.setattr("ctckit.recognizer.datasets.decoding.read_image", None)
    monkeypatch.setattr("ctckit.recognizer.datasets.detect.find_images", None)
    found = read_data(recipe)
    assert found.validation.ids == before.validation.ids
    assert found.validation_groups == 1
    batch = next(iter(BatchMaker(recipe, found.alphabet, frozenset(found.training.ids))(1)))
    same = next(iter(BatchMaker(recipe, found.alphabet)(1)))
    np.testing.assert_array_equal(batch.images, same.images)


@pytest.mark.parametrize("change", ["new", "gone", "newer", "size", "labels"])
def test_stale(data: Path, change: str) -> None:
    path = packed(data)
    assert find_packed(data)[0] is not None
    if change == "new":
        shutil.copy2(data / "s/0.png", data / "s/new.png")
        said = "'s/new.png' is new"
    elif change == "gone":
        (data / "s/0.png").unlink()
        said = "'s/0.png' is gone"
    elif change == "newer":
        os.utime(data / "s/0.png", ns=(path.stat().st_mtime_ns + 1,) * 2)
        said = "'s/0.png' has changed"
    elif change == "size":
        (data / "s/0.png").write_bytes(b"x")
        age(data / "s/0.png")
        said = "'s/0.png' has changed"
    else:
        (data / "labels.csv").write_text("file,text\ns/0.png,other\n")
        said = "'labels.csv' has changed"
    found, note = find_packed(data)
    assert found is None
    assert note == (
        f"'{path}' is stale and not used ({said} since); run ctckit pack '{data}' again"
    )
    assert read_real([data]).notes == [note]
    packed(data)
    assert find_packed(data)[0] is not None


def test_no_file(data: Path, tmp_path: Path) -> None:
    assert find_packed(data) == (None, "")
    with pytest.raises(NotFoundError, match="data must be a folder or packed file that exists, go"):
        read_real([tmp_path / "none.arrow"])


@pytest.mark.parametrize("damage", ["text", "cut", "other", "empty"])
def test_damaged(data: Path, damage: str) -> None:
    path = packed(data)
    content = path.read_bytes()
    if damage == "other":
        import pyarrow as pa
        import pyarrow.ipc

        with pa.ipc.new_file(str(path), pa.schema([("id", pa.string())])):
            pass
    else:
        path.write_bytes({"text": b"no arrow", "cut": content[:-200], "empty": b""}[damage])
    with pytest.raises(
        InvalidValueError,
        match=r"packed file must be one that ctckit pack wrote, got '.*arrow', which is damaged or "
        r"another kind of file \(.*\); delete it, or run ctckit pack again",
    ):
        read_real([path])
    real = read_real([data])
    assert len(real) == 8
    assert real.notes[0].startswith(f"'{path}' is not used: packed file must be one that")


def test_the_same_images_twice(data: Path) -> None:
    path = packed(data)
    with pytest.raises(InvalidValueError, match=r"data must hold each image once, got '.*0\.png'"):
        read_real([data, path])


def test_where_it_goes(data: Path, tmp_path: Path) -> None:
    assert target_of(data) == data / "packed.arrow"
    (tmp_path / "d.arrow").mkdir()
    for bad in (tmp_path / "x.bin", tmp_path / "d.arrow"):
        with pytest.raises(InvalidValueError, match=r"output must be a file whose name ends in"):
            target_of(data, bad)


def test_disk_full(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = sorted(path.name for path in data.iterdir())

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DumpError, match=r"disk must have room for '.*packed.arrow', got 'No"):
            packed(data)
    assert sorted(path.name for path in data.iterdir()) == before
    content = packed(data).read_bytes()
    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(DumpError):
            packed(data)
    assert (data / PACKED).read_bytes() == content  # the old one stays


@pytest.mark.skipif(not hasattr(os, "fork"), reason="limits are of POSIX")
def test_disk_full_in_the_middle(data: Path) -> None:
    import resource
    import signal

    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limits[1]))
        with pytest.raises(DumpError, match=r"output path must be writable, got '.*' \(.*large\)"):
            packed(data)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert {path.name for path in data.iterdir()} == {"s", "labels.csv"}


def test_nothing_to_pack(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"no image")
    (tmp_path / "b.png").write_bytes(b"no image")
    (tmp_path / "labels.csv").write_text("file,text\na.png,x\n")
    with pytest.raises(
        InvalidValueError,
        match=r"data must hold images with texts, got none in '.*' but 1 without a text, 1 that "
        r"cannot be read \(image must be PNG, .*\); check the folder",
    ):
        packed(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"a.png", "b.png", "labels.csv"}


def test_lines_of_pages_and_parts(tmp_path: Path) -> None:
    image = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60) // 10
    (tmp_path / "images").mkdir()
    for name, table in (("a", "training_2011"), ("b", "eval_2011")):
        cv2.imwrite(str(tmp_path / f"images/{name}.png"), image.astype(np.uint8))
        line = '<Line Left="3" Top="4" Right="30" Bottom="20" Value="v"/>'
        page = f'<SinglePage FileName="images/{name}.png">{line * 2}</SinglePage>'
        (tmp_path / f"{table}.xml").write_text(f"<Root>{page}</Root>")
    plain = read_dataset(tmp_path)
    data = read_packed(packed(tmp_path)).data
    assert data.items == plain.items
    assert data.layout == "rimes pages"
    assert data.images is not None
    assert [one.shape for one in data.images] == [(17, 28)] * 4
    real = read_real([tmp_path])
    assert (real.ids, real.held_back) == (["a-0", "a-1"], 2)
