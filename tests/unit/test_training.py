"""Training: schedule, loss, checkpoints, and a small network that learns."""

from __future__ import annotations

import csv
import dataclasses
import importlib
import importlib.util
import itertools
import json
import math
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch
from ctckit.errors import InvalidValueError
from ctckit.recognizer import checkpoint, models
from ctckit.recognizer.checkpoint import State, check_folder, read_checkpoint, write_checkpoint
from ctckit.recognizer.curve import CURVE, PICTURE, SUMMARY
from ctckit.recognizer.language_files import CORPUS, WORD_CHARACTERS
from ctckit.recognizer.models import read_model
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.samples import TrainingBatch
from ctckit.recognizer.schedule import Schedule, images_of_epochs
from ctckit.recognizer.shape import NetworkShape

keras = pytest.mark.xdist_group("keras")
ALPHABET = Alphabet([*"abcd", ""], blank=4)
SHAPE = NetworkShape(classes=5, stem=(8, 8, 16), channels=32, blocks=1, kernel=3, dropout=0.0)
WORDS = ["ab", "ba", "cd", "dc", "abc", "dcb", "cab", "bad"]


# Schedule


def test_the_rate_goes_up_and_down() -> None:
    schedule = Schedule(1000, learning_rate=2.0, warm_up=0.1)
    rates = [schedule.rate(i / 100) for i in range(101)]
    assert rates[0] == pytest.approx(0.04)
    assert max(rates) == rates[10] == pytest.approx(2.0)
    assert rates[55] == pytest.approx(1.0)
    assert rates[100] == pytest.approx(0.002)
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert Schedule(10, learning_rate=1, warm_up=0).rate(0) == 1


def test_progress_by_images_or_minutes() -> None:
    assert Schedule(1000).progress(250, 1e9) == 0.25
    schedule = Schedule(1000, minutes=2)
    assert schedule.progress(250, 30) == 0.25
    assert schedule.progress(250, 60) == 0.5
    assert schedule.progress(2000, 0) == schedule.progress(0, 999) == 1


def test_evaluations_are_due_at_multiples() -> None:
    schedule = Schedule(1000, every=100)
    assert [schedule.next_evaluation(i) for i in (0, 99, 100, 350)] == [100, 100, 200, 400]


def test_what_ends_a_training() -> None:
    schedule = Schedule(1000, minutes=1, patience=3)
    assert schedule.end(999, 59, 2) == ""
    assert schedule.end(1000, 99, 9) == "images"
    assert schedule.end(999, 60, 9) == "minutes"
    assert schedule.end(999, 59, 3) == "patience"
    assert Schedule(1000).end(999, 1e9, 1000) == ""


@pytest.mark.parametrize(
    ("epochs", "real", "share", "images"),
    [(1, 7, 0, 7), (10, 550, 0.45, 10_000), (3, 100, 0.9, 3000), (1, 1, 0.99, 100), (2, 3, 0.3, 9)],
)
def test_images_of_epochs(epochs: int, real: int, share: float, images: int) -> None:
    assert images_of_epochs(epochs, real, share) == images


# Checkpoint


def test_a_checkpoint_comes_back(tmp_path: Path) -> None:
    arrays = {"a": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.asarray(7)}
    assert read_checkpoint(tmp_path, "s") is None
    write_checkpoint(tmp_path, arrays, State(5, 1.5, None), "s")
    found = read_checkpoint(tmp_path, "s")
    assert found is not None
    np.testing.assert_array_equal(found[0]["a"], arrays["a"])
    assert found[0]["n"].tolist() == [7]
    assert found[1] == State(5, 1.5, None)
    with pytest.raises(InvalidValueError, match=r"must be of the same training, got other charact"):
        read_checkpoint(tmp_path, "other")


def test_one_of_before_there_was_patience(tmp_path: Path) -> None:
    arrays = {"a": np.ones(3, np.float32)}
    write_checkpoint(tmp_path, arrays, State(5, 1.5, 0.25), "s")
    path = tmp_path / checkpoint.CHECKPOINT
    data = path.read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    header["__metadata__"]["state"] = json.dumps({"images": 5, "seconds": 1.5, "best": 0.25})
    text = json.dumps(header).encode()
    values = data[8 + int.from_bytes(data[:8], "little") :]
    path.write_bytes(len(text).to_bytes(8, "little") + text + values)
    found = read_checkpoint(tmp_path, "s")
    assert found is not None
    assert found[1] == State(5, 1.5, 0.25, best_wer=None, best_exact=None, kept=0, stale=0)


