"""Dumps, plugins and a runner for the tests of the commands."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
from contextlib import suppress
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from click.testing import CliRunner

from ctckit import Alphabet, MatrixBatch, registry, write_dump
from ctckit.cli.check import check_decoder
from ctckit.cli.group import cli
from ctckit.errors import CtckitError

TOKENS = ("", "a", "b", "c", " ", "'", "é")
REFERENCES = ["ab", "", "c a", None, "bé", "cab", None, "a b", "b", "c'"]
FRAMES = (6, 0, 9, 4, 7, 5, 8, 12, 3, 10)

PLUGINS = '''
import sys
from pathlib import Path
from ctckit import Decoder, InvalidValueError, SearchResult, option


class Impossible(Decoder):
    """Propose what one frame cannot spell."""

    def search(self, batch, n_best):
        token = 1 if self.alphabet.blank == 0 else 0
        ids = [[token] * (len(matrix) + 1) for matrix in batch]
        return SearchResult.from_best(ids, [float("-inf")] * len(ids))


class Crasher(Impossible):
    def search(self, batch, n_best):
        if (batch.lengths == 9).any():
            raise RuntimeError("out of luck")
        return super().search(batch, n_best)


class Needy(Impossible):
    size: int = option(help="how big", minimum=1)


class Chatty(Impossible):
    """Say what it was given."""

    mode: str = option("Words", choices=["Words", "NGrams"], help="what to do.")
    smoothing: float = option(0.1, minimum=0, maximum=1, help="how smooth")
    end_words: bool = option(True, help="whether to end words")
    extra: Path | None = option(None, help="a file")

    def prepare(self):
        given = [self.mode, self.smoothing, self.end_words, self.extra]
        print(given, file=sys.stderr)


class Clash(Impossible):
    output: str = option("", help="a name that is taken")


class Stumbler(Impossible):
    def prepare(self):
        raise KeyError("lost")


class Quitter(Impossible):
    def prepare(self):
        raise SystemExit("I quit")


class LateRule(Impossible):
    def prepare(self):
        self.most = 2

    def check_n_best(self, n_best):
        if n_best > self.most:
            raise InvalidValueError(f"n_best must be 1 to {self.most}, got {n_best}; lower it")
'''
ENTRY_POINTS = """[ctckit.decoders]
broken = ctckit_no_such_module:Decoder
chatty = ctckit_fakes:Chatty
clash = ctckit_fakes:Clash
crasher = ctckit_fakes:Crasher
impossible = ctckit_fakes:Impossible
laterule = ctckit_fakes:LateRule
needy = ctckit_fakes:Needy
quitter = ctckit_fakes:Quitter
quitting = ctckit_quits:Decoder
stumbler = ctckit_fakes:Stumbler
twin = ctckit_fakes:Impossible
"""


@pytest.fixture(scope="session", autouse=True)
def compiled():
    """Compile every kernel beforehand, so that no test's stderr speaks of it."""
    for name in ("bestpath", "beamsearch", "wordbeamsearch"):
        check_decoder(name)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def invoke():
    """Run a command in this process; anything but an expected error fails the test."""

    def run(*args):
        return CliRunner().invoke(
            cli, [str(one) for one in args], prog_name="ctckit", catch_exceptions=False
        )

    return run


@pytest.fixture
def ctckit(folder):
    """Run a command in a process of its own, in `folder`."""

    def run(*args, **kwargs):
        # As a user's: what is buffered is written at the end.
        env = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
        env |= kwargs.pop("env", {})
        kwargs = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "env": env} | kwargs
        command = [sys.executable, "-m", "ctckit", *args]
        return subprocess.run(command, cwd=folder, text=True, timeout=60, check=False, **kwargs)

    return run


@pytest.fixture
def dump(folder):
    """Ten lines of 0 to 12 frames, blank first, in `folder`/dump; two have no reference."""
    random = np.random.default_rng(5)
    logits = [random.normal(0, 3, (frames, len(TOKENS))) for frames in FRAMES]
    batch = MatrixBatch.from_logits(logits, Alphabet(TOKENS, blank=0))
    ids = [f"line {i}" for i in range(len(logits))]
    write_dump(folder / "dump", batch, ids=ids, references=REFERENCES)
    return SimpleNamespace(path=folder / "dump", batch=batch, ids=ids, references=REFERENCES)


@pytest.fixture
def write_texts(folder):
    """Write a dump of one frame a line, each certain of its text."""

    def write(texts, ids=None, name="dump"):
        alphabet = Alphabet([*dict.fromkeys(texts), ""], blank=len(set(texts)))
        probs = np.zeros((len(texts), 1, len(alphabet)))
        probs[np.arange(len(texts)), 0, [alphabet.tokens.index(text) for text in texts]] = 1
        write_dump(folder / name, MatrixBatch.from_probs(probs, alphabet), ids=ids)

    return write


