"""The command train: its options, what it says, and how it ends. Most tests fake the network."""

from __future__ import annotations

import contextlib
import csv
import dataclasses
import importlib.util
import itertools
import json
import os
import signal
import subprocess
import sys
import types
from pathlib import Path

import cv2
import numpy as np
import pytest

import ctckit.recognizer.feed
from ctckit.errors import InvalidValueError
from ctckit.recognizer.checkpoint import CHECKPOINT, MODEL, State, write_checkpoint
from ctckit.recognizer.curve import CURVE, CURVE_COLUMNS, PICTURE, SUMMARY
from ctckit.recognizer.language_files import CORPUS, WORD_CHARACTERS

TEXTS = ["one", "two", "three", "four", "five", "six"]


def draw(path, width=200):
    image = np.full((40, width), 255, np.uint8)
    cv2.putText(image, "abcdefgh", (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture
def data(folder):
    """Six images with texts, in `folder`/data."""
    for i in range(len(TEXTS)):
        draw(folder / "data" / f"{i}.png")
    rows = "".join(f"{i}.png,{text}\n" for i, text in enumerate(TEXTS))
    (folder / "data" / "labels.csv").write_text("file,text\n" + rows)
    return folder / "data"


class FakeTrainer:
    """Takes two batches, or one and is interrupted."""

    made = None
    begin = State()
    interrupted = False
    stale = 0

    def __init__(
        self, folder, alphabet, shape, preprocessing, schedule, about, seed, first, precision
    ):
        type(self).made = self
        self.folder, self.schedule, self.about, self.seed = folder, schedule, about, seed
        self.preprocessing, self.first, self.precision = preprocessing, first, precision
        self.alphabet, self.sizes = alphabet, []
        self.shape, self.classes = shape, shape.classes
        self.state, self.saved = State(), 0
        self.model_path = folder / MODEL

    @property
    def ended(self):
        return self.schedule.end(self.state.images, self.state.seconds, self.state.stale)

    def resume(self):
        self.state = State(**vars(self.begin))
        return self.begin.images > 0

    def save_checkpoint(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / CHECKPOINT).write_text("x")
        self.saved += 1

    def run(self, batches, validation, report, on_images):
        for batch in itertools.islice(batches, 1 if self.interrupted else 2):
            self.sizes.append(len(batch.frames))
            self.state.images += len(batch.frames)
            self.state.seconds += 60
            on_images(len(batch.frames))
        if self.interrupted:
            os.kill(os.getpid(), signal.SIGTERM)
            next(batches)
        rates = (0.25, 0.75, 0.5) if len(validation) else (None, None, None)
        self.state.best, self.state.best_wer, self.state.best_exact = rates
        self.state.kept, self.state.stale = self.state.images, self.stale
        row = (self.state.images, self.state.seconds, 1.5, *rates)
        report(dict(zip(CURVE_COLUMNS, row, strict=True)))


@pytest.fixture
def fake(monkeypatch):
    """Put a trainer without a network in the place of the real one."""
    if importlib.util.find_spec("keras") is None:
        pytest.skip("needs ctckit[recognizer]")
    training = types.ModuleType("ctckit.recognizer.training")
    trainer = training.Trainer = type("Trainer", (FakeTrainer,), {})
    devices = types.ModuleType("ctckit.recognizer.devices")

    def choose(backend, device):
        if device == "gpu":
            raise InvalidValueError("device must be cpu where fake sees no GPU, got 'gpu'; buy one")
        return "cpu"

    devices.choose, devices.using = choose, contextlib.nullcontext
    devices.choose_precision = lambda device, precision: f"{precision} on the {device}"
    for name, module in (("training", training), ("devices", devices)):
        monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr(ctckit.recognizer, name, module, raising=False)
    return trainer


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "training images must come from somewhere, got neither --data nor --synthetic; give"),
        (["--synthetic"], "--fonts must be given with --synthetic, got none; name a folder of"),
        (["--synthetic", "--fonts", "f"], "--words must be given with --synthetic where there is"),
        (["--data", "d", "--fonts", "f"], "--fonts and --words must come with --synthetic, got"),
        (["--data", "d", "--words", "w"], "--fonts and --words must come with --synthetic, got"),
        (["--data", "d", "--images", "0"], "images must be an integer of at least 1, got"),
        (["--data", "d", "--minutes", "0"], "minutes must be a number above 0, got 0.0; see"),
        (["--data", "d", "--minutes", "inf"], "minutes must be a finite number, got inf; give"),
        (["--data", "d", "--learning-rate", "nan"], "learning_rate must be a finite number, got"),
        (["--data", "d", "--learning-rate", "0"], "learning_rate must be a number above 0, got"),
        (["--data", "d", "--synthetic-share", "2"], "synthetic_share must be a number from 0 to 1"),
        (["--data", "d", "--validation-share", "1"], "validation_share must be a number from 0 t"),
        (["--data", "d", "--evaluate-every", "0"], "evaluate_every must be an integer of at leas"),
        (["--data", "d", "--batch-columns", "9"], "batch_columns must be an integer of at least 6"),
        (["--data", "d", "--batch-size", "0"], "batch_size must be an integer of at least 1, got"),
        (["--data", "d", "--epochs", "0"], "epochs must be an integer of at least 1, got 0;"),
        (["--data", "d", "--patience", "0"], "patience must be an integer of at least 1, got 0;"),
        (
            ["--data", "d", "--precision", "half"],
            "precision must be one of auto, float32, mixed, go",
        ),
        (
            ["--data", "d", "--corpus-from", "test"],
            "corpus_from must be one of train, all, got 'te",
        ),
        (
            ["--data", "d", "--epochs", "3", "--images", "9"],
            "--images and --epochs must not come together, got 9 and 3; leave one out",
        ),
        (
            ["--synthetic", "--fonts", "f", "--words", "w", "--epochs", "3"],
            "--epochs must come with real images, which it counts, got 3 where all are drawn; give",
        ),
        (
            ["--data", "d", "--synthetic", "--fonts", "f", "--synthetic-share=1", "--epochs", "3"],
            "--epochs must come with real images, which it counts, got 3 where all are drawn; give",
        ),
        (["--data", "d", "--workers", "0"], "workers must be an integer of at least 1, got"),
        (["--data", "d", "--device", "tpu"], "device must be one of auto, cpu, gpu, got 'tpu'"),
        (["--data", "d", "--seed", "-1"], "seed must be an integer from 0 to 4294967295, got"),
        (["--data", ""], "data must be a path, got ''; write . for the current folder"),
        (["--data", "d", "--output", ""], "output must be a path, got ''; write ."),
        (["--synthetic", "--fonts", ""], "fonts must be a path, got ''; write ."),
        (["--data", "d", "--words", ""], "words must be a path, got ''; write ."),
        (["--data", "d", "--sed", "1"], "option must be one of ctckit train's, got '--sed'; did"),
    ],
)
def test_wrong_usage(invoke, folder, args, message):
    result = invoke("train", *args)
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2
    assert list(folder.iterdir()) == []


