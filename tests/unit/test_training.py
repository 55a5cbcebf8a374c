"""Training: schedule, loss, checkpoints, and a small network that learns."""

from __future__ import annotations

import csv
import importlib
import importlib.util
import itertools
import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch
from ctckit.errors import InvalidValueError
from ctckit.recognizer import checkpoint, models
from ctckit.recognizer.checkpoint import State, check_folder, read_checkpoint, write_checkpoint
from ctckit.recognizer.models import read_model
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.samples import TrainingBatch
from ctckit.recognizer.schedule import Schedule
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
    (tmp_path / checkpoint.MODEL).write_text("x")
    with pytest.raises(InvalidValueError, match=r"new or hold a checkpoint, got '.*' with a model"):
        check_folder(tmp_path)


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

    def make(images: int = 10_000, **options: Any) -> Any:
        schedule = Schedule(images, warm_up=0.1, **{"learning_rate": 5e-3, "every": 100} | options)
        return training.Trainer(
            tmp_path / "out", ALPHABET, SHAPE, Preprocessing(), schedule, {"by": "test"}, seed=1
        )

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