def test_a_damaged_checkpoint(tmp_path: Path) -> None:
    write_checkpoint(tmp_path, {"a": np.ones(100, np.float32)}, State(), "s")
    path = tmp_path / checkpoint.CHECKPOINT
    whole = path.read_bytes()
    flipped = bytearray(whole)
    flipped[-9] ^= 1
    foreign = b"\x02\0\0\0\0\0\0\0{}"
    for bad in (b"", whole[:50], whole[:-7], bytes(flipped), foreign, b"\xff" * 40, b"text" * 99):
        path.write_bytes(bad)
        with pytest.raises(
            InvalidValueError, match=r"must be one that ctckit train wrote, got '.*', which is dama"
        ):
            read_checkpoint(tmp_path, "s")
        assert path.read_bytes() == bad


def test_a_full_disk_leaves_the_old_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_checkpoint(tmp_path, {"a": np.ones(3)}, State(1), "s")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(models.os, "fsync", full)
    with pytest.raises(InvalidValueError, match=r"file must be writable, .*No space left on devi"):
        write_checkpoint(tmp_path, {"a": np.zeros(3)}, State(2), "s")
    found = read_checkpoint(tmp_path, "s")
    assert found is not None
    assert found[1].images == 1
    assert [one.name for one in tmp_path.iterdir()] == [checkpoint.CHECKPOINT]


def test_folders_that_are_refused(tmp_path: Path) -> None:
    check_folder(tmp_path / "new")
    check_folder(tmp_path)
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidValueError, match=r"output must be a folder, got the file '.*file'"):
        check_folder(tmp_path / "file")
    for name in (checkpoint.MODEL, CURVE, PICTURE, SUMMARY, CORPUS, WORD_CHARACTERS):
        (tmp_path / name).write_text("x")
        with pytest.raises(
            InvalidValueError, match=f"new or hold a checkpoint, got '.*' with a {name} alone; cho"
        ):
            check_folder(tmp_path)
        (tmp_path / name).unlink()


# Network


@pytest.fixture(scope="module")
def training() -> Any:
    if importlib.util.find_spec("keras") is None:
        pytest.skip("needs ctckit[recognizer]")
    extras = importlib.import_module("ctckit.recognizer.extras")
    extras.require_recognizer()
    with extras.without_chatter():
        return importlib.import_module("ctckit.recognizer.training")


@pytest.fixture
def make(training: Any, tmp_path: Path) -> Callable[..., Any]:
    """Make a trainer of a tiny network."""

    def make(
        images: int = 10_000, *, alphabet: Alphabet = ALPHABET, first: Any = None,
        precision: str = "float32", **options: Any,
    ) -> Any:  # fmt: skip
        schedule = Schedule(images, warm_up=0.1, **{"learning_rate": 5e-3, "every": 100} | options)
        shape = dataclasses.replace(SHAPE, classes=len(alphabet))
        return training.Trainer(
            tmp_path / "out", alphabet, shape, Preprocessing(), schedule, {"by": "test"}, seed=1,
            first=first, precision=precision,
        )  # fmt: skip

    return make


def letter(char: str) -> np.ndarray:
    """Return 24 rows and 16 columns, which differ from letter to letter."""
    block = np.random.default_rng(ord(char)).integers(0, 2, (4, 3), dtype=np.uint8) * 255
    block[0, 0] = block[3, 2] = 255
    return np.pad(np.kron(block, np.ones((6, 4), np.uint8)), ((0, 0), (2, 2)))


def images_of(words: list[str]) -> RealImages:
    drawn = [255 - np.pad(np.hstack([letter(c) for c in word]), 4) for word in words]
    return RealImages(words, words, drawn)


def batch_of(real: RealImages) -> TrainingBatch:
    from ctckit.recognizer import samples

    prepared = [Preprocessing().apply(image) for image in real.images]
    tokens = [ALPHABET.encode(text).tolist() for text in real.texts]
    return samples._side_by_side(list(zip(prepared, tokens, strict=True)))