def test_what_it_says(invoke, fake, data):
    result = invoke("train", "--data", "data", "--images", "100", "--validation-share", "0.2")
    assert result.exit_code == 0, result.stderr
    trainer = fake.made
    images = trainer.state.images
    assert result.stdout.splitlines() == [
        "   images  minutes    loss     CER     WER   exact",
        f"{images:9,}      2.0  1.5000  0.2500  0.7500  0.5000",
    ]
    assert result.stderr.splitlines() == [
        "ctckit: 5 images to train on, 1 to validate on, 13 characters",
        f"ctckit: {images} images in 2.0 minutes, best after {images} images: CER 0.2500, WER "
        "0.7500, exact 0.5000 of 1 image",
        f"ctckit: the model is 'model/{MODEL}'; curve, summary and corpus are beside it",
    ]
    assert trainer.precision == "auto on the cpu"
    assert trainer.first is None
    assert trainer.about["data"] == ["data"]
    assert trainer.classes == 14


def test_all_options(invoke, fake, data, folder, make_font):
    make_font(folder / "fonts" / "plain.ttf", "abcdefghijklmnopqrstuvwxyz ")
    (folder / "words.txt").write_text("apple\nΩ\n")
    args = ["--synthetic", "--fonts", "fonts", "--words", "words.txt", "--words", "words.txt"]
    args += ["--synthetic-share", "0.9", "--output", "out/m", "--images", "50", "--minutes", "3"]
    args += ["--evaluate-every", "7", "--learning-rate", "0.01", "--validation-share", "0"]
    args += ["--batch-columns", "900", "--workers", "2", "--device", "cpu", "--seed", "4"]
    args += ["--batch-size", "3", "--precision", "mixed", "--corpus-from", "all"]
    result = invoke("train", "--data", "data", *args)
    assert result.exit_code == 0, result.stderr
    made = fake.made
    schedule = made.schedule
    assert (schedule.images, schedule.minutes, schedule.every) == (50, 3.0, 7)
    assert (schedule.learning_rate, made.seed, made.folder) == (0.01, 4, Path("out/m"))
    assert made.about["fonts"] == ["plain"]
    assert (made.about["synthetic_share"], made.about["columns"]) == (0.9, 900)
    assert made.about["batch_size"] == 3
    assert max(made.sizes) <= 3
    assert made.precision == "mixed on the cpu"
    lines = result.stderr.splitlines()
    assert lines[0] == (
        "ctckit: warning: left out 1 of the words of 'words.txt', whose characters no font has"
    )
    assert lines[2].startswith("ctckit: 6 images to train on, and drawn ones, 0 to validate on, ")
    assert lines[3].endswith(", no images to validate on, so these are the last weights")
    assert result.stdout.splitlines()[1].endswith("1.5000       -       -       -")


