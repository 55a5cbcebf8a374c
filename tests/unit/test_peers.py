"""What ctckit-peers does beside asking its packages."""

from __future__ import annotations

import math
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ctckit_peers import Peer

from ctckit import (
    Alphabet,
    InvalidValueError,
    MatrixBatch,
    MissingExtraError,
    list_decoders,
    load_decoder,
    option,
)
from ctckit.registry import decoder_class
from ctckit.testing.checks import CHECKS
from ctckit.testing.examples import example_alphabet, example_options

ROOT = Path(__file__).resolve().parents[2]
README = ROOT / "plugins" / "ctckit-peers" / "README.md"
PAGE = ROOT / "docs" / "peers.md"
ALPHABET = Alphabet(["a", "b", " ", ""], blank=3)
PEERS = [info.name for info in list_decoders() if info.distribution == "ctckit-peers"]
MODULES = {
    "fastctcbeamsearch": "fast_ctc_decode",
    "fastctcviterbi": "fast_ctc_decode",
    "flashlightlexicon": "flashlight.lib.text.decoder",
    "flashlightlexiconfree": "flashlight.lib.text.decoder",
    "pyctcdecode": "pyctcdecode",
    "tensorflowbeamsearch": "tensorflow",
    "tensorflowgreedy": "tensorflow",
    "torchgreedy": "torch",
    "wordbeamsearchcpp": "word_beam_search",
}


@pytest.fixture
def options(tmp_path):
    """What each decoder that needs something is given."""
    corpus = tmp_path / "corpus.txt"
    corpus.write_text("ab ba", encoding="utf-8")
    return {"flashlightlexicon": {"lexicon": ["ab"]}, "wordbeamsearchcpp": {"corpus": corpus}}


def test_there_are_as_many_as_there_should_be():
    assert sorted(MODULES) == PEERS


@pytest.mark.parametrize("name", PEERS)
def test_a_missing_package_is_named_with_the_command_that_installs_it(name, options, monkeypatch):
    monkeypatch.setitem(sys.modules, MODULES[name], None)
    chosen = decoder_class(name)
    message = re.escape(f"{chosen.__name__} needs {chosen.distributions[0]}, which cannot be impor")
    with pytest.raises(MissingExtraError, match=f"{message}.*; run pip install .*") as caught:
        load_decoder(name, ALPHABET, **options.get(name, {}))
    assert chosen.install in str(caught.value)
    assert isinstance(caught.value.__cause__, ImportError)


def test_a_model_needs_kenlm(monkeypatch, tmp_path):
    pytest.importorskip("pyctcdecode", reason="needs pyctcdecode")
    monkeypatch.setitem(sys.modules, "kenlm", None)
    (tmp_path / "lm.arpa").touch()
    with pytest.raises(
        MissingExtraError, match=r"PyCtcDecode needs kenlm, .*ctckit-peers\[kenlm\]"
    ):
        load_decoder("pyctcdecode", ALPHABET, lm=tmp_path / "lm.arpa")
    with pytest.raises(InvalidValueError, match=r"lm must be a file, got 'none\.arpa'"):
        load_decoder("pyctcdecode", ALPHABET, lm="none.arpa")