def endless(*batches: TrainingBatch) -> Iterator[TrainingBatch]:
    return itertools.cycle(batches)


def stop_after(count: int, *batches: TrainingBatch) -> Iterator[TrainingBatch]:
    yield from itertools.islice(endless(*batches), count)
    raise KeyboardInterrupt


@keras
def test_the_loss_is_minus_log_probability(training: Any, make: Callable[..., Any]) -> None:
    rng = np.random.default_rng(2)
    logits = rng.normal(0, 2, (3, 9, 5)).astype(np.float32)
    frames, lengths = np.array([9, 6, 3], np.int32), np.array([4, 2, 2], np.int32)
    tokens = np.array([[0, 0, 3, 1], [2, 2, 0, 0], [3, 0, 0, 0]], np.int32)
    model = make().model
    loss = model.compute_loss(x=(None, frames), y=(tokens, lengths), y_pred=logits)
    matrices = MatrixBatch.from_logits(logits, ALPHABET, frames)
    log_probs = [
        brute_force(matrix, tokens[i, : lengths[i]].tolist()) for i, matrix in enumerate(matrices)
    ]
    assert np.isfinite(log_probs).all()
    assert float(loss) == pytest.approx(-sum(log_probs) / lengths.sum(), rel=1e-4)


def brute_force(matrix: np.ndarray, tokens: list[int]) -> float:
    """Return the log probability of a text by the forward algorithm, written plainly."""
    path = [4]
    for token in tokens:
        path += [token, 4]
    alpha = {0: 0.0}
    for t, row in enumerate(matrix.astype(np.float64)):
        new: dict[int, float] = {}
        for state, value in alpha.items():
            for step in (0, 1, 2):
                to = state + step
                if to >= len(path) or (step == 2 and (path[to] == 4 or path[to] == path[state])):
                    continue
                if t == 0 and (step == 2 or to > 1):
                    continue
                new[to] = np.logaddexp(new.get(to, -math.inf), value + row[path[to]])
        alpha = new
    ends = [alpha.get(len(path) - 1, -math.inf), alpha.get(len(path) - 2, -math.inf)]
    return float(np.logaddexp(*ends))


@keras
def test_a_tiny_network_learns(make: Callable[..., Any], tmp_path: Path) -> None:
    real = images_of(WORDS)
    rows: list[dict[str, Any]] = []
    seen: list[int] = []
    trainer = make(images=1200, every=200)
    trainer.run(endless(batch_of(real)), real, rows.append, seen.append)
    assert rows[-1]["loss"] < 0.2 * rows[0]["loss"]
    assert trainer.state.best < 0.2
    assert sum(seen) == trainer.state.images == rows[-1]["images"] == 1200
    with (tmp_path / "out" / "curve.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [float(row["cer"]) for row in written] == [row["cer"] for row in rows]
    model = read_model(trainer.model_path)
    assert model.about["best"] == trainer.state.best
    assert model.about["by"] == "test"
    assert str(tmp_path) not in json.dumps(model.about)
    from ctckit.recognizer.recognizer import Recognizer

    recognizer = Recognizer(trainer.current(), "cpu")
    prepared = [recognizer.prepare(image) for image in real.images]
    ours, theirs = trainer._recognized(prepared), recognizer.recognize(prepared)
    for one, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-3)