def test_the_output_lies_in_packed_data(invoke, fake, data):
    """What a training has written spoils neither the packed file nor the images."""
    assert invoke("pack", "data").exit_code == 0
    command = ["train", "--data", "data", "--validation-share", "0", "--output"]
    for output in ("data/model", "data/model", "data"):
        result = invoke(*command, output)
        assert result.exit_code == 0, result.stderr
        assert result.stderr.splitlines()[:2] == [
            "ctckit: reading 'data/packed.arrow' instead of the images",
            "ctckit: 6 images to train on, 0 to validate on, 13 characters",
        ]
        for name in (MODEL, PICTURE, CURVE, SUMMARY, "model.onnx"):
            (fake.made.folder / name).write_text("x")
    (data / "packed.arrow").unlink()
    result = invoke(*command, "model")
    assert result.stderr.startswith("ctckit: 6 images to train on, 0 to validate on, 13 char")


def test_what_is_left_out_is_named(invoke, fake, data):
    for i in range(11):
        draw(data / f"narrow{i}.png", 30)
    draw(data / "unlabelled.png")
    (data / "broken.png").write_bytes(b"no image")
    with (data / "labels.csv").open("a") as file:
        file.writelines(f"narrow{i}.png,much too long a text\n" for i in range(11))
        file.write("broken.png,x\ngone.png,y\n")
    result = invoke("train", "--data", "data", "--images", "9")
    assert result.exit_code == 1, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0].startswith(
        "ctckit: warning: left out 1 image that cannot be read: image must be PNG, JPEG or"
    )
    assert lines[1] == "ctckit: warning: left out 1 image without a text"
    assert lines[2] == "ctckit: warning: 1 text has no image: gone.png"
    named = ", ".join(f"narrow{i}.png" for i in range(10))
    assert lines[3] == (
        f"ctckit: warning: left out 11 images too narrow for the text: {named}, ..."
    )


def test_packed_data(invoke, fake, data):
    plain = invoke("train", "--data", "data", "--images", "9")
    assert invoke("pack", "data").exit_code == 0
    result = invoke("train", "--data", "data", "--images", "9", "--output", "b")
    assert result.exit_code == 0, result.stderr
    note = "ctckit: reading 'data/packed.arrow' instead of the images"
    assert result.stderr.splitlines()[:2] == [note, plain.stderr.splitlines()[0]]
    (data / "labels.csv").write_text((data / "labels.csv").read_text() + "0b.png,x\n")
    draw(data / "0b.png")
    result = invoke("train", "--data", "data", "--images", "9", "--output", "c")
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0].startswith("ctckit: 'data/packed.arrow' is stale and not used (")
    assert lines[0].endswith(" since); run ctckit pack 'data' again")
    assert lines[1].startswith("ctckit: 6 images to train on, 1 to")


def test_writers_and_test_parts(invoke, fake, folder):
    root = folder / "db"
    rows = []
    for page in range(10):
        for line in range(4):
            id = f"{270 + page}-0{line}"
            draw(root / "data" / "line_images_normalized" / f"{id}.png")
            rows.append(f"{id} o-n-e|t-w-o")
    (root / "ground_truth").mkdir()
    (root / "ground_truth" / "transcription.txt").write_text("\n".join(rows))
    (root / "sets" / "cv1").mkdir(parents=True)
    (root / "sets" / "cv1" / "test.txt").write_text("270-00\n270-01\n")
    result = invoke("train", "--data", "db", "--images", "9")
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0] == "ctckit: left out 2 images of the data's own test part"
    assert lines[1] in (
        "ctckit: 36 images to train on, 2 to validate on (of 1 writer or page), 6 characters",
        "ctckit: 34 images to train on, 4 to validate on (of 1 writer or page), 6 characters",
    )
    assert sum(fake.made.about[name] for name in ("real_images", "validation_images")) == 38


