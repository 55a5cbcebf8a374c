"""From images to a dump: order, windows, going on, and what is refused; the network is a fake."""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from ctckit import Alphabet, DumpError, MatrixBatch, open_dump
from ctckit.dumps import DumpWriter, matrix_csv
from ctckit.dumps.declared import RequestError
from ctckit.errors import InvalidValueError
from ctckit.recognizer import dumping, reading, windows
from ctckit.recognizer.dumping import ImageDump, NoReadableImageError, check_output, dump_images
from ctckit.recognizer.folders import find_images

HEIGHT = 8


class FakeRecognizer:
    """Makes a matrix of the columns of an image; notes what it is given."""

    alphabet = Alphabet(["a", "b", ""], blank=2)
    backend = "fake"
    calls = 1

    def __init__(self) -> None:
        self.source: dict[str, Any] = {"model": "fake", "fingerprint": "1"}
        self.batches: list[list[int]] = []
        self.ids: list[str] = []
        self.prepared = 0
        self.most_waiting = 0
        self._lock = threading.Lock()

    def prepare(self, image: np.ndarray) -> np.ndarray:
        height, width = image.shape
        with self._lock:
            self.prepared += 1
            self.most_waiting = max(self.most_waiting, self.prepared - len(self.ids))
        size = (max(1, round(width * HEIGHT / height)), HEIGHT)
        return cv2.resize(image, size, interpolation=cv2.INTER_AREA)

    def recognize(
        self, prepared: Sequence[np.ndarray], ids: Sequence[str] | None = None
    ) -> MatrixBatch:
        self.batches.append([one.shape[1] for one in prepared])
        self.ids += ids or []
        logits = []
        for one in prepared:
            columns = one[:, ::4].mean(axis=0) / 64
            logits.append(np.stack([columns, 3 - columns, np.ones_like(columns)], axis=1))
        return MatrixBatch.from_logits(logits, self.alphabet, ids=ids)


