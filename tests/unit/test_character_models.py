"""Which models `beamsearch` takes."""

from __future__ import annotations

import re

import pytest

from ctckit import Alphabet, InvalidValueError, load_decoder
from ctckit.language import NGramModel, split_sentences

UPPER = Alphabet("TEA -", blank=4)


def model_of(folder, text, *, characters=True):
    path = folder / "model.arpa"
    NGramModel.train(split_sentences(text, characters=characters), order=2).write_arpa(path)
    return path


def test_a_model_of_the_alphabets_characters(tmp_path):
    for text in ("TEA TEA", "tea TEA", "7 T", "7 7"):
        load_decoder("beamsearch", UPPER, lm=model_of(tmp_path, text))
    load_decoder("beamsearch", Alphabet("12 -", 3), lm=model_of(tmp_path, "tea 1"))


@pytest.mark.parametrize(
    ("text", "characters", "examples", "advice"),
    [
        ("TEA EAT", False, "'TEA', 'EAT'", "make one with ctckit lm train --characters, or use ng"),
        ("TEA EAT ATE A", False, "'TEA', 'EAT', 'ATE'", "make one with ctckit lm train"),
        ("tea tea", True, "'t', 'e', 'a'", "the alphabet has them in another case: convert the te"),
        ("ж юж", True, "'ж', 'ю'", "make one with ctckit lm train --characters, or use ng"),
    ],
)
def test_a_model_of_something_else(tmp_path, text, characters, examples, advice):
    path = model_of(tmp_path, text, characters=characters)
    said = f"lm must be a model of the alphabet's tokens, got '{path}' with the words {examples}; "
    with pytest.raises(InvalidValueError, match=re.escape(said + advice)):
        load_decoder("beamsearch", UPPER, lm=path)


def test_an_alphabet_of_the_blank_alone(tmp_path):
    with pytest.raises(InvalidValueError, match="alphabet must have a token beside the blank for"):
        load_decoder("beamsearch", Alphabet([""], 0), lm=model_of(tmp_path, "TEA"))