def test_right_to_left(invoke, fake, data):
    assert invoke("train", "--data", "data", "--images", "9").exit_code == 0
    assert not fake.made.preprocessing.mirrored
    rows = "".join(f"{i}.png,שלום\n" for i in range(6))
    (data / "labels.csv").write_text("file,text\n" + rows, encoding="utf-8")
    result = invoke("train", "--data", "data", "--images", "9")
    assert result.exit_code == 0, result.stderr
    assert fake.made.preprocessing.mirrored
    assert result.stderr.splitlines()[0] == (
        "ctckit: the texts are written from right to left; images are mirrored"
    )


def test_one_image_is_too_few_to_validate_on(invoke, fake, folder):
    draw(folder / "data" / "a.png")
    (folder / "data" / "a.gt.txt").write_text("one")
    result = invoke("train", "--data", "data", "--images", "9")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[:2] == [
        "ctckit: 1 image is too few to keep one out of training for validation",
        "ctckit: 1 image to train on, 0 to validate on, 3 characters",
    ]


def test_interrupted(invoke, fake, data, monkeypatch):
    monkeypatch.setattr(fake, "interrupted", True)
    result = invoke("train", "--data", "data")
    assert result.exit_code == 130
    made = fake.made
    assert made.saved == 2
    assert result.stderr.splitlines()[-1] == (
        f"ctckit: interrupted after {made.state.images} images; the checkpoint is written, run the "
        "command again to go on"
    )


@pytest.mark.parametrize("lost", ["choose", "resume", "error"])
def test_interrupted_where_that_is_lost(invoke, fake, data, folder, monkeypatch, capfd, lost):
    class Callback:
        def __del__(self):
            signal.raise_signal(signal.SIGINT)

    def choose(*_):
        Callback()
        if lost == "error":
            raise ImportError("numpy.core.multiarray failed to import")
        return "cpu"

    if lost == "resume":
        monkeypatch.setattr(fake, "resume", choose)
    else:
        monkeypatch.setattr(sys.modules["ctckit.recognizer.devices"], "choose", choose)
    hook = sys.unraisablehook
    result = invoke("train", "--data", "data")
    assert result.exit_code == 130
    assert result.stderr.splitlines()[-1] == "ctckit: interrupted"
    assert capfd.readouterr().err == ""
    assert result.stdout == ""
    assert sys.unraisablehook is hook


def test_going_on_and_the_end(invoke, fake, data, monkeypatch):
    monkeypatch.setattr(fake, "begin", State(40, 60.0, 0.5))
    result = invoke("train", "--data", "data", "--images", "60")
    assert result.exit_code == 0, result.stderr
    assert "ctckit: going on after 40 images with the checkpoint in 'model'" in result.stderr
    result = invoke("train", "--data", "data", "--images", "40")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: output must be a new folder, or one whose training can go on, got 'model', "
        "whose training has ended after 40 images and 1.0 minutes; raise --images or --epochs, or "
        "choose another folder"
    )


def test_errors_that_end_it(invoke, fake, data, folder, make_font):
    make_font(folder / "fonts" / "plain.ttf", "abc")
    (folder / "empty.txt").write_text("\n")
    (folder / "greek.txt").write_text("Ω\n")
    (folder / "file").write_text("x")
    (folder / "mine").mkdir()
    (folder / "mine" / MODEL).write_text("x")
    drawn = ["--synthetic", "--fonts", "fonts", "--words"]
    for args, message in [
        (["--data", "none"], "folder must be an existing folder, got 'none'; check the path"),
        (["--data", "fonts"], "folder must hold images (.jpeg, .jpg, .png, .tif, .tiff), got no"),
        (["--data", "data", "--data", "data"], "data must hold each image once, got 'data/0.png'"),
        ([*drawn, "none.txt"], "words must be a file that exists, got 'none.txt'; check the pa"),
        ([*drawn, "empty.txt"], "words must hold at least one word, got none in 'empty.txt'; wr"),
        ([*drawn, "greek.txt"], "fonts must have the characters of a word, got none for 'greek"),
        (["--data", "data", "--device", "gpu"], "device must be cpu where fake sees no GPU, got"),
        (["--data", "data", "--output", "file"], "output must be a folder, got the file 'file'; c"),
        (["--data", "data", "--output", "mine"], "output must be new or hold a checkpoint, got 'm"),
    ]:
        result = invoke("train", *args)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"ctckit: error: {message}")
        assert result.stderr.count("\n") == 1


