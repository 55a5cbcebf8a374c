"""How fast images become matrices, beside SimpleHTR's network built in the same Keras.

    make speed                     network and command
    make speed MEMORY=100000       and the memory of a dump of so many images

The network is timed on images of 32 x 128, as CPU time for one image, medians of interleaved runs;
ctckit's in ONNX Runtime and in Keras. A word is read from a cold start by `ctckit read`.
The command is timed whole, in processes of their own: start, reading, scaling, network, and for
ctckit the writing of the dump too. Images are words of the handwriting test set beside the
checkout, or the demo's where that is absent, repeated under other names. The result goes to
benchmarks/recognizer.json.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
from timing import Contestant, interleave

ROOT = Path(__file__).resolve().parents[1]
HANDWRITING = ROOT.parent / "shared" / "handwriting" / "test" / "words"
DEMO = ROOT / "corpora" / "demo" / "images"
RESULT = Path(__file__).with_suffix(".json")
ROUNDS = 7
PEER_BATCH = 128
Row = dict[str, Any]


def simplehtr() -> Any:
    """Return SimpleHTR's network: five convolutions and two BiLSTMs of 256, for 80 classes."""
    import keras
    from keras import layers

    image = keras.Input((128, 32, 1))
    x = image
    sizes = zip(
        (32, 64, 128, 128, 256),
        (5, 5, 3, 3, 3),
        ((2, 2), (2, 2), (1, 2), (1, 2), (1, 2)),
        strict=True,
    )
    for channels, kernel, pool in sizes:
        x = layers.Conv2D(channels, kernel, padding="same")(x)
        x = layers.ReLU()(layers.BatchNormalization()(x))
        x = layers.MaxPooling2D(pool, pool)(x)
    x = layers.Reshape((32, 256))(x)
    for _ in range(2):
        x = layers.Bidirectional(layers.LSTM(256, return_sequences=True))(x)
    model = keras.Model(image, layers.Dense(80)(x))
    model.compile(jit_compile=False)
    return model


def network_cases() -> list[Row]:
    """Time the networks on random images, by batch size; ours in both engines."""
    from ctckit.recognizer.recognizer import Recognizer

    ours = Recognizer.load(device="cpu", engine="onnx")
    in_keras = Recognizer.load(device="cpu", engine="keras")
    theirs = simplehtr()
    rng = np.random.default_rng(0)
    rows = []
    for size in (1, 32, 64, 128):
        words = list(rng.integers(0, 256, (size, 32, 128), np.uint8))
        images = rng.random((size, 128, 32, 1), np.float32)
        timings = interleave(
            [
                _contestant("ctckit", lambda words=words: ours.recognize(words), size),
                _contestant("in Keras", lambda words=words: in_keras.recognize(words), size),
                _contestant("SimpleHTR", lambda im=images: theirs.predict_on_batch(im), size),
            ],
            ROUNDS,
        )
        rates = {name: round(1 / timing.cpu) for name, timing in timings.items()}
        ratio = round(timings["SimpleHTR"].cpu / timings["ctckit"].cpu, 2)
        rows.append({"batch": size, "images per CPU-second": rates, "times": ratio})
    return rows