@pytest.fixture
def big_dump(folder):
    """Five thousand flat lines, in `folder`/big."""
    random = np.random.default_rng(6)
    batch = MatrixBatch.from_logits(
        random.normal(0, 1, (5000, 20, 30)), Alphabet([*map(chr, range(65, 94)), ""], blank=29)
    )
    write_dump(folder / "big", batch)
    return folder / "big"


@pytest.fixture
def damaged(dump):
    """The dump of `dump`, with a second shard that is cut in half."""
    shards = sorted(dump.path.glob("shard-*"))
    second = dump.path / shards[0].name.replace("00000", "00001")
    second.write_bytes(shards[0].read_bytes())
    os.truncate(second, second.stat().st_size // 2)
    return second


@pytest.fixture
def plugins(tmp_path_factory, monkeypatch):
    """Install decoders that misbehave, as the distributions fakes 1.2.0 and twins 0.9."""
    site = tmp_path_factory.mktemp("site")
    (site / "ctckit_fakes.py").write_text(PLUGINS, encoding="utf-8")
    (site / "ctckit_quits.py").write_text("raise SystemExit(3)")
    twin = "[ctckit.decoders]\ntwin = ctckit_fakes:Impossible\n"
    for name, version, points in (("fakes", "1.2.0", ENTRY_POINTS), ("twins", "0.9", twin)):
        info = site / f"{name}-{version}.dist-info"
        info.mkdir()
        (info / "entry_points.txt").write_text(points, encoding="utf-8")
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: Naughty decoders\n",
            encoding="utf-8",
        )
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "ctckit_fakes", raising=False)
    return site


@pytest.fixture
def without_peers(monkeypatch):
    """Hide the decoders of ctckit-peers, which take their time, from what runs all decoders."""
    installed = registry._entry_points

    def others():
        return [one for one in installed() if one.dist is None or one.dist.name != "ctckit-peers"]

    monkeypatch.setattr(registry, "_entry_points", others)


@pytest.fixture
def lacking(tmp_path_factory, monkeypatch):
    """Install the decoder `lacking`, which needs a package that is not there."""
    site = tmp_path_factory.mktemp("lacking")
    code = """
        from ctckit import Decoder, MissingExtraError


        class NeedsPip(Decoder):
            def prepare(self):
                raise MissingExtraError("NeedsPip needs pip-of-dreams")

            def search(self, batch, n_best):
                pass
        """
    (site / "ctckit_lacking.py").write_text(textwrap.dedent(code), encoding="utf-8")
    info = site / "lacking-1.0.dist-info"
    info.mkdir()
    points = "[ctckit.decoders]\nlacking = ctckit_lacking:NeedsPip\n"
    (info / "entry_points.txt").write_text(points, encoding="utf-8")
    metadata = "Metadata-Version: 2.1\nName: lacking\nVersion: 1.0\nSummary: Lacking\n"
    (info / "METADATA").write_text(metadata, encoding="utf-8")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.delitem(sys.modules, "ctckit_lacking", raising=False)


@pytest.fixture
def sure_model(folder, random_model):
    """Write models, `folder`/m.safetensors by default, that read the same text in every image."""
    from ctckit.recognizer.models import save_model

    def write(tokens="abc", index=0, name="m.safetensors"):
        model = random_model(tokens)
        bias = np.zeros(len(tokens) + 1, np.float32)
        bias[index] = 30
        zero = np.zeros_like(model.weights["logits/kernel"])
        weights = {**model.weights, "logits/kernel": zero, "logits/bias": bias}
        save_model(folder / name, replace(model, weights=weights))

    return write


@pytest.fixture
def draw_word():
    """Write an image with strokes in it."""
    cv2 = pytest.importorskip("cv2", reason="needs ctckit[onnx]")

    def draw(path, width=60, seed=0):
        path.parent.mkdir(parents=True, exist_ok=True)
        image = np.full((40, width), 230, np.uint8)
        strokes = np.random.default_rng(seed).integers(0, 120, (20, width - 10), np.uint8)
        image[10:30, 5:-5] = strokes
        cv2.imwrite(str(path), image)

    return draw


@pytest.fixture
def decoders_with():
    """Return what names the installed decoders that have an option, "a, b or c"."""

    def name_all(option):
        names = []
        for info in registry.list_decoders():
            with suppress(CtckitError):
                chosen = registry.decoder_class(info.name)
                names += [info.name] if option in chosen.options else []
        return f"{', '.join(names[:-1])} or {names[-1]}"

    return name_all