def test_epochs(invoke, fake, data, folder, make_font):
    result = invoke("train", "--data", "data", "--epochs", "30", "--validation-share", "0.2")
    assert result.exit_code == 0, result.stderr
    schedule = fake.made.schedule
    assert (schedule.images, schedule.every) == (150, 5)  # one of 6 is validated on
    make_font(folder / "fonts" / "plain.ttf", "abcdefghijklmnopqrstuvwxyz ")
    args = ["--synthetic", "--fonts", "fonts", "--synthetic-share", "0.75", "--output", "b"]
    result = invoke("train", "--data", "data", "--epochs", "30", "--validation-share", "0", *args)
    assert result.exit_code == 0, result.stderr
    assert (fake.made.schedule.images, fake.made.schedule.every) == (720, 24)
    assert fake.made.schedule.patience is None
    assert invoke("train", "--data", "data", "--output", "c").exit_code == 0
    assert (fake.made.schedule.images, fake.made.schedule.every) == (300_000, 20_000)


def test_patience_that_is_at_its_end(invoke, fake, data, monkeypatch):
    monkeypatch.setattr(fake, "stale", 2)
    result = invoke("train", "--data", "data", "--patience", "2")
    assert result.exit_code == 0, result.stderr
    assert fake.made.schedule.patience == 2
    lines = result.stderr.splitlines()
    assert lines[-3] == "ctckit: ended early: 2 evaluations in a row did not better the CER"
    monkeypatch.setattr(fake, "begin", fake.made.state)
    result = invoke("train", "--data", "data", "--patience", "2")
    assert result.exit_code == 1
    assert result.stderr.endswith("minutes; raise --patience, or choose another folder\n")
    result = invoke("train", "--data", "data", "--patience", "3")
    assert result.exit_code == 0, result.stderr


def test_patience_needs_images_to_validate_on(invoke, fake, data):
    args = ["--data", "data", "--patience", "4", "--validation-share", "0"]
    result = invoke("train", *args)
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: patience must be left out where there are no images to validate on, got 4; "
        "leave it out, or give more --data and a --validation-share above 0\n"
    )


@pytest.mark.parametrize("source", ["train", "all"])
def test_the_corpus_is_of_the_training_texts(invoke, fake, data, folder, source):
    result = invoke("train", "--data", "data", "--corpus-from", source)
    assert result.exit_code == 0, result.stderr
    found = (folder / "model" / CORPUS).read_text().splitlines()
    assert len(set(found)) == len(found) == (5 if source == "train" else 6)
    (kept_out,) = {*TEXTS} - {*found} or {""}
    letters = (folder / "model" / WORD_CHARACTERS).read_text().rstrip("\n")
    assert letters == "".join(sorted(set("".join(found))))
    # Word beam search takes both as they are.
    from ctckit import load_decoder

    decoder = load_decoder(
        "wordbeamsearch",
        fake.made.alphabet,
        corpus=folder / "model" / CORPUS,
        word_characters=letters,
    )
    assert decoder.word_characters == letters
    assert (source == "all") == (kept_out == "")


def test_images_that_cannot_be_read_again(invoke, fake, data, folder, monkeypatch):
    """They were sound when the parent read them, and are not when the processes do."""
    names = sorted(f"{i}.png" for i in range(len(TEXTS)))

    def resume(self):
        (data / names[0]).write_bytes(b"no image")
        (data / names[1]).write_bytes((data / names[1]).read_bytes()[:300])
        (data / names[2]).unlink()
        return False

    monkeypatch.setattr(fake, "resume", resume)
    result = invoke("train", "--data", "data", "--validation-share", "0", "--workers", "2")
    assert result.exit_code == 1, result.stderr
    assert fake.made.state.images > 0
    assert result.stderr.splitlines()[1] == (
        "ctckit: warning: left out 3 images that could be read before, and cannot now: 0.png, "
        "1.png, 2.png"
    )
    assert result.stderr.count("could be read before") == 1


def test_none_can_be_read_again(invoke, fake, data, monkeypatch):
    def resume(self):
        for path in data.glob("*.png"):
            path.write_bytes(b"no image")
        return False

    monkeypatch.setattr(fake, "resume", resume)
    result = invoke("train", "--data", "data")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: training must have images, got none with a text; give --data or --synthetic"
    )