@keras
def test_resumed_as_it_was(make: Callable[..., Any], tmp_path: Path) -> None:
    real = images_of(WORDS[:4])
    trainer = make(every=12)
    with pytest.raises(KeyboardInterrupt):
        trainer.run(stop_after(5, batch_of(real)), real, lambda row: None)
    trainer.save_checkpoint()
    again = make(every=12)
    assert again.resume()
    assert again.state == trainer.state
    assert again.state.images == 20
    for name, value in trainer._values().items():
        np.testing.assert_array_equal(again._values()[name], value)
    assert len(trainer.optimizer.variables) == len(again.optimizer.variables) > 4
    for one, other in zip(trainer.optimizer.variables, again.optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(one), np.asarray(other))
    losses = [one.step(batch_of(real)) for one in (trainer, again)]
    assert losses[0] == pytest.approx(losses[1], rel=1e-5)

    rows: list[Any] = []
    later = make(every=12)
    later.resume()
    with pytest.raises(KeyboardInterrupt):
        later.run(stop_after(2, batch_of(real)), real, rows.append)
    with (tmp_path / "out" / "curve.csv").open() as file:
        assert [int(row["images"]) for row in csv.DictReader(file)] == [12, 24]
    assert len(rows) == 1

    path = tmp_path / "out" / checkpoint.CHECKPOINT
    arrays, state = read_checkpoint(path.parent, trainer._settings()) or ({}, State())
    arrays.pop("optimizer/0")
    write_checkpoint(path.parent, arrays, state, trainer._settings())
    with pytest.raises(InvalidValueError, match=r"\('optimizer/0' is not as it should be\)"):
        make().resume()