def draw(path: Path, width: int = 30, seed: int = 0) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 256, (16, width), dtype=np.uint8)
    cv2.imwrite(str(path), pixels)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Forty images in two folders, of 4 to 400 pixels."""
    rng = np.random.default_rng(1)
    for i in range(40):
        draw(tmp_path / "images" / f"{'ab'[i % 2]}" / f"{i:02}.png", int(rng.integers(4, 400)), i)
    return tmp_path / "images"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    return tmp_path / "dump"


def run(folder: Path, output: Path, recognizer: Any = None, **options: Any) -> ImageDump:
    options = {"texts": {}, "threads": 2} | options
    return dump_images(find_images(folder), recognizer or FakeRecognizer(), output, **options)


def alone(folder: Path, id: str) -> np.ndarray:
    """Return the matrix of an image, recognized by itself."""
    fake = FakeRecognizer()
    pixels = cv2.imread(str(folder / id), cv2.IMREAD_GRAYSCALE)
    assert pixels is not None
    return fake.recognize([fake.prepare(pixels)], [id])[0]


def after(count: int) -> Callable[[int], None]:
    """Interrupt a run when `count` images are done."""
    seen = []

    def on_images(done: int) -> None:
        seen.append(done)
        if sum(seen) >= count:
            raise KeyboardInterrupt

    return on_images


# What is written


@pytest.mark.parametrize("store", ["float32", "float16"])
def test_everything_is_in_the_order_of_the_images(
    folder: Path, output: Path, store: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW_IMAGES", 16)
    images, told = find_images(folder), list[int]()
    texts = {image.id: f"text of {image.id}" for image in images[3:]}
    done = run(folder, output, texts=texts, store=store, on_images=told.append)
    dump = open_dump(output)
    assert dump.ids == [image.id for image in images]
    assert dump.references == [texts.get(id) for id in dump.ids]
    assert (dump.store, dump.damaged) == (store, [])
    assert dump.source == {"command": "ctckit dump", "model": "fake", "fingerprint": "1"}
    for i, image in enumerate(images):
        data = image.path.read_bytes()
        assert dump.digests[i] == hashlib.blake2b(data, digest_size=16).hexdigest()
        np.testing.assert_allclose(dump[i][0], alone(folder, image.id), atol=1e-2)
    assert (done.images, done.without_text, done.already, done.broken) == (40, 3, 0, [])
    assert sum(told) == 40
    assert done.seconds > 0


def test_batches_are_of_about_the_same_width(folder: Path, output: Path) -> None:
    fake = FakeRecognizer()
    run(folder, output, fake, batch_size=7)
    assert [len(batch) for batch in fake.batches] == [7, 7, 7, 7, 7, 5]
    widths = [width for batch in fake.batches for width in batch]
    assert widths == sorted(widths)


def test_a_wide_image_is_alone(folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "IMAGE_PIXELS", HEIGHT * 30)
    draw(folder / "wide.png", 4000)
    fake = FakeRecognizer()
    run(folder, output, fake, batch_size=8)
    assert fake.batches[-1] == [2000]
    assert all(max(batch) * len(batch) <= 8 * 30 for batch in fake.batches[:-1])


def test_a_window_is_bounded_by_images_and_by_values(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    draw(folder / "zz.png", 16000)
    for images, values in ((10, 1 << 30), (1000, HEIGHT * 800)):
        monkeypatch.setattr(windows, "WINDOW_IMAGES", images)
        monkeypatch.setattr(windows, "WINDOW_VALUES", values)
        fake = FakeRecognizer()
        run(folder, output, fake, threads=1, overwrite=True)
        # Two windows, and what a thread may read ahead.
        assert fake.most_waiting <= 2 * 16 + windows.AHEAD + 2
        assert sorted(fake.ids) == sorted(open_dump(output).ids)


def test_a_file_is_read_once(folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real, read = os.open, list[str]()

    def opened(path: Any, *args: Any, **options: Any) -> int:
        read.append(str(path))
        return real(path, *args, **options)

    monkeypatch.setattr(os, "open", opened)
    run(folder, output)
    images = [name for name in read if name.endswith(".png")]
    assert len(images) == len(set(images)) == 40


def test_threads_do_not_matter(folder: Path, tmp_path: Path) -> None:
    for threads in (1, 5):
        run(folder, tmp_path / f"{threads}", threads=threads, batch_size=threads)
    one, five = open_dump(tmp_path / "1"), open_dump(tmp_path / "5")
    assert one.ids == five.ids
    assert all(np.array_equal(one[i][0], five[i][0]) for i in range(40))
    assert not [one for one in threading.enumerate() if one.name.startswith("ctckit")]


def test_csv_folder(folder: Path, output: Path, tmp_path: Path) -> None:
    for name in ("a", "b"):
        draw(folder / name / "same.png")
    run(folder, output)
    dumping.write_csv_folder(output, tmp_path / "csv", False)
    assert len(list((tmp_path / "csv").glob("*.csv"))) == 42
    draw(folder / "new.png")
    check_output(output, tmp_path / "csv", False)
    run(folder, output)
    dumping.write_csv_folder(output, tmp_path / "csv", False)
    assert len(list((tmp_path / "csv").glob("*.csv"))) == 43


def test_csv_folders_that_are_not_of_the_dump(folder: Path, output: Path, tmp_path: Path) -> None:
    csv = tmp_path / "csv"
    run(folder, output)
    dumping.write_csv_folder(output, csv, False)
    index = (csv / "references.jsonl").read_text()
    note, row = csv / "mine.csv", '{"file": "x.csv", "id": "x", "text": null}\n'
    changes: list[tuple[Callable[[], object], Callable[[], object]]] = [
        (lambda: note.write_text("1;2\n"), note.unlink),
        (note.mkdir, note.rmdir),
        *[
            (lambda t=text: (csv / "references.jsonl").write_text(t),
             lambda: (csv / "references.jsonl").write_text(index))
            for text in (index + row, "", "no JSON", index + index)
        ],
        (lambda: (csv / "references.jsonl").rename(tmp_path / "r"),
         lambda: (tmp_path / "r").rename(csv / "references.jsonl")),
        (lambda: (csv / "alphabet.json").rename(tmp_path / "a"),
         lambda: (tmp_path / "a").rename(csv / "alphabet.json")),
        (lambda: (output / "manifest.json").rename(tmp_path / "m"),
         lambda: (tmp_path / "m").rename(output / "manifest.json")),
    ]  # fmt: skip
    for change, undo in changes:
        change()
        before = sorted(csv.iterdir())
        with pytest.raises(DumpError, match=r"output folder must (be new or empty|hold nothing)"):
            check_output(output, csv, False)
        if (output / "manifest.json").exists():
            with pytest.raises(DumpError, match=rf" \(the dump itself, '{output}', is complete\)$"):
                dumping.write_csv_folder(output, csv, False)
        assert sorted(csv.iterdir()) == before
        undo()
    (csv / "a_00.png.csv").unlink()
    check_output(output, csv, False)
    dumping.write_csv_folder(output, csv, False)
    assert len(list(csv.glob("*.csv"))) == 40


def test_one_run_at_a_time_writes_csv(
    folder: Path, output: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other, csv = tmp_path / "other", tmp_path / "csv"
    run(folder, output)
    run(folder, other)
    real, begun = matrix_csv._write, list[str]()

    def write(path: Path, text: str) -> None:
        real(path, text)
        if not begun:
            begun.append("")
            with pytest.raises(DumpError) as caught:
                dumping.write_csv_folder(other, csv, False)
            begun.append(str(caught.value))
            assert path.exists()

    monkeypatch.setattr(matrix_csv, "_write", write)
    dumping.write_csv_folder(output, csv, False)
    assert begun[1].startswith(
        f"output folder must be written by one run at a time, got '{csv}', which another is writing"
    )
    assert len(list(csv.glob("*.csv"))) == 40
    dumping.write_csv_folder(output, csv, False)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["csv", "dump", "images", "other"]


def test_csv_files_that_a_killed_run_left(folder: Path, output: Path, tmp_path: Path) -> None:
    run(folder, output)
    (tmp_path / ".csv.partial").mkdir()
    (tmp_path / ".csv.partial" / "x.csv").write_text("1;\n")
    dumping.write_csv_folder(output, tmp_path / "csv", False)
    assert not (tmp_path / "csv" / "x.csv").exists()
    (tmp_path / ".csv.partial").symlink_to(tmp_path / "csv")
    with pytest.raises(DumpError, match="one run at a time"):
        dumping.write_csv_folder(output, tmp_path / "csv", False)
    assert len(list((tmp_path / "csv").glob("*.csv"))) == 40


# Going on


def test_a_complete_dump_is_left_alone(folder: Path, output: Path) -> None:
    texts = {"a/00.png": "x"}
    run(folder, output, texts=texts)
    before = {one.name: one.read_bytes() for one in output.iterdir()}
    fake, told = FakeRecognizer(), list[int]()
    done = run(folder, output, fake, texts=texts, on_images=told.append)
    assert (done.images, done.already, done.without_text) == (40, 40, 39)
    assert (fake.batches, fake.prepared, sum(told)) == ([], 0, 40)
    assert {one.name: one.read_bytes() for one in output.iterdir()} == before


def test_new_images_are_added(folder: Path, output: Path) -> None:
    run(folder, output)
    for name in ("a/001.png", "c/new.png"):
        draw(folder / name)
    fake = FakeRecognizer()
    done = run(folder, output, fake)
    assert (done.images, done.already) == (42, 40)
    assert sorted(fake.ids) == ["a/001.png", "c/new.png"]
    assert sorted(open_dump(output).ids) == sorted(image.id for image in find_images(folder))


def test_an_interrupted_run_goes_on(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW_IMAGES", 8)
    with pytest.raises(KeyboardInterrupt):
        run(folder, output, batch_size=4, on_images=after(20))
    written = open_dump(output).ids
    assert written == [image.id for image in find_images(folder)[:16]]
    fake = FakeRecognizer()
    done = run(folder, output, fake)
    assert (done.images, done.already, len(fake.ids)) == (40, 16, 24)
    dump = open_dump(output)
    assert dump.ids == [image.id for image in find_images(folder)]
    for i, id in enumerate(dump.ids):
        np.testing.assert_allclose(dump[i][0], alone(folder, id), atol=1e-5)


def test_calls_at_the_same_time(folder: Path, output: Path) -> None:
    class Together(FakeRecognizer):
        calls = 2
        both = threading.Barrier(2)

        def recognize(self, prepared: Any, ids: Any = None) -> MatrixBatch:
            if len(prepared) == 4:
                self.both.wait(timeout=30)  # until another call is here, too
            return super().recognize(prepared, ids)

    done: list[int] = []
    run(folder, output, Together(), batch_size=4, on_images=done.append)
    assert sum(done) == 40
    dump = open_dump(output)
    assert dump.ids == [image.id for image in find_images(folder)]
    for i, id in enumerate(dump.ids):
        np.testing.assert_allclose(dump[i][0], alone(folder, id), atol=1e-5)


@pytest.mark.parametrize("interrupted", [1, 20, 39])
def test_overwriting_keeps_the_old_dump_until_the_end(
    folder: Path, output: Path, tmp_path: Path, interrupted: int
) -> None:
    run(folder, output, texts={"a/00.png": "old"})
    with pytest.raises(KeyboardInterrupt):
        run(folder, output, batch_size=4, overwrite=True, on_images=after(interrupted))
    assert open_dump(output).references[0] == "old"
    assert sorted(one.name for one in tmp_path.iterdir()) == ["dump", "images"]
    done = run(folder, output, texts={"a/00.png": "new"}, overwrite=True)
    assert (done.images, done.already) == (40, 0)
    assert open_dump(output).references[0] == "new"


def test_an_error_of_the_network_ends_the_run(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Failing(FakeRecognizer):
        def recognize(self, prepared: Any, ids: Any = None) -> MatrixBatch:
            if len(self.ids) >= 20:
                raise RuntimeError("out of memory")
            return super().recognize(prepared, ids)

    monkeypatch.setattr(windows, "WINDOW_IMAGES", 8)
    with pytest.raises(RuntimeError, match="out of memory"):
        run(folder, output, Failing(), batch_size=4)
    assert len(open_dump(output)) == 16
    assert not [one for one in threading.enumerate() if one.name.startswith("ctckit")]
    assert run(folder, output).images == 40


# What has changed since


def no_network(folder: Path, output: Path, **options: Any) -> str:
    """Return the error of a run that must not get to the network."""
    fake = FakeRecognizer()
    with pytest.raises(DumpError) as caught:
        run(folder, output, fake, **options)
    assert (fake.batches, fake.prepared) == ([], 0)
    return str(caught.value)


def test_changed_images_are_refused(folder: Path, output: Path) -> None:
    texts = {"a/00.png": "x", "a/02.png": "y"}
    run(folder, output, texts=texts)
    before = {one.name: one.read_bytes() for one in output.iterdir()}
    rule = f"images must be as they were when '{output}' was made, got "
    advice = "; make the dump anew (--overwrite), or choose another output"
    draw(folder / "new.png")
    draw(folder / "b" / "07.png", seed=99)
    draw(folder / "b" / "09.png", seed=99)
    message = no_network(folder, output, texts=texts)
    assert message == (
        f"{rule}2 that are not, the first 'b/07.png' (its content has changed){advice}"
    )
    message = no_network(folder, output, texts={"a/00.png": "x"})
    assert message == f"{rule}3 that are not, the first 'a/02.png' (its text has changed){advice}"
    message = no_network(folder, output, texts=texts | {"a/00.png": "z", "a/04.png": ""})
    assert "got 4 that are not, the first 'a/00.png' (its text" in message
    (folder / "a" / "00.png").unlink()
    message = no_network(folder, output, texts=texts)
    assert "got 3 that are not, the first 'a/00.png' (it is gone)" in message
    (folder / "a" / "00.png").symlink_to("nowhere.png")
    message = no_network(folder, output, texts=texts)
    assert "the first 'a/00.png' (it cannot be read: No such file or directory)" in message
    assert {one.name: one.read_bytes() for one in output.iterdir()} == before
    (folder / "a" / "00.png").unlink()
    assert run(folder, output, overwrite=True).images == 40


def test_a_dump_without_digests_says_so(folder: Path, output: Path) -> None:
    fake, images = FakeRecognizer(), find_images(folder)
    with DumpWriter(
        output, fake.alphabet, source={**fake.source, "command": "ctckit dump"}
    ) as writer:
        writer.append(fake.recognize([np.zeros((HEIGHT, 8), np.uint8)], [images[0].id]))
    assert (
        f"the first {images[0].id!r} (the dump has no digest to know its content by); make the dump"
        in no_network(folder, output)
    )


def test_another_model_or_store_is_refused(folder: Path, output: Path) -> None:
    run(folder, output)
    fake = FakeRecognizer()
    fake.source["fingerprint"] = "2"
    advice = r"; choose a new folder, or overwrite it \(--overwrite\)"
    with pytest.raises(
        DumpError, match=r"got source\['fingerprint'\] = '1' instead of '2' .*" + advice
    ):
        run(folder, output, fake)
    with pytest.raises(DumpError, match="got store 'float32' instead of 'float16'.*" + advice):
        run(folder, output, store="float16")
    assert fake.batches == []
    assert run(folder, output, fake, overwrite=True).images == 40


def test_a_damaged_dump_is_not_gone_on_with(folder: Path, output: Path) -> None:
    run(folder, output)
    shard = output / "shard-00000.arrow"
    os.truncate(shard, shard.stat().st_size - 100)
    message = no_network(folder, output)
    assert message.startswith(f"dump to resume must be undamaged, got '{output}' (shard-00000.arr")
    assert message.endswith("; make it anew (--overwrite)")
    assert run(folder, output, overwrite=True).images == 40


def test_damage_that_left_no_matrix(folder: Path, output: Path) -> None:
    run(folder, output)
    shard = output / "shard-00000.arrow"
    shard.write_bytes(b"\0" * shard.stat().st_size)
    message = no_network(folder, output)
    assert message.startswith(f"dump to resume must be undamaged, got '{output}' (shard-00000.arr")


def test_one_run_at_a_time(folder: Path, output: Path) -> None:
    rule = f"dump must be written by one run at a time, got '{output}', which another is writing"
    begun = list[str]()

    def on_images(_: int) -> None:
        if not begun:
            begun.append(no_network(folder, output))
            begun.append(no_network(folder, output, overwrite=True))

    assert run(folder, output, on_images=on_images).images == 40
    assert begun == [f"{rule}; wait for it, or choose another output"] * 2
    assert run(folder, output).already == 40


def test_a_slow_disk_can_be_interrupted(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Slow(FakeRecognizer):
        def prepare(self, image: np.ndarray) -> np.ndarray:
            time.sleep(0.05)
            return super().prepare(image)

    monkeypatch.setattr(windows, "TICK", 0.01)
    slow = Slow()
    with pytest.raises(KeyboardInterrupt):
        run(folder, output, slow, threads=1, on_images=after(0))
    assert slow.prepared < 20
    assert slow.batches == []


# Broken images


@pytest.mark.parametrize("reason", ["bytes", "memory"])
def test_files_that_are_too_large(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch, reason: str
) -> None:
    def too_little(*_: object) -> None:
        raise MemoryError

    run(folder, output)
    if reason == "memory":
        monkeypatch.setattr(reading, "read_image", too_little)
        draw(folder / "huge.png")
        rule = "image must fit in memory, got "
    else:
        with (folder / "huge.png").open("wb") as file:
            file.truncate(1 << 40)
        rule = "image must have at most 536870912 bytes, got "
    done = run(folder, output)
    assert (done.images, done.already) == (40, 40)
    assert [one.startswith(f"{rule}'{folder / 'huge.png'}'") for one in done.broken] == [True]
    os.truncate(folder / "a" / "00.png", 1 << 40)
    assert "the first 'a/00.png' (its content has changed)" in no_network(folder, output)


def test_broken_images_are_left_out_and_tried_again(
    folder: Path, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(windows, "WINDOW_IMAGES", 8)
    for name in ("a/00.png", "b/01.png", "zz.png"):
        (folder / name).write_bytes(b"no image")
    (folder / "b" / "03.png").unlink()
    (folder / "b" / "03.png").symlink_to("nowhere.png")
    for already in (0, 37):
        told: list[int] = []
        done = run(folder, output, on_images=told.append)
        assert (done.images, done.already, sum(told)) == (37, already, 41)
        assert [name in message for name, message in zip(
            ("a/00.png", "b/01.png", "b/03.png", "zz.png"), done.broken, strict=True
        )] == [True] * 4  # fmt: skip
        assert "image must be a readable file, got " in done.broken[2]
        assert "(No such file or directory); check the file" in done.broken[2]
    draw(folder / "zz.png")
    assert run(folder, output).images == 38


@pytest.mark.parametrize("there", ["nothing", "empty", "overwrite"])
def test_nothing_but_broken_images(folder: Path, output: Path, there: str) -> None:
    if there == "overwrite":
        run(folder, output)
    elif there == "empty":
        output.mkdir()
    for image in find_images(folder):
        image.path.write_bytes(b"")
    with pytest.raises(NoReadableImageError, match="readable, got 40 broken ones and no") as caught:
        run(folder, output, overwrite=there == "overwrite")
    assert len(caught.value.broken) == 40
    assert output.exists() == (there != "nothing")
    if output.exists():
        assert len(list(output.iterdir())) == (2 if there == "overwrite" else 0)


# Destinations


def test_destinations_that_are_refused(folder: Path, output: Path, tmp_path: Path) -> None:
    check_output(output, tmp_path / "csv", False)
    run(folder, output)
    check_output(output, tmp_path / "csv", False)
    check_output(output, tmp_path / "csv", True)
    (tmp_path / "file").write_text("x")
    (tmp_path / "csv").mkdir()
    (tmp_path / "csv" / "x.csv").write_text("1;2\n")
    for path, csv, overwrite, message in [
        (folder, None, False, "output folder must hold nothing else, got 'a' in"),
        (folder, None, True, "output folder must hold nothing else, got 'a' in"),
        (tmp_path / "file", None, False, "destination must be a folder, got"),
        (output, tmp_path / "csv", False, "output folder must be new or empty, got '.*csv' with 1"),
        (output, folder, True, "output folder must hold nothing else, got 'a' in '.*images'"),
    ]:
        with pytest.raises(DumpError, match=message):
            check_output(path, csv, overwrite)
    check_output(output, tmp_path / "csv", True)
    for csv in (output, output / "csv", tmp_path, output / ".." / "dump"):
        with pytest.raises(RequestError, match=r"csv must be apart from the dump, got '.*' for '"):
            check_output(output, csv, False)
    (output / "manifest.json").unlink()
    with pytest.raises(DumpError, match=r"must be new or empty, .* overwrite it \(--overwrite\)"):
        check_output(output, None, False)
    (tmp_path / "begun").mkdir()
    (tmp_path / "begun" / "manifest.json.tmp").write_text("{")
    check_output(tmp_path / "begun", None, False)
    assert run(folder, tmp_path / "begun").images == 40


def test_all_broken_is_a_wrong_value() -> None:
    assert issubclass(NoReadableImageError, InvalidValueError)