def test_declaring_the_options_imports_no_package():
    code = (
        "import sys\nfrom ctckit.registry import decoder_class\n"
        f"for name in {PEERS}: decoder_class(name).options\n"
        f"print({{*{sorted(MODULES.values())}, 'numba', 'kenlm'}} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


class Said(Peer):
    """Answer what it was told to, and remember what it was asked."""

    distributions = ("said",)
    beam_width: int = option(3, minimum=1, help="prefixes.")

    def prepare(self):
        self.asked = []
        self.answers = iter(())

    def convert(self, matrices):
        self.asked.append([len(one) for one in matrices])
        return matrices

    def run(self, inputs, n_best):
        return [next(self.answers) for _ in inputs]

    def collect(self, raw):
        return raw


def said(answers, frames, n_best):
    """Return texts and scores of a decoder with such answers, and what it was asked."""
    decoder = Said(ALPHABET)
    decoder.answers = iter(answers)
    batch = MatrixBatch.from_logits([np.zeros((count, 4)) for count in frames], ALPHABET)
    found = decoder.decode_batch(batch, n_best=n_best, threads=1)
    return [[(one.text, one.score) for one in line] for line in found], decoder.asked


def test_a_text_comes_once_and_none_that_is_impossible():
    line = [([0], -1.0), ([1], -math.inf), ([0], -2.0), ([1, 0], -3.0), ([2], -4.0)]
    found, _ = said([line, [([1], -math.inf)]], [2, 1], n_best=2)
    assert found == [[("a", -1.0), ("ba", -3.0)], [("", -math.inf)]]


def test_matrices_without_frames_are_not_handed_over():
    found, asked = said([[([0], -1.0)], [([1], -2.0)]], [0, 3, 0, 2], n_best=1)
    assert found == [[("", 0.0)], [("a", -1.0)], [("", 0.0)], [("b", -2.0)]]
    assert asked == [[3, 2]]
    assert said([], [0, 0], n_best=1) == ([[("", 0.0)]] * 2, [])


def test_without_scores_the_log_probability_stands_in():
    (_, (found,)), _ = said([[([0], None)]], [0, 1], n_best=1)
    assert found == ("a", pytest.approx(-math.log(4)))


def test_more_texts_than_there_can_be_are_refused():
    with pytest.raises(InvalidValueError, match=r"n_best must be 1 to beam_width \(3\), got 4; "):
        said([], [1], n_best=4)
    pytest.importorskip("fast_ctc_decode", reason="needs ctckit-peers[fast-ctc-decode]")
    batch = MatrixBatch.from_logits([np.zeros((1, 4))], ALPHABET)
    with pytest.raises(
        InvalidValueError, match="n_best must be 1, got 2; fast-ctc-decode gives on"
    ):
        load_decoder("fastctcbeamsearch", ALPHABET).decode_batch(batch, n_best=2)


def test_versions_are_those_of_what_is_installed(monkeypatch):
    monkeypatch.setattr(Said, "distributions", ("no-such-package", "numpy"))
    assert Said.versions() == {"no-such-package": np.__version__}
    monkeypatch.setattr(Said, "distributions", ("no-such-package",))
    assert Said.versions() == {}


def test_the_readme_tells_every_decoder_and_option(options_cell):
    text = README.read_text(encoding="utf-8")
    first, second = (
        re.findall(r"^\| `(\w+)` \| (.*?) \|$", half, re.MULTILINE)
        for half in text.split("## Options")
    )
    assert sorted(name for name, _ in first) == PEERS
    assert [name for name, _ in second] == PEERS
    for name, cell in second:
        assert cell == options_cell(name)


def tables():
    """Return for each decoder of the page what each check came to, reasons put in."""
    found = {}
    for table in re.findall(r"(?:^\|.*\n)+\n?(?:^\d+\. .*\n)*", PAGE.read_text(), re.MULTILINE):
        head, *rows = re.findall(r"^\| (.*) \|$", table, re.MULTILINE)
        reasons = dict(re.findall(r"^(\d+)\. (.*)$", table, re.MULTILINE))
        names = [one.strip("`") for one in head.split(" | ")[1:]]
        if names == ["asks"]:
            continue
        for row in rows:
            check, *cells = (one.strip("` ") for one in row.split("|"))
            for name, cell in zip(names, cells, strict=True):
                number = re.fullmatch(r"fails \((\d+)\)", cell)
                found.setdefault(name, {})[check] = reasons[number[1]] if number else cell
    return found


def known_failings(name, folder):
    """Return what a decoder declares; the peers do so whether or not they are installed."""
    chosen = decoder_class(name)
    if name in PEERS:
        return chosen.known_failings
    options = example_options(chosen, folder)
    return load_decoder(name, example_alphabet(), **options).known_failings


def test_the_page_says_what_the_decoders_declare(tmp_path, own_decoders):

    found = tables()
    left_out = re.findall(r"`(\w+)` \([\w-]+\)", PAGE.read_text().rpartition("left out:")[2])
    assert set(own_decoders) <= set(found)
    assert sorted({*found, *left_out} & set(PEERS)) == PEERS
    for name, by_check in found.items():
        assert list(by_check) == list(CHECKS)
        failings = {check: cell for check, cell in by_check.items() if cell not in ("ok", "")}
        assert failings == known_failings(name, tmp_path)


def test_a_table_numbers_its_reasons():
    made = runpy.run_path(str(ROOT / "docs" / "make_peers.py"))
    results = {
        "quiet": ("known", "it talks"),
        "valid": ("known", "it lies"),
        "threads": ("skipped", ""),
    }
    rows = [
        {"name": name, "check": check, "result": result, "reason": reason}
        for name in ("one", "other")
        for check in CHECKS
        for result, reason in [results.get(check, ("ok", ""))]
    ]
    lines = made["table"](rows)
    assert lines[:2] == ["| check | `one` | `other` |", "|---|---|---|"]
    assert "| `valid` | fails (1) | fails (1) |" in lines
    assert "| `quiet` | fails (2) | fails (2) |" in lines
    assert "| `threads` |  |  |" in lines
    assert lines[-2:] == ["1. it lies", "2. it talks"]


@pytest.mark.parametrize("name", ["tensorflowgreedy", "pyctcdecode"])
def test_packages_say_nothing_at_their_start(name):
    code = f"""
import ctckit, numpy as np
alphabet = ctckit.Alphabet("a -", blank=2)
batch = ctckit.MatrixBatch.from_logits(np.zeros((1, 3, 3)), alphabet)
try:
    print(ctckit.load_decoder({name!r}, alphabet).decode_batch(batch).texts())
except ctckit.MissingExtraError as error:
    print("missing", error)
"""
    environ = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, capture_output=True, text=True, check=True
    )
    if done.stdout.startswith("missing"):
        pytest.skip(done.stdout)
    assert done.stderr == ""