def _contestant(name: str, call: Callable[[], object], images: int) -> Contestant:
    return Contestant(name, call, images, repeats=max(1, 256 // images))


def many_images(folder: Path, count: int) -> None:
    """Fill a folder with links to the test words, repeated under other names."""
    found = HANDWRITING if HANDWRITING.is_dir() else DEMO
    paths = sorted(found.glob("*.png"))
    for i in range(count):
        part = folder / f"{i // 1000:04d}"
        if i % 1000 == 0:
            part.mkdir()
        (part / f"{i:06d}.png").symlink_to(paths[i % len(paths)])


def cost_of(arguments: list[str]) -> tuple[float, float, float]:
    """Run a process; return its CPU seconds, wall seconds and largest memory in MB."""
    began = time.perf_counter()
    process = subprocess.Popen(arguments, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        sys.exit(f"recognizer.py: {' '.join(arguments)} ended with {process.returncode}")
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - began, usage.ru_maxrss / 1024


def dump_command(images: Path, output: Path) -> list[str]:
    """Return the arguments of a dump of a folder, on the CPU."""
    command = [str(Path(sys.executable).with_name("ctckit")), "dump", "--images", str(images)]
    return [*command, "--output", str(output), "--overwrite", "--device", "cpu"]


def command_case(count: int) -> Row:
    """Time `ctckit dump` as a whole, and a program that only reads, scales and runs SimpleHTR's."""
    row: Row = {"images": count}
    with tempfile.TemporaryDirectory() as work:
        images, few = Path(work, "images"), Path(work, "few")
        for folder, number in ((images, count), (few, 100)):
            folder.mkdir()
            many_images(folder, number)
        commands = {
            "ctckit": lambda folder: dump_command(folder, Path(work, "dump")),
            "SimpleHTR": lambda folder: [sys.executable, __file__, "--peer", str(folder)],
        }
        for name, command in commands.items():
            start, _, _ = cost_of(command(few))
            cpu, wall, memory = cost_of(command(images))
            row[name] = {
                "CPU seconds": round(cpu, 1),
                "CPU seconds for 100 images": round(start, 1),
                "images per CPU-second": round(count / cpu),
                "images per CPU-second after the start": round((count - 100) / (cpu - start)),
                "images per second": round(count / wall),
                "MB": round(memory),
            }
    after = "images per CPU-second after the start"
    row["times"] = round(row["ctckit"][after] / row["SimpleHTR"][after], 2)
    return row


def word_case() -> Row:
    """Return what `ctckit read` takes for one word from a cold start, the median of some runs."""
    word = str(min(DEMO.glob("*.png")))
    row: Row = {}
    for decoder in ("bestpath", "beamsearch"):
        command = [str(Path(sys.executable).with_name("ctckit")), "read", word]
        costs = [cost_of([*command, "--decoder", decoder]) for _ in range(ROUNDS)]
        cpu, wall, memory = (statistics.median(one) for one in zip(*costs, strict=True))
        row[decoder] = {
            "CPU seconds": round(cpu, 2),
            "seconds": round(wall, 2),
            "MB": round(memory),
        }
    return row


def memory_case(count: int) -> list[Row]:
    """Return the largest memory of dumps of more and more images."""
    rows = []
    with tempfile.TemporaryDirectory() as work:
        for number in (count // 10, count):
            folder = Path(work, str(number))
            folder.mkdir()
            many_images(folder, number)
            command = [*dump_command(folder, Path(work, "dump")), "--store", "float16"]
            cpu, wall, memory = cost_of(command)
            rows.append(
                {
                    "images": number,
                    "MB": round(memory),
                    "CPU seconds": round(cpu, 1),
                    "images per second": round(number / wall),
                }
            )
    return rows


def peer(folder: Path) -> None:
    """Read, scale and recognize as SimpleHTR does, and throw the matrices away."""
    import cv2

    model = simplehtr()
    paths = sorted(folder.rglob("*.png"))
    for start in range(0, len(paths), PEER_BATCH):
        images = [
            cv2.imread(str(path), cv2.IMREAD_GRAYSCALE) for path in paths[start:][:PEER_BATCH]
        ]
        batch = np.zeros((len(images), 128, 32, 1), np.float32)
        for i, image in enumerate(images):
            rows, columns = image.shape
            scale = min(128 / columns, 32 / rows)
            size = (max(1, int(columns * scale)), max(1, int(rows * scale)))
            small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
            batch[i, : size[0], : size[1], 0] = small.T / 255 - 0.5
        model.predict_on_batch(batch)


def main() -> int:
    """Run what the arguments ask for, print it and keep it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--images", type=int, default=10_000, help="images for the command")
    parser.add_argument("--memory", type=int, default=0, help="images for the memory")
    parser.add_argument("--peer", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    if arguments.peer:
        peer(arguments.peer)
        return 0
    # A process counts the memory of the one that starts it: what is started comes first.
    result: Row = {"word": word_case(), "command": command_case(arguments.images)}
    if arguments.memory:
        result["memory"] = memory_case(arguments.memory)
    elif RESULT.exists():
        result["memory"] = json.loads(RESULT.read_text(encoding="utf-8")).get("memory", [])
    result["network"] = network_cases()
    result["stamp"] = {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cores": os.cpu_count(),
        **{
            name: version(name)
            for name in ("keras", "numpy", "onnxruntime", "opencv-python-headless")
        },
    }
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))
    return 0


if __name__ == "__main__":
    sys.exit(main())
