"""The corpus of lines is what its README says."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ctckit import load_decoder, open_dump
from ctckit.language import default_word_characters, split_words
from ctckit.metrics import count_errors

LINES = Path(__file__).resolve().parents[2] / "corpora" / "lines"
CORPUS = LINES / "corpus.txt"
OPTIONS = {"bestpath": {}, "beamsearch": {}, "wordbeamsearch": {"corpus": CORPUS}}


def make_dump(folder):
    return subprocess.run(
        [sys.executable, str(LINES / "make_matrices.py"), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def bytes_of(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.fixture(scope="module")
def dump(tmp_path_factory):
    folder = tmp_path_factory.mktemp("lines") / "dump"
    done = make_dump(folder)
    assert done.returncode == 0, done.stderr
    return open_dump(folder)


@pytest.fixture(scope="module")
def lines():
    return (LINES / "lines.txt").read_text(encoding="utf-8").splitlines()


@pytest.fixture(scope="module")
def counts(dump):
    (part,) = dump.batches()
    decoders = {
        name: load_decoder(name, dump.alphabet, **options) for name, options in OPTIONS.items()
    }
    return {
        name: count_errors(part.references, decoder.decode_batch(part.batch).texts())
        for name, decoder in decoders.items()
    }


@pytest.mark.parametrize("name", ["lines.txt", "corpus.txt"])
def test_checksums(name):
    readme = (LINES / "README.md").read_text(encoding="utf-8")
    row = next(line for line in readme.splitlines() if line.startswith(f"| `{name}`"))
    assert re.findall("[0-9a-f]{64}", row) == [
        hashlib.sha256((LINES / name).read_bytes()).hexdigest()
    ]


def test_lines(lines):
    assert len(lines) == len(set(lines)) == 60
    assert all(15 <= len(line) <= 40 and line == line.strip() for line in lines)


def test_the_script_is_deterministic_and_replaces_its_dump(dump, tmp_path):
    other = tmp_path / "dump"
    assert make_dump(other).returncode == 0
    first = bytes_of(other)
    assert make_dump(other).returncode == 0
    assert bytes_of(other) == first == bytes_of(dump.path)
    assert [path.name for path in tmp_path.iterdir()] == ["dump"]


def test_the_script_deletes_nothing_else(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    done = make_dump(tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("make_matrices.py: output folder must hold nothing else")
    assert (tmp_path / "thesis.txt").read_text() == "years of work"


def test_references_are_the_lines(dump, lines):
    assert dump.references == lines
    assert not dump.damaged
    assert dump.alphabet.blank == len(dump.alphabet) - 1


def test_every_word_is_in_the_corpus(dump, lines):
    characters = default_word_characters(dump.alphabet)
    corpus = CORPUS.read_text(encoding="utf-8")
    words = set(split_words(corpus, characters))
    assert set(split_words(" ".join(lines), characters)) <= words
    flat = " ".join(corpus.split())
    assert not [line for line in lines if line.rstrip(".?") in flat]


def test_what_the_decoders_find(counts):
    assert 0.08 <= counts["bestpath"].cer <= 0.15
    assert counts["beamsearch"].cer < 0.9 * counts["bestpath"].cer
    assert counts["wordbeamsearch"].cer < 0.5 * counts["beamsearch"].cer


@pytest.mark.parametrize("name", OPTIONS)
def test_the_table(counts, name):
    readme = (LINES / "README.md").read_text(encoding="utf-8")
    one = counts[name]
    row = f"| {name} | {one.cer:.4f} | {one.wer:.4f} | {one.exact_lines}/{one.lines} |"
    assert row in readme.splitlines()
