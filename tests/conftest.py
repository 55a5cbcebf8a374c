"""Fixtures that all tests share."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from ctckit import Alphabet, MatrixBatch

pytest.register_assert_rewrite("ctckit.testing.conformance")

settings.register_profile(
    "ctckit",
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("ctckit")

GOLDEN = Path(__file__).resolve().parents[2] / "shared" / "golden"


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep what the tests build out of the user's cache."""
    os.environ["CTCKIT_CACHE_DIR"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def golden() -> Path:
    """The folder of answers that independent decoders gave; it lies beside the checkout."""
    if not (GOLDEN / "README.md").is_file():
        pytest.skip(f"golden matrices are not here: no {GOLDEN}")
    return GOLDEN


@pytest.fixture(scope="session")
def synthetic(golden: Path) -> dict[str, Any]:
    """What synthetic_lines.json holds: characters, references, expected texts."""
    return json.loads((golden / "synthetic_lines.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def line_alphabet(synthetic: dict[str, Any]) -> Alphabet:
    return Alphabet([*synthetic["chars"], ""], synthetic["blank"])


@pytest.fixture(scope="session")
def lines(golden: Path, line_alphabet: Alphabet) -> MatrixBatch:
    """The 60 synthetic lines, T = 100 and C = 80."""
    with np.load(golden / "synthetic_lines.npz") as arrays:
        return MatrixBatch.from_log_probs(arrays["log_probs"], line_alphabet)


@pytest.fixture(scope="session")
def iam_alphabet(golden: Path) -> Alphabet:
    return read_alphabet(golden / "scheidl" / "iam" / "chars.txt")


@pytest.fixture(scope="session")
def iam_line(golden: Path, iam_alphabet: Alphabet) -> MatrixBatch:
    """The real line, T = 100."""
    return read_matrix(golden / "scheidl" / "line" / "rnnOutput.csv", iam_alphabet)


@pytest.fixture(scope="session")
def iam_word(golden: Path, iam_alphabet: Alphabet) -> MatrixBatch:
    """The real word, T = 32."""
    return read_matrix(golden / "scheidl" / "word" / "rnnOutput.csv", iam_alphabet)


@pytest.fixture(scope="session")
def bentham(golden: Path) -> MatrixBatch:
    """The real line of the Bentham collection."""
    folder = golden / "scheidl" / "bentham"
    return read_matrix(folder / "mat_2.csv", read_alphabet(folder / "chars.txt"))


def read_alphabet(path: Path) -> Alphabet:
    characters = path.read_text(encoding="utf-8").strip("\r\n")
    return Alphabet([*characters, ""], len(characters))


def read_matrix(path: Path, alphabet: Alphabet) -> MatrixBatch:
    """Read logits as SimpleHTR dumps them: `;` between values and, mostly, after the last."""
    rows = [line.strip("\n;").split(";") for line in path.read_text().splitlines() if line.strip()]
    return MatrixBatch.from_logits([np.array(rows, dtype=np.float64)], alphabet)


@pytest.fixture
def alphabet() -> Alphabet:
    """Three characters, blank last."""
    return Alphabet(["a", "b", " ", "<blank>"], blank=3)


@pytest.fixture
def batch(alphabet: Alphabet) -> MatrixBatch:
    """Five random matrices over `alphabet`, T = 4, 0, 7, 1, 5."""
    rng = np.random.default_rng(1)
    logits = [rng.normal(size=(frames, 4)) * 2 for frames in (4, 0, 7, 1, 5)]
    return MatrixBatch.from_logits(logits, alphabet)


@pytest.fixture(scope="session", params=["colder", "noisier"])
def long_line(
    request: pytest.FixtureRequest, lines: MatrixBatch, synthetic: dict[str, Any]
) -> tuple[MatrixBatch, str]:
    """Sixteen golden lines in one, T = 1630, so flat that exp(best path) underflows; its text."""
    alphabet = lines.alphabet
    space = np.full(len(alphabet), 1e-4)
    space[[alphabet.encode(" ")[0], alphabet.blank]] = 0.5
    rows = []
    for matrix in lines[:16]:
        rows += [np.exp(matrix.astype(np.float64)), np.tile(space, (2, 1))]
    probs = np.concatenate(rows[:-1])
    if request.param == "colder":
        logits = 0.27 * np.log(probs)
    else:
        logits = np.log(0.2 * probs / probs.sum(axis=1, keepdims=True) + 0.8 / len(alphabet))
    return MatrixBatch.from_logits([logits], alphabet), " ".join(synthetic["reference"][:16])


@pytest.fixture(scope="session")
def random_model() -> Callable[..., Any]:
    """Return what makes a recognizer's model of random weights, as training leaves them."""
    models = pytest.importorskip("ctckit.recognizer.models")
    from ctckit.recognizer.preprocessing import Preprocessing
    from ctckit.recognizer.shape import NetworkShape

    def make(tokens: Sequence[str] = "abcdefghij", seed: int = 0, **sizes: Any) -> Any:
        rng = np.random.default_rng(seed)
        small = {"stem": (4, 6, 8), "channels": 16, "blocks": 2, "kernel": 5}
        shape = NetworkShape(**{**small, **sizes, "classes": len(tokens) + 1})
        weights = {}
        for name, size in shape.weights().items():
            kind = name.partition("/")[2]
            if kind == "kernel":
                inputs = size[0] if "depthwise" in name else np.prod(size[:-1])
                value = rng.normal(size=size) / inputs**0.5
            elif kind == "moving_variance":
                value = rng.uniform(0.5, 1.5, size)
            elif kind == "gamma":
                value = rng.uniform(0.3, 0.9, size)
            else:
                value = rng.normal(size=size) * 0.3
            weights[name] = value.astype(np.float32)
        alphabet = Alphabet([*tokens, ""], len(tokens))
        return models.Model(alphabet, shape, Preprocessing(height=shape.height), weights)

    return make


@pytest.fixture(scope="session")
def make_font() -> Callable[..., Path]:
    """Write a TrueType font whose letters are patterns of blocks, those of `blank` empty."""
    pytest.importorskip("fontTools", reason="needs ctckit[recognizer]")
    from fontTools.fontBuilder import FontBuilder
    from fontTools.pens.ttGlyphPen import TTGlyphPen

    def make(path: Path, characters: str, blank: str = "") -> Path:
        names = {ord(char): f"u{ord(char):04x}" for char in characters}
        builder = FontBuilder(1000, isTTF=True)
        builder.setupGlyphOrder([".notdef", *names.values()])
        builder.setupCharacterMap(names)
        glyphs = {".notdef": TTGlyphPen(None).glyph()}
        for code, name in names.items():
            pen = TTGlyphPen(None)
            for bit in range(12) if chr(code) not in blank + " " else ():
                if code * 2654435761 >> 7 + bit & 1 or bit == 0:
                    x, y = 150 * (bit % 3) + 50, 170 * (bit // 3)
                    pen.moveTo((x, y))
                    for place in ((x, y + 150), (x + 130, y + 150), (x + 130, y)):
                        pen.lineTo(place)
                    pen.closePath()
            glyphs[name] = pen.glyph()
        builder.setupGlyf(glyphs)
        builder.setupHorizontalMetrics(dict.fromkeys(glyphs, (550, 50)))
        builder.setupHorizontalHeader(ascent=800, descent=-200)
        builder.setupNameTable({"familyName": path.stem, "styleName": "Regular"})
        builder.setupOS2()
        builder.setupPost()
        path.parent.mkdir(parents=True, exist_ok=True)
        builder.save(path)
        return path

    return make
