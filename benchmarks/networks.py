"""Which network learns most from the same images: ours, SimpleHTR's kind, and a deeper one.

    make networks

Each network is trained on the same batches in the same order with the same schedule, from random
weights. Then come the errors of best path on the validation writers and on the test words beside
the checkout, and what training and reading cost in CPU time. `make networks` fetches the fonts and
word lists first. The result goes to benchmarks/networks.json.
"""

from __future__ import annotations

import argparse
import itertools
import json
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
from accuracy import TEST, read_labels
from keras import layers, ops

from ctckit import load_decoder
from ctckit.matrices import MatrixBatch
from ctckit.metrics import ErrorCounts, count_errors
from ctckit.recognizer.feed import Feed
from ctckit.recognizer.images import read_image
from ctckit.recognizer.learning import CTCNetwork
from ctckit.recognizer.network import ZeroPadding, build_network
from ctckit.recognizer.normalization import BatchNormalization
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.recipe import BatchMaker, Data, Recipe, read_data
from ctckit.recognizer.recognizer import padded
from ctckit.recognizer.schedule import Schedule
from ctckit.recognizer.shape import COLUMNS, NetworkShape

ROOT = Path(__file__).resolve().parents[1]
RESULT = Path(__file__).with_suffix(".json")
LISTS = ("english", "english", "french", "german")
Row = dict[str, Any]


def gated(classes: int) -> keras.Model:
    """Return ctckit's network."""
    return build_network(NetworkShape(classes=classes))


def deeper(classes: int) -> keras.Model:
    """Return the same kind of network with more of everything, nearly 5 MB in float16."""
    return build_network(NetworkShape(classes=classes, stem=(24, 64, 128), channels=288, blocks=10))


def bilstm(classes: int) -> keras.Model:
    """Return a network of SimpleHTR's kind with about as many weights as ctckit's.

    Five convolutions with pooling and two bidirectional LSTMs; narrower than SimpleHTR's own,
    whose 3.2 million weights are more than 5 MB. What is behind the end of an image is masked.
    """
    image = keras.Input((32, None, 1))
    frames = keras.Input((), dtype="int32")
    x = image
    sizes = zip(
        (16, 32, 64, 96, 128),
        (5, 5, 3, 3, 3),
        ((2, 2), (2, 2), (2, 1), (2, 1), (2, 1)),
        (4, 2, 1, 1, 1),
        strict=True,
    )
    for channels, kernel, pool, columns in sizes:
        x = ZeroPadding(columns)([x, frames])
        x = layers.Conv2D(channels, kernel, padding="same", use_bias=False)(x)
        x = layers.ReLU()(BatchNormalization()(x))
        x = layers.MaxPooling2D(pool, pool)(x)
    x = layers.Reshape((-1, 128))(x)
    mask = Inside()([x, frames])
    for _ in range(2):
        x = layers.Dropout(0.1)(x)
        x = layers.Bidirectional(layers.LSTM(144, return_sequences=True))(x, mask=mask)
    return keras.Model([image, frames], layers.Dense(classes)(x))


class Inside(layers.Layer):  # type: ignore[misc]
    """Which frames are those of an image."""

    def call(self, inputs: tuple[Any, Any]) -> Any:
        """Return bool (N, T) for the array (N, T, C) and the frames (N,)."""
        array, frames = inputs
        return ops.arange(ops.shape(array)[1]) < frames[:, None]

    def compute_output_spec(self, inputs: tuple[Any, Any]) -> Any:
        """Return the shape of the mask."""
        return keras.KerasTensor(inputs[0].shape[:2], dtype="bool")


NETWORKS: dict[str, Callable[[int], keras.Model]] = {
    "gated": gated,
    "bilstm": bilstm,
    "deeper": deeper,
}