def test_without_matplotlib(invoke, fake, data, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = invoke("train", "--data", "data")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines()[1] == (
        "ctckit: curve.png needs Matplotlib, which is missing or broken; pip install "
        "'ctckit[plots]'"
    )


def test_start_from(invoke, fake, data, folder, random_model):
    from ctckit.recognizer.models import read_model, save_model

    result = invoke("train", "--data", "data", "--start-from", "default")
    assert result.exit_code == 0, result.stderr
    default = read_model()
    assert fake.made.first.fingerprint == fake.made.about["start_from"] == default.fingerprint
    assert fake.made.preprocessing == default.preprocessing
    # A network of another size, and its own preprocessing.
    other = random_model("xyz", height=40)
    other = dataclasses.replace(
        other, preprocessing=dataclasses.replace(other.preprocessing, spread=7.0, margin=8)
    )
    save_model(folder / "other.safetensors", other)
    result = invoke("train", "--data", "data", "--start-from", "other.safetensors", "--output", "b")
    assert result.exit_code == 0, result.stderr
    made = fake.made
    assert made.shape == dataclasses.replace(other.shape, classes=14)
    assert made.preprocessing == other.preprocessing


def test_sizes(invoke, fake, data, folder, random_model):
    from ctckit.recognizer.models import read_model, save_model

    assert invoke("train", "--data", "data", "--height", "64").exit_code == 0
    assert (fake.made.shape.height, fake.made.shape.blocks) == (64, 6)
    assert fake.made.preprocessing.height == 64
    assert (fake.made.preprocessing.spread, fake.made.preprocessing.margin) == (11.0, 8)
    assert invoke("train", "--data", "data", "--blocks", "3", "--output", "b").exit_code == 0
    assert (fake.made.shape.height, fake.made.shape.blocks) == (32, 3)
    more = ["--start-from", "default", "--blocks", "8", "--output", "c"]
    assert invoke("train", "--data", "data", *more).exit_code == 0
    expected = dataclasses.replace(read_model().shape, classes=14, blocks=8)
    assert fake.made.shape == expected
    save_model(folder / "other.safetensors", random_model("xyz", height=40, blocks=2))
    other = ["--start-from", "other.safetensors", "--output", "d"]
    for wrong, message in [
        (["--height", "60"], "height must be a multiple of 8, got 60"),
        ([*other, "--height", "32"], "height must be that of the model to start from, 40, got 32"),
        ([*other, "--blocks", "1"], "blocks must be at least those of the model to start from, 2,"),
    ]:
        result = invoke("train", "--data", "data", *wrong)
        assert result.exit_code == 2
        assert result.stderr.startswith(f"ctckit: error: {message}")
        assert result.stderr.count("\n") == 1


def test_a_training_from_a_model_draws_other_chance(invoke, fake, data):
    from ctckit.recognizer.models import read_model

    chances = []

    class Heard(ctckit.recognizer.feed.Feed):
        def __init__(self, make, seeds, on_left_out):
            chances.extend(seeds)
            super().__init__(make, seeds, on_left_out)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ctckit.recognizer.feed, "Feed", Heard)
        for more in ([], ["--start-from", "default", "--output", "b"]):
            assert invoke("train", "--data", "data", *more).exit_code == 0
    assert chances == [0, int(read_model().fingerprint[:12], 16)]


