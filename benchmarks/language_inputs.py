"""The language models that benchmarks/language.py decodes with, trained on the lines' corpus."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from inputs import Lines

from ctckit.language import NGramModel, read_corpus, split_sentences

MARKS = (".", "!", "?")
"""Words of the corpus that end sentences."""


@dataclass(frozen=True)
class Model:
    """An n-gram model of words as an ARPA file."""

    name: str
    path: Path

    @cached_property
    def words(self) -> list[str]:
        """Its words, without those that stand for others."""
        model = NGramModel.load(self.path)
        special = {model.unknown, model.begin, model.end}
        return [word for i, word in enumerate(model.words) if i not in special]


def sentences_of(lines: Lines) -> list[str]:
    """Return the sentences of the corpus, which end with a mark or a line."""
    sentences: list[str] = []
    for line in read_corpus(lines.corpus).splitlines():
        words: list[str] = []
        for word in line.split():
            words.append(word)
            if word in MARKS:
                sentences.append(" ".join(words))
                words = []
        sentences.append(" ".join(words))
    return [one for one in sentences if one]


def without_references(sentences: list[str], references: list[str]) -> list[str]:
    """Return the sentences that no reference is in or reaches into."""
    text = f" {' '.join(sentences)} "
    held = bytearray(len(text))
    for reference in references:
        wanted = f" {reference} "
        start = text.find(wanted)
        while start >= 0:
            stop = start + len(wanted) - 1
            held[start + 1 : stop] = b"\1" * (stop - start - 1)
            start = text.find(wanted, start + 1)
    kept, start = [], 1
    for sentence in sentences:
        stop = start + len(sentence)
        if not any(held[start:stop]):
            kept.append(sentence)
        start = stop + 1
    return kept


def train(name: str, sentences: list[str], order: int, folder: Path) -> Model:
    """Train a model of words."""
    path = folder / f"{name.replace(' ', '-')}.arpa"
    NGramModel.train(split_sentences("\n".join(sentences)), order).write_arpa(path)
    return Model(name, path)


def train_characters(name: str, sentences: list[str], order: int, folder: Path) -> Path:
    """Train a model of characters."""
    path = folder / f"{name.replace(' ', '-')}.arpa"
    split = split_sentences("\n".join(sentences), characters=True)
    NGramModel.train(split, order).write_arpa(path)
    return path
