"""Corpus and word characters for word beam search, from the texts of a training."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder
from ctckit.language import split_words
from ctckit.recognizer.language_files import (
    CORPUS,
    WORD_CHARACTERS,
    corpus_texts,
    word_characters,
    write_language_files,
)
from ctckit.recognizer.real import RealImages
from ctckit.recognizer.recipe import Data, Recipe, read_data

ZWNJ, RIGHT = "\u200c", "\u2019"


@pytest.mark.parametrize(
    ("text", "characters", "words"),
    [
        ("Größe 12, E-Mail - und Straßen-", "EGMadeilnrtuößS-", ["Größe", "E-Mail", "und"]),
        (
            f"l'été, aujourd{RIGHT}hui 'ça'",
            f"adhijlortuéç'{RIGHT}",
            ["l'été", f"aujourd{RIGHT}hui"],
        ),
        ("السَّلام، ٣ كتب", "السَّمكتب", ["السَّلام", "كتب"]),
        (f"می{ZWNJ}خواهم{ZWNJ}", f"میخواه{ZWNJ}", [f"می{ZWNJ}خواهم{ZWNJ}"]),
        ("हिन्दी, विद्या। १२", "हिन्दीवया", ["हिन्दी", "विद्या"]),
        ("צה״ל בית־ספר", "צהלביתספר״־", ["צה״ל", "בית־ספר"]),
        ("paral·lel 3·4", "aelpr·", ["paral·lel"]),
        ("'tis -x- 1-2 a- -b", "abistx", ["tis", "x", "a", "b"]),
        ("12 - 13, 3.50", "01235", ["12", "13", "3", "50"]),
        ("- + = ?!", "+=?!-", ["+", "=", "?!"]),
    ],
)
def test_word_characters(text: str, characters: str, words: list[str]) -> None:
    found = word_characters([text])
    assert sorted(found) == sorted(set(found))
    if "S" in characters:
        characters += "S"
    assert set(found) == set(characters)
    assert [word for word in split_words(text, found) if word not in "-'"][: len(words)] == words


def test_letters_come_first() -> None:
    # A value that begins with a dash would look like an option.
    assert word_characters(["b-a", "it's"]) == "abist'-"
    assert unicodedata.category(word_characters(["a-\u0301b"])[0]) == "Ll"
    assert word_characters(["-+"]) == "+-"


def test_over_texts_and_not_across_them() -> None:
    assert word_characters(["a-", "b"]) == "ab"
    assert word_characters([]) == ""


def data_of(training: list[str], validation: list[str], **options: Any) -> Data:
    images = [np.zeros((1, 1), np.uint8)]
    parts = [RealImages(texts, texts, images * len(texts)) for texts in (training, validation)]
    return Data(*parts, **{"generator": None, "alphabet": None, "broken": [], "without_text": 0,
                           "without_image": [], "too_long": []} | options)  # fmt: skip


def test_whose_texts() -> None:
    data = data_of(["b", "a", "b"], ["c"])
    assert corpus_texts(data) == ["b", "a", "b"]
    assert corpus_texts(data, "all") == ["b", "a", "b", "c"]
    drawn = SimpleNamespace(words=SimpleNamespace(lists={"x": ["e", "d"], "x (again)": ["e", "f"]}))
    assert corpus_texts(data_of(["b"], [], generator=drawn)) == ["b"]
    assert corpus_texts(data_of([], [], generator=drawn)) == ["e", "d", "f"]


def test_the_files(tmp_path: Path) -> None:
    write_language_files(tmp_path / "m", ["e\u0301t", "two\nlines", "é't"])
    assert (tmp_path / "m" / CORPUS).read_text(encoding="utf-8") == "ét\ntwo lines\né't\n"
    assert (tmp_path / "m" / WORD_CHARACTERS).read_text(encoding="utf-8") == "eilnostwé'\n"


def test_texts_without_letters(tmp_path: Path) -> None:
    """What is written can be given to the decoder, and lets it know the numbers."""
    write_language_files(tmp_path, ["12", "1 450"])
    written = (tmp_path / WORD_CHARACTERS).read_text(encoding="utf-8")
    assert written == "01245\n"
    alphabet = Alphabet([*"01245 ", ""], blank=6)
    # 14 is the likeliest, and no word; 12 is almost as likely.
    probs = np.zeros((1, 2, 7))
    probs[0, 0, 1] = 1
    probs[0, 1, [2, 3]] = 0.4, 0.6
    batch = MatrixBatch.from_probs(probs, alphabet)
    assert load_decoder("bestpath", alphabet).decode_batch(batch).texts() == ["14"]
    words = {"corpus": str(tmp_path / CORPUS), "word_characters": written.strip()}
    decoder = load_decoder("wordbeamsearch", alphabet, **words)
    assert decoder.decode_batch(batch).texts() == ["12"]


def test_no_text_of_other_parts(tmp_path: Path, make_washington: Callable[[Path], Path]) -> None:
    recipe = Recipe(data=(str(make_washington(tmp_path / "db")),), validation_share=0.3)
    data = read_data(recipe)
    assert data.held_back == 2
    assert len(data.validation) > 1
    texts = {source: corpus_texts(data, source) for source in ("train", "all")}
    assert sorted(texts["train"]) == sorted(data.training.texts)
    assert not set(texts["train"]) & set(data.validation.texts)
    assert sorted(texts["all"]) == sorted(data.training.texts + data.validation.texts)
    for found in texts.values():
        assert not {text for text in found if text.startswith("test")}


@pytest.fixture
def make_washington() -> Callable[[Path], Path]:
    """Make a data set with a test part; each text is on one image only."""
    import cv2

    def make(root: Path) -> Path:
        rows = []
        (root / "data" / "line_images_normalized").mkdir(parents=True)
        for page in range(10):
            for line in range(4):
                id = f"{270 + page}-0{line}"
                image = np.full((40, 300), 255, np.uint8)
                cv2.putText(image, "abcdefgh", (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
                cv2.imwrite(str(root / "data" / "line_images_normalized" / f"{id}.png"), image)
                text = ("test" if page == 0 and line < 2 else "text") + f"{page}{line}"
                rows.append(f"{id} {'-'.join(text)}")
        (root / "ground_truth").mkdir()
        (root / "ground_truth" / "transcription.txt").write_text("\n".join(rows))
        (root / "sets" / "cv1").mkdir(parents=True)
        (root / "sets" / "cv1" / "test.txt").write_text("270-00\n270-01\n")
        return root

    return make