def test_wide_images_of_64_rows(data, folder):
    """Lines of 800 x 64, at that height, to a model that reads them."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs ctckit[recognizer]")
    from ctckit.recognizer.images import read_image
    from ctckit.recognizer.recognizer import Recognizer

    for i in range(len(TEXTS)):
        image = np.full((64, 800), 255, np.uint8)
        cv2.putText(image, "abcdefgh" * 3, (10, 50), cv2.FONT_HERSHEY_SIMPLEX, 1.6, 0, 3)
        cv2.imwrite(str(folder / "data" / f"{i}.png"), image)
    command = [sys.executable, "-m", "ctckit", "train", "--data", "data", "--device", "cpu"]
    command += ["--height", "64", "--blocks", "1", "--images", "4"]
    subprocess.run(command, cwd=folder, timeout=120, check=True, capture_output=True)
    recognizer = Recognizer.load(folder / "model" / MODEL, device="cpu")
    prepared = recognizer.prepare(read_image(folder / "data" / "0.png"))
    assert prepared.shape[0] == 64
    (matrix,) = recognizer.recognize([prepared])
    assert len(matrix) == prepared.shape[1] // 4 > 100


def test_going_on_keeps_the_images_to_validate_on(invoke, fake, data, folder):
    """Whatever seed and share say, and though an image is new and another is gone."""
    args = ["train", "--data", "data", "--validation-share", "0.4"]
    assert invoke(*args, "--seed", "3").exit_code == 0
    first = fake.made.state
    assert len(first.validation) == 2
    # What the checkpoint of a real training holds.
    write_checkpoint(folder / "model", {"a": np.ones(3)}, first, "settings")
    fake.begin = dataclasses.replace(first)
    kept = [id for id in map("{}.png".format, range(6)) if id not in first.validation]
    (data / kept[0]).unlink()
    draw(data / "6.png")
    labels = data / "labels.csv"
    labels.write_text(labels.read_text() + "6.png,seven\n")
    again = invoke("train", "--data", "data", "--validation-share", "0.2", "--seed", "4")
    assert again.exit_code == 0, again.stderr
    assert "4 images to train on, 2 to validate on" in again.stderr
    corpus = (folder / "model" / CORPUS).read_text().split()
    assert not {TEXTS[int(id[0])] for id in first.validation} & set(corpus)
    assert "seven" in corpus
    write_checkpoint(folder / "model", {"a": np.ones(3)}, first, "settings")
    (data / first.validation[0]).unlink()
    again = invoke("train", "--data", "data")
    assert "1 of the 2 images to validate on are gone" in again.stderr
    write_checkpoint(folder / "model", {"a": np.ones(3)}, first, "settings")
    (data / first.validation[1]).unlink()
    again = invoke("train", "--data", "data")
    assert again.exit_code == 1
    assert again.stderr.startswith(
        "ctckit: error: data must be that of the training that goes on, got none of the 2 images "
    )


def test_going_on_from_another_model_is_refused(invoke, fake, data, folder):
    from ctckit.recognizer.models import read_model

    default = read_model().fingerprint
    for had, given, message in [
        ("", ["--start-from", "default"], f"random weights, got {default}; give the same"),
        (default, [], f"a model of fingerprint {default}, got none; give the same"),
    ]:
        state = State(images=5, validation=[], start_from=had)
        write_checkpoint(folder / "model", {"a": np.ones(3)}, state, "settings")
        result = invoke("train", "--data", "data", *given)
        assert result.exit_code == 1
        assert message in result.stderr
        assert result.stderr.count("\n") == 1


def test_one_training_at_a_time(invoke, fake, data, folder):
    from ctckit.recognizer.checkpoint import alone

    with alone(folder / "model"):
        result = invoke("train", "--data", "data")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "ctckit: error: output must be written by one training at a time, got 'model', which"
    )
    assert not (folder / "model").exists()
    assert invoke("train", "--data", "data").exit_code == 0


def test_folders_of_one_name_and_images_that_are_there_twice(invoke, fake, folder):
    for i, place in enumerate(("a", "b")):
        for j in range(4):
            path = folder / place / "words" / f"{j}.png"
            draw(path, 200 + 10 * (4 * i + j))
        rows = "".join(f"{j}.png,{TEXTS[j]}\n" for j in range(4))
        (folder / place / "words" / "labels.csv").write_text("file,text\n" + rows)
    args = ["train", "--data", "a/words", "--validation-share", "0.4"]
    result = invoke(*args, "--data", "b/words")
    assert result.exit_code == 0, result.stderr
    assert len(set(fake.made.state.validation)) == 3
    assert {id.partition("/")[0] for id in fake.made.state.validation} <= {"a", "b"}
    assert invoke("pack", "a/words", "--output", "p.arrow").exit_code == 0
    result = invoke(*args, "--data", "p.arrow", "--output", "c")
    assert result.exit_code == 1
    assert result.stderr.startswith(
        "ctckit: error: data must hold each image once, got 'p/0.png' with the pixels and the text "
        "of 'words/0.png'; name the folder or the packed file, not both"
    )


def test_start_from_what_is_no_model(invoke, fake, data, folder):
    (folder / "text.safetensors").write_text("no model")
    for name, message in [
        (
            "none",
            "start_from must be a model file that exists, got 'none'; check the path, or write",
        ),
        ("data", "model must be a file, got the folder 'data'; name the .safetensors file in it"),
        (
            "text.safetensors",
            "model must be a file written by ctckit train, got 'text.safetensors',",
        ),
    ]:
        result = invoke("train", "--data", "data", "--start-from", name)
        assert result.exit_code == 1
        assert result.stderr.startswith(f"ctckit: error: {message}")
        assert result.stderr.count("\n") == 1


def test_no_usable_image(invoke, fake, folder):
    for i in range(3):
        draw(folder / "unlabelled" / f"{i}.png")
    (folder / "unlabelled" / "labels.csv").write_text("file,text\n0.png, \n")
    draw(folder / "data" / "narrow.png", 30)
    (folder / "data" / "broken.png").write_bytes(b"no image")
    (folder / "data" / "labels.csv").write_text(
        "file,text\nbroken.png,x\nnarrow.png,much too long a text\n"
    )
    for name, reasons in [
        ("unlabelled", "3 without a text; put a labels.csv with the columns file and text into"),
        ("data", "1 that cannot be read (image must be PNG, JPEG or TIFF, got "),
    ]:
        result = invoke("train", "--data", name)
        assert result.exit_code == 1
        assert result.stderr.startswith(
            f"ctckit: error: data must hold images with texts, got none to train on in {name} but "
            f"{reasons}"
        )
        assert result.stderr.count("\n") == 1
    assert ", 1 too narrow for their texts, such as 'narrow.png'; add images that" in result.stderr
    assert not (folder / "model").exists()


def test_a_validation_set_of_zero(invoke, fake, data):
    result = invoke("train", "--data", "data", "--validation-share", "0")
    assert result.exit_code == 0, result.stderr
    lines = result.stderr.splitlines()
    assert lines[0].startswith("ctckit: 6 images to train on, 0 to validate on, ")
    assert lines[1].endswith(", no images to validate on, so these are the last weights")


def test_labels_that_are_damaged_or_in_another_encoding(invoke, fake, folder):
    root = folder / "iam"
    rows = []
    for i in range(3):
        id = f"a01-000u-00-0{i}"
        draw(root / "img" / "a01" / "a01-000u" / f"{id}.png")
        rows.append(f"{id} ok 154 408 768 27 51 AT word\n")
    rows.append("a01-000u-00-03 ok 154\n")
    (root / "gt").mkdir()
    (root / "gt" / "words.txt").write_text("".join(rows))
    result = invoke("train", "--data", "iam")
    assert result.exit_code == 1, result.stderr
    assert result.stderr.splitlines()[1] == (
        "ctckit: warning: left out 1 damaged label: line 4 of words.txt (3 columns, fewer than "
        "9): 'a01-000u-00-03 ok 154'"
    )
    (root / "gt" / "words.txt").write_bytes("".join(rows).replace("word", "été").encode("cp1252"))
    result = invoke("train", "--data", "iam", "--output", "b")
    assert result.exit_code == 1
    assert (
        "labels must be UTF-8 text, got byte 0xe9 in 'iam/gt/words.txt', line 1 (it looks like Win"
        in result.stderr
    )


@pytest.mark.xdist_group("keras")
def test_really(data, folder):
    """The command itself: interrupted, gone on with, to a model that can be read."""
    if importlib.util.find_spec("tensorflow") is None:
        pytest.skip("needs ctckit[recognizer]")
    command = [sys.executable, "-m", "ctckit", "train", "--data", "data", "--device", "cpu"]
    command += ["--validation-share", "0.2", "--batch-columns", "400", "--evaluate-every", "4"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([*command, "--images", "100000"], cwd=folder, **pipes)
    rows = [process.stdout.readline() for _ in range(2)]
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130, errors
    assert rows[0] == "   images  minutes    loss     CER     WER   exact\n"
    assert "the checkpoint is written, run the command again to go on\n" in errors
    done = int(errors.split("interrupted after ")[1].split()[0])
    # With the other precision, which float32 goes over into.
    again = subprocess.run(
        [*command, "--images", str(done + 4), "--precision", "mixed"],
        cwd=folder,
        timeout=90,
        check=False,
        **pipes,
    )
    assert again.returncode == 0, again.stderr
    lines = again.stderr.splitlines()
    assert lines[1] == f"ctckit: going on after {done} images with the checkpoint in 'model'"
    assert len(lines) == 4
    assert lines[3].startswith(f"ctckit: the model is 'model/{MODEL}'; ")
    written = {MODEL, CHECKPOINT, CURVE, PICTURE, SUMMARY, CORPUS, WORD_CHARACTERS}
    assert {one.name for one in (folder / "model").iterdir()} == written
    summary = json.loads((folder / "model" / SUMMARY).read_text())
    (validated,) = {*TEXTS} - {*(folder / "model" / CORPUS).read_text().splitlines()}
    assert len(validated) > 2
    curve = list(csv.DictReader((folder / "model" / CURVE).read_text().splitlines()))
    assert summary["images"] == int(curve[-1]["images"]) >= done + 4
    best = min(curve, key=lambda row: (float(row["cer"]), -int(row["images"])))
    assert summary["model"]["images"] == int(best["images"])
    assert [summary["model"][name] for name in ("cer", "wer", "exact")] == [
        float(best[name]) for name in ("cer", "wer", "exact")
    ]
    assert f"CER {float(best['cer']):.4f}, WER {float(best['wer']):.4f}, exact " in lines[2]
    from ctckit.recognizer.models import read_model

    assert set(read_model(folder / "model" / MODEL).alphabet.tokens) == {*"".join(TEXTS), ""}
