"""A training whose process is killed at any moment goes on from what it left."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest

KILLS = 5
DRIVER = '''
"""Train a tiny network in children that are killed, then in one that is not."""
import csv, json, os, random, signal, sys, time
from pathlib import Path
from ctckit.recognizer.extras import require_recognizer
require_recognizer()
import numpy as np
import matplotlib.figure
from ctckit import Alphabet
from ctckit.recognizer import training
from ctckit.recognizer.curve import CURVE, SUMMARY
from ctckit.recognizer.models import read_model
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.samples import _side_by_side
from ctckit.recognizer.schedule import Schedule
from ctckit.recognizer.shape import NetworkShape

FOLDER, KILLS, IMAGES = Path(sys.argv[1]), int(sys.argv[2]), 64
training.SAVE_SECONDS = 0.05


def train(started):
    rng = np.random.default_rng(1)
    words = ["ab", "ba", "aa", "b"]
    images = [rng.integers(0, 255, (32, 48), dtype=np.uint8) for _ in words]
    batch = _side_by_side([(i, [ord(c) - 97 for c in w]) for i, w in zip(images, words)])
    shape = NetworkShape(classes=3, stem=(4, 4, 4), channels=8, blocks=0)
    trainer = training.Trainer(
        FOLDER, Alphabet(["a", "b", ""], 2), shape, Preprocessing(), Schedule(IMAGES, every=8), {}
    )
    trainer.model.run_eagerly = True
    trainer.resume()
    os.write(started, b"x")
    real = RealImages(words, words, images)
    trainer.run(iter(lambda: batch, None), real, lambda row: None)


def child():
    """Start one, wait until it trains, return its number."""
    mine, its = os.pipe()
    pid = os.fork()
    if not pid:
        try:
            train(its)
            os._exit(0)
        except BaseException as error:
            print(type(error).__name__, error, flush=True)
            os._exit(1)
    os.close(its)
    os.read(mine, 1)
    os.close(mine)
    return pid


def rows():
    if not (FOLDER / CURVE).exists():
        return []
    return list(csv.DictReader((FOLDER / CURVE).open()))


chance = random.Random(int(sys.argv[3]))
kept = killed = 0
for _ in range(KILLS):
    pid = child()
    time.sleep(chance.uniform(0.0, 0.6))
    os.kill(pid, signal.SIGKILL)
    killed += os.waitpid(pid, 0)[1] == signal.SIGKILL
    if (FOLDER / "model.safetensors").exists():
        at = read_model(FOLDER / "model.safetensors").about["images"]
        assert at >= kept, (at, kept)
        kept = at
    images = [int(row["images"]) for row in rows()]
    assert images == sorted(set(images)), images
assert os.waitpid(child(), 0)[1] == 0
found = rows()
images = [int(row["images"]) for row in found]
assert images == list(range(8, IMAGES + 1, 8)), images
best = min(found, key=lambda row: (float(row["cer"]), -int(row["images"])))
summary = json.loads((FOLDER / SUMMARY).read_text())
model = read_model(FOLDER / "model.safetensors")
assert summary["images"] == IMAGES and summary["ended_by"] == "images"
assert summary["model"]["images"] == int(best["images"]) == model.about["images"]
for name in ("cer", "wer", "exact"):
    assert summary["model"][name] == float(best[name])
print(killed, "killed;", *sorted(one.name for one in FOLDER.iterdir()))
'''


@pytest.mark.xdist_group("keras")
@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_killed_at_random_moments(tmp_path: Path) -> None:
    for module in ("tensorflow", "keras", "matplotlib"):
        if importlib.util.find_spec(module) is None:
            pytest.skip("needs ctckit[recognizer]")
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, str(tmp_path / "driver.py"), str(tmp_path / "out"), str(KILLS), "3"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    count, _, files = done.stdout.partition(" killed; ")
    assert int(count) >= 3
    assert files.split() == [
        "checkpoint.safetensors", "curve.csv", "curve.png", "model.safetensors", "summary.json"
    ]  # fmt: skip