class Contest:
    """Trains one network after the other on the same images, and counts errors."""

    def __init__(self, recipe: Recipe, schedule: Schedule) -> None:
        self.recipe = recipe
        self.schedule = schedule
        self.data: Data = read_data(recipe)
        self.decoder = load_decoder("bestpath", self.data.alphabet)
        self.tests = dict(test_words(recipe.preprocessing))

    def train(self, name: str) -> Row:
        """Train a network; return what it cost, and its errors by images seen."""
        keras.utils.set_random_seed(0)
        network = NETWORKS[name](len(self.data.alphabet))
        model = CTCNetwork(network.inputs, network.outputs[0])
        optimizer = keras.optimizers.AdamW(
            self.schedule.learning_rate,
            weight_decay=self.schedule.weight_decay,
            global_clipnorm=5.0,
        )
        optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
        model.compile(optimizer=optimizer, jit_compile=False)
        images, cpu, curve = 0, 0.0, []
        due = self.schedule.next_evaluation(0)
        make = BatchMaker(self.recipe, self.data.alphabet, frozenset(self.data.training.ids))
        with Feed(make, [0]) as batches:
            for batch in batches:
                began = time.process_time()
                optimizer.learning_rate = self.schedule.rate(self.schedule.progress(images, 0))
                pixels = batch.images[..., None] * np.float32(1 / 255)
                model.train_on_batch([pixels, batch.frames], [batch.tokens, batch.lengths])
                cpu += time.process_time() - began
                images += len(batch.frames)
                if images >= due or images >= self.schedule.images:
                    cer = self.errors(model, *self.validation()).cer
                    curve.append([images, round(cpu), round(cer, 4)])
                    print(f"{name:>8} {images:8,} images {cpu:6.0f} s  CER {cer:.4f}", flush=True)
                    due = self.schedule.next_evaluation(images)
                if images >= self.schedule.images:
                    break
        tests = {
            source: round(self.errors(model, *pairs).cer, 4) for source, pairs in self.tests.items()
        }
        return {
            "network": name,
            "weights": int(sum(np.prod(weight.shape) for weight in model.weights)),
            "images": images,
            "training, images per CPU-second": round(images / cpu),
            "reading, images per CPU-second": self.speed(model),
            "validation CER": curve[-1][-1],
            "test CER": tests,
            "curve: images, CPU-seconds, validation CER": curve,
        }

    def validation(self) -> tuple[list[Any], list[str]]:
        """Return the validation images, prepared, and their texts."""
        images = self.data.validation
        apply = self.recipe.preprocessing.apply
        return [apply(image) for image in images.images], list(images.texts)

    def errors(self, model: keras.Model, images: list[Any], texts: list[str]) -> ErrorCounts:
        """Return the errors of best path on prepared images."""
        order = sorted(range(len(images)), key=lambda i: images[i].shape[1])
        counts = ErrorCounts()
        for start in range(0, len(order), 32):
            part = order[start : start + 32]
            pixels, frames = padded([images[i] for i in part], 32, 1)
            logits = np.asarray(model.predict_on_batch([pixels, frames]))
            matrices = MatrixBatch.from_logits(
                logits[: len(part)], self.data.alphabet, frames[: len(part)]
            )
            read = self.decoder.decode_batch(matrices, threads=1).texts()
            counts = counts + count_errors([texts[i] for i in part], read)
        return counts

    def speed(self, model: keras.Model) -> int:
        """Return how many words of 32 x 128 the network reads in a CPU-second, 64 at a time."""
        pixels = np.random.default_rng(0).random((64, 32, 128, 1), np.float32)
        frames = np.full(64, 128 // COLUMNS, np.int32)
        costs = []
        for _ in range(12):
            began = time.process_time()
            model.predict_on_batch([pixels, frames])
            costs.append(time.process_time() - began)
        return round(64 / float(np.median(costs[2:])))


def test_words(preprocessing: Preprocessing) -> Iterator[tuple[str, tuple[list[Any], list[str]]]]:
    """Yield the name of each source of test words, with its prepared images and their texts."""
    rows = [row for row in read_labels() if row["kind"] == "word"]
    rows.sort(key=lambda row: row["source"])
    for source, group in itertools.groupby(rows, key=lambda row: row["source"]):
        found = list(group)
        images = [preprocessing.apply(read_image(TEST / row["file"])) for row in found]
        yield source, (images, [row["text"] for row in found])


def main() -> int:
    """Train, print a table, keep it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=40_000, help="to train each network on")
    parser.add_argument("--networks", nargs="+", choices=NETWORKS, default=list(NETWORKS))
    arguments = parser.parse_args()
    if not TEST.is_dir():
        sys.exit(f"networks.py: the test set must be in {TEST.relative_to(ROOT.parent)}, got none")
    recipe = Recipe(
        data=(str(TEST.parent / "train"),),
        fonts=str(ROOT / "out" / "fonts" / "train"),
        words=tuple(str(ROOT / "out" / "words" / f"{name}.txt") for name in LISTS),
    )
    contest = Contest(recipe, Schedule(arguments.images, every=10_000))
    rows = []
    for name in arguments.networks:
        rows.append(contest.train(name))
        print(json.dumps(rows[-1], indent=1, ensure_ascii=False), flush=True)
        RESULT.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