@keras
def test_only_the_best_is_kept(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    from ctckit.metrics import ErrorCounts, count_errors

    real = images_of(WORDS[:2])
    trainer = make(images=12, every=2)
    found = iter(["xx", "ax", "xx", "ab", "ax", "ab"])

    def counts(images: RealImages) -> ErrorCounts:
        return count_errors(["ab"], [next(found)])

    monkeypatch.setattr(trainer, "validate", counts)
    kept: list[int] = []
    trainer.run(
        endless(batch_of(real)),
        real,
        lambda row: kept.append(read_model(trainer.model_path).about["images"]),
    )
    assert kept == [2, 4, 4, 8, 8, 12]


@keras
def test_without_images_to_validate_the_last_weights_are_kept(
    make: Callable[..., Any], tmp_path: Path
) -> None:
    trainer, rows, kept = make(images=8, every=4), [], []

    def report(row: Any) -> None:
        rows.append(row)
        kept.append(read_model(trainer.model_path).about["images"])

    trainer.run(endless(batch_of(images_of(WORDS[:2]))), RealImages(), report)
    assert kept == [4, 8]
    assert [(row["cer"], row["wer"], row["exact"]) for row in rows] == [(None,) * 3] * 2
    assert trainer.state.best is None
    assert (tmp_path / "out" / "curve.csv").read_text().splitlines()[-1].endswith(",,")


@keras
def test_a_loss_that_is_no_number(make: Callable[..., Any], tmp_path: Path) -> None:
    trainer = make()
    trainer.run(iter([batch_of(images_of(WORDS))] * 2), RealImages(), lambda row: None)
    before = (tmp_path / "out" / checkpoint.CHECKPOINT).read_bytes()
    trainer._weights["logits/bias"].assign(np.full(5, np.nan, np.float32))
    batches = endless(batch_of(images_of(WORDS)))
    trainer.step = lambda batch: math.nan
    trainer.save_checkpoint = lambda: None
    with pytest.raises(
        InvalidValueError, match=r"loss must be finite, got nan after 16 images; run again with a l"
    ):
        trainer.run(batches, RealImages(), lambda row: None)
    del trainer.save_checkpoint
    with pytest.raises(InvalidValueError, match=r"weights must be finite, got nan after 16 images"):
        trainer.save_checkpoint()
    assert (tmp_path / "out" / checkpoint.CHECKPOINT).read_bytes() == before


class Killed(BaseException):
    """Stands for what ends a process at once."""


@pytest.fixture
def scripted(make: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    """Make a trainer that learns nothing, and whose texts are as wrong as is said."""
    from ctckit.metrics import count_errors

    def scripted(read: dict[int, str], **options: Any) -> Any:
        trainer = make(every=2, **options)
        monkeypatch.setattr(trainer, "step", lambda batch: 1.5)
        monkeypatch.setattr(
            trainer, "validate", lambda images: count_errors(["ab c"], [read[trainer.state.images]])
        )
        return trainer

    return scripted


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / CURVE).open() as file:
        return list(csv.DictReader(file))


@keras
def test_patience(scripted: Callable[..., Any], tmp_path: Path) -> None:
    real, batch = images_of(WORDS[:2]), batch_of(images_of(WORDS[:2]))
    # The CER does not get better when it stays the same, but the later weights are kept.
    read = {2: "xxxx", 4: "abxx", 6: "axxx", 8: "abxx", 10: "ab x", 12: "axxx"}
    read |= {14: "axxx", 16: "ab x"}
    trainer = scripted(read, patience=2)
    trainer.run(itertools.islice(endless(batch), 3), real, lambda row: None)
    assert (trainer.ended, trainer.state.stale, trainer.state.kept) == ("", 1, 4)
    again = scripted(read, patience=2)
    assert again.resume()
    assert again.state == trainer.state
    again.run(endless(batch), real, lambda row: None)
    assert again.ended == "patience"
    assert again.state.images == 8
    assert again.state.kept == read_model(again.model_path).about["images"] == 8
    assert [row["images"] for row in rows_of(tmp_path / "out")] == ["2", "4", "6", "8"]
    summary = json.loads((tmp_path / "out" / SUMMARY).read_text())
    assert summary["ended_by"] == "patience"
    assert summary["model"] == {
        "file": "model.safetensors", "images": 8, "cer": 0.5, "wer": 1.0, "exact": 0.0
    }  # fmt: skip
    longer = scripted(read, patience=3)
    longer.resume()
    assert longer.ended == ""
    longer.run(endless(batch), real, lambda row: None)
    state = longer.state
    assert (state.images, state.kept, state.best, state.stale) == (16, 16, 0.25, 3)


@keras
def test_killed_between_any_two_files(
    scripted: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whichever file is the last that was written, what goes on comes to the same end."""
    real, batch = images_of(WORDS[:2]), batch_of(images_of(WORDS[:2]))
    read = {2: "xxxx", 4: "ab x", 6: "abxx"}
    trainer = scripted(read, images=6)
    fsync = models.os.fsync
    count = 0

    def dies(descriptor: int) -> None:
        nonlocal count
        count -= 1
        if count < 0:
            raise Killed
        fsync(descriptor)

    monkeypatch.setattr(models.os, "fsync", dies)
    monkeypatch.setattr(sys.modules[type(trainer).__module__], "can_draw", lambda: False)
    ended = False
    for at in range(100):
        trainer.folder = tmp_path / str(at)
        trainer.state, count = State(), at
        try:
            trainer.run(endless(batch), real, lambda row: None)
            ended = True
        except Killed:
            if trainer.model_path.exists():
                read_model(trainer.model_path)
        count = 1000
        trainer.state = State()
        trainer.resume()
        if not trainer.ended:
            trainer.run(endless(batch), real, lambda row: None)
        state = trainer.state
        assert (state.images, state.kept, state.stale, state.best) == (6, 4, 1, 0.25)
        assert (state.best_wer, state.best_exact) == (0.5, 0.0)
        assert read_model(trainer.model_path).about["images"] == 4
        assert [row["images"] for row in rows_of(trainer.folder)] == ["2", "4", "6"]
        summary = json.loads((trainer.folder / SUMMARY).read_text())
        assert (summary["images"], summary["ended_by"]) == (6, "images")
        assert (summary["model"]["images"], summary["model"]["cer"]) == (4, 0.25)
        if ended:
            break
    assert at == 13  # so many files were written


@keras
def test_a_model_that_is_gone_is_written_again(scripted: Callable[..., Any]) -> None:
    real, batch = images_of(WORDS[:2]), batch_of(images_of(WORDS[:2]))
    read = {2: "ab c", 4: "abxx", 6: "xxxx"}
    trainer = scripted(read, images=4)
    trainer.run(endless(batch), real, lambda row: None)
    assert trainer.state.kept == 2
    trainer.model_path.unlink()
    again = scripted(read, images=6)
    again.resume()
    assert (again.state.best, again.state.kept) == (None, 0)
    again.run(endless(batch), real, lambda row: None)
    assert read_model(again.model_path).about["images"] == 6


@keras
@pytest.mark.parametrize("name", [checkpoint.CHECKPOINT, checkpoint.MODEL, CURVE, PICTURE, SUMMARY])
def test_a_full_disk_leaves_the_last_good_model(
    scripted: Callable[..., Any], name: str, tmp_path: Path
) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    real, batch = images_of(WORDS[:2]), batch_of(images_of(WORDS[:2]))
    read = {2: "axxx", 4: "ab c", 6: "xxxx"}
    trainer = scripted(read, images=6)
    trainer.run(itertools.islice(endless(batch), 1), real, lambda row: None)
    # What is written under this name first goes to a disk that has no room.
    (tmp_path / "out" / f".{name}.partial").symlink_to("/dev/full")
    with pytest.raises(
        InvalidValueError, match=f"file must be writable, got '.*{name}' .No space left on device"
    ):
        trainer.run(endless(batch), real, lambda row: None)
    assert read_model(trainer.model_path).about["images"] in (2, 4)
    again = scripted(read, images=6)
    assert again.resume()
    again.run(endless(batch), real, lambda row: None)
    assert read_model(trainer.model_path).about["images"] == 4
    assert [row["images"] for row in rows_of(tmp_path / "out")] == ["2", "4", "6"]


@keras
def test_mixed_precision(make: Callable[..., Any], tmp_path: Path) -> None:
    """It learns; the model is as any other; a training may go on with the other precision."""
    real = images_of(WORDS)
    rows: list[Any] = []
    trainer = make(images=240, every=80, precision="mixed")
    dtypes = {layer.name: layer.compute_dtype for layer in trainer.model.layers}
    assert dtypes["stem1_conv"] == dtypes["collapse_norm"] == dtypes["gated1_gate"] == "float16"
    assert dtypes["logits"] == "float32"
    trainer.run(endless(batch_of(real)), real, rows.append)
    assert rows[-1]["loss"] < 0.8 * rows[0]["loss"]
    assert trainer.optimizer.iterations > 20
    assert {str(value.dtype) for value in trainer._values().values()} == {"float32"}
    saved = read_model(trainer.model_path)
    assert {name: value.shape for name, value in saved.weights.items()} == saved.shape.weights()

    from ctckit.recognizer.recognizer import Recognizer

    recognizer = Recognizer(trainer.current(), "cpu")
    prepared = [recognizer.prepare(image) for image in real.images]
    ours, theirs = trainer._recognized(prepared), recognizer.recognize(prepared)
    for one, other in zip(ours, theirs, strict=True):
        assert one.dtype == np.float32
        assert np.abs(np.exp(one) - np.exp(other)).max() < 0.05

    again = make(images=480, precision="mixed")
    trainer._scale[1].assign(4096.0)
    trainer.save_checkpoint()
    assert again.resume()
    assert float(again._scale[1]) == 4096.0
    assert int(again.optimizer.iterations) == int(trainer.optimizer.iterations)
    assert math.isfinite(again.step(batch_of(real)))
    plain = make(images=480)
    assert plain.resume()
    assert {layer.compute_dtype for layer in plain.model.layers} == {"float32"}
    assert int(plain.optimizer.iterations) == int(trainer.optimizer.iterations)
    plain.save_checkpoint()
    back = make(images=480, precision="mixed")
    assert back.resume()
    assert float(back._scale[1]) == 2.0**15
    for name, value in plain._values().items():
        np.testing.assert_array_equal(back._values()[name], value)


@keras
def test_the_rate_of_learning_in_mixed_precision(make: Callable[..., Any]) -> None:
    trainer = make(images=1000, precision="mixed")
    assert trainer.model.optimizer is not trainer.optimizer
    trainer.optimizer.learning_rate = 0.0625
    assert float(trainer.model.optimizer.learning_rate) == 0.0625


@keras
def test_starting_from_a_model_of_another_alphabet(make: Callable[..., Any]) -> None:
    first = make().current()
    alphabet = Alphabet([*"bxda", ""], blank=4)
    trainer = make(alphabet=alphabet, first=first)
    random = make(alphabet=alphabet)._values()
    found = trainer._values()
    for name, value in first.weights.items():
        if not name.startswith("logits/"):
            np.testing.assert_array_equal(found[name], value)
    for name in ("logits/kernel", "logits/bias"):
        for i, token in enumerate(alphabet.tokens):
            known = token in ALPHABET.tokens
            source = first.weights[name][..., ALPHABET.tokens.index(token)] if known else None
            expected = random[name][..., i] if source is None else source
            np.testing.assert_array_equal(found[name][..., i], expected)
