from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Optional

import numpy as np
import pytest

from ctckit import REQUIRED, Alphabet, Decoder, InvalidValueError, NotFoundError, option

pytestmark = pytest.mark.nojit

ALPHABET = Alphabet("ab-", 2)


class Base(Decoder):
    """Declares one of each kind."""

    beam_width: int = option(25, minimum=1, help="width")
    smoothing: float = option(0.0, minimum=0, maximum=1, help="smoothing")
    mode: str = option("Words", choices=("Words", "NGrams"), help="mode")
    complete: bool = option(True, help="complete")
    characters: str | None = option(None, help="characters")
    limit: Optional[int] = option(None, maximum=9, help="limit")  # noqa: UP045

    def search(self, batch, n_best):
        raise NotImplementedError


class WithCorpus(Base):
    """Adds a required option."""

    corpus: Path = option(help="text file")
    beam_width: int = option(50, minimum=2, help="another default")


def test_defaults():
    decoder = Base(ALPHABET)
    assert decoder.beam_width == 25
    assert decoder.smoothing == 0.0
    assert decoder.mode == "Words"
    assert decoder.complete is True
    assert decoder.characters is None
    assert decoder.limit is None


def test_declarations():
    assert list(Base.options) == [
        "beam_width",
        "smoothing",
        "mode",
        "complete",
        "characters",
        "limit",
    ]
    one = Base.options["beam_width"]
    assert (one.name, one.type, one.default, one.help) == ("beam_width", int, 25, "width")
    assert (one.minimum, one.maximum, one.choices, one.optional) == (1, None, None, False)
    assert Base.options["mode"].choices == ("Words", "NGrams")
    assert Base.options["characters"].optional
    assert Base.options["limit"].type is int
    assert Base.options["limit"].optional


def test_options_are_inherited_and_overridden():
    assert set(WithCorpus.options) == {*Base.options, "corpus"}
    assert WithCorpus.options["beam_width"].default == 50
    assert Base.options["beam_width"].default == 25
    assert WithCorpus.options["corpus"].default is REQUIRED
    assert repr(REQUIRED) == "REQUIRED"


def test_a_required_option_is_missing():
    with pytest.raises(
        InvalidValueError,
        match="corpus must be given to the decoder WithCorpus, got nothing; it is: text file",
    ):
        WithCorpus(ALPHABET)
    assert WithCorpus(ALPHABET, corpus="x.txt").corpus == Path("x.txt")


@pytest.mark.parametrize(
    ("name", "value", "taken"),
    [
        ("beam_width", 1, 1),
        ("beam_width", np.int64(7), 7),
        ("smoothing", 1, 1.0),
        ("smoothing", np.float32(0.5), 0.5),
        ("mode", "NGrams", "NGrams"),
        ("complete", False, False),
        ("characters", "ab", "ab"),
        ("characters", None, None),
        ("limit", -5, -5),
    ],
)
def test_values_are_taken_as_the_declared_type(name, value, taken):
    got = getattr(Base(ALPHABET, **{name: value}), name)
    assert got == taken
    assert type(got) is type(taken)


@pytest.mark.parametrize("value", ["a.txt", Path("a.txt")])
def test_paths(value):
    assert WithCorpus(ALPHABET, corpus=value).corpus == Path("a.txt")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("beam_width", 0, "beam_width must be an integer of at least 1, got 0"),
        ("beam_width", 2.0, "beam_width must be an integer of at least 1, got 2.0"),
        ("beam_width", "5", "beam_width must be an integer of at least 1, got '5'"),
        ("beam_width", True, "beam_width must be an integer of at least 1, got True"),
        ("beam_width", None, "beam_width must be an integer of at least 1, got None"),
        ("smoothing", -0.1, "smoothing must be a finite number from 0 to 1, got -0.1"),
        ("smoothing", 1.5, "smoothing must be a finite number from 0 to 1, got 1.5"),
        ("smoothing", float("nan"), "smoothing must be a finite number from 0 to 1, got nan"),
        ("smoothing", float("inf"), "smoothing must be a finite number from 0 to 1, got inf"),
        ("smoothing", "0.5", "smoothing must be a finite number from 0 to 1, got '0.5'"),
        ("smoothing", True, "smoothing must be a finite number from 0 to 1, got True"),
        (
            "mode",
            "Ngrams",
            "mode must be one of Words, NGrams, got 'Ngrams'; did you mean 'NGrams'?",
        ),
        ("mode", "xyz", "mode must be one of Words, NGrams, got 'xyz'; choose one"),
        ("mode", 1, "mode must be a string, got 1"),
        ("mode", None, "mode must be a string, got None"),
        ("complete", 1, "complete must be True or False, got 1"),
        ("complete", "yes", "complete must be True or False, got 'yes'"),
        ("characters", 5, "characters must be a string or None, got 5"),
        ("limit", 10, "limit must be an integer of at most 9 or None, got 10"),
    ],
)
def test_values_that_break_their_rule(name, value, message):
    with pytest.raises(InvalidValueError, match=re.escape(message) + "(; it is: .+)?$"):
        Base(ALPHABET, **{name: value})


@pytest.mark.parametrize("name", ["alphabet", "label", "search", "n_best", "_kernel"])
def test_names_that_every_decoder_uses_are_refused(name):
    namespace = {"__annotations__": {name: int}, name: option(1, help="x"), "__module__": __name__}
    with pytest.raises(InvalidValueError, match=rf"option Clash.{name} must have another name"):
        type("Clash", (Base,), namespace)


@pytest.mark.parametrize("value", [5, "", None, b""])
def test_what_is_no_path(value):
    with pytest.raises(InvalidValueError, match=r"corpus must be a path, got "):
        WithCorpus(ALPHABET, corpus=value)


def test_bytes_are_no_path():
    class BytesPath(os.PathLike):
        def __fspath__(self):
            return b"x"

    with pytest.raises(InvalidValueError, match="corpus must be a path, got "):
        WithCorpus(ALPHABET, corpus=BytesPath())


def test_an_unknown_option():
    with pytest.raises(
        NotFoundError,
        match=re.escape(
            "option must be one of the decoder Base's, got 'beam_widht'; did you mean "
            "'beam_width'? options: beam_width, smoothing, mode, complete, characters, limit"
        ),
    ) as caught:
        Base(ALPHABET, beam_widht=3)
    assert isinstance(caught.value, LookupError)


def test_an_option_of_a_decoder_that_has_none():
    class Plain(Decoder):
        """Has none."""

        def search(self, batch, n_best):
            raise NotImplementedError

    with pytest.raises(NotFoundError, match=r"decoder Plain's, got 'x'; options: none$"):
        Plain(ALPHABET, x=1)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("beam_width", "7", 7),
        ("smoothing", "0.5", 0.5),
        ("smoothing", "1e-3", 1e-3),
        ("mode", "NGrams", "NGrams"),
        ("complete", "false", False),
        ("complete", "Yes", True),
        ("complete", "0", False),
        ("characters", "7", "7"),
    ],
)
def test_parsing(name, text, value):
    assert Base.options[name].parse(text) == value


@pytest.mark.parametrize(
    ("annotation", "default", "text", "value"),
    [
        (str | None, " ", "none", None),
        (str | None, " ", "None", None),
        (str | None, " ", "nones", "nones"),
        (int | None, 5, "NONE", None),
        (int | None, 5, "3", 3),
        (str | None, None, "none", "none"),
        (str, " ", "none", "none"),
        (Path | None, REQUIRED, "none", None),
        (Path, REQUIRED, "none", Path("none")),
    ],
)
def test_parsing_none(annotation, default, text, value):
    """It is said by its name where leaving the option out does not say it."""
    assert declare(annotation, default).options["x"].parse(text) == value


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("beam_width", "seven", "beam_width must be an integer of at least 1, got 'seven'"),
        ("beam_width", "0", "beam_width must be an integer of at least 1, got 0"),
        ("smoothing", "", "smoothing must be a finite number from 0 to 1, got ''"),
        ("smoothing", "inf", "smoothing must be a finite number from 0 to 1, got inf"),
        ("complete", "maybe", "complete must be True or False, got 'maybe'"),
    ],
)
def test_parsing_what_breaks_the_rule(name, text, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        Base.options[name].parse(text)


def declare(annotation, default, **rules):
    body = {
        "__annotations__": {} if annotation is None else {"x": annotation},
        "x": option(default, help="x", **rules),
        "__doc__": "Made here.",
    }
    return type("Made", (Base,), body)


@pytest.mark.parametrize("annotation", [list, int | str, None, dict[str, int]])
def test_types_that_cannot_be_declared(annotation):
    with pytest.raises(
        InvalidValueError,
        match=r"option Made\.x must be annotated as int, float, bool, str or Path, got ",
    ):
        declare(annotation, 1)


def test_a_default_that_breaks_its_own_rule():
    with pytest.raises(InvalidValueError, match="x must be an integer of at least 1, got 0"):
        declare(int, 0, minimum=1)
    with pytest.raises(InvalidValueError, match="x must be one of a, b, got 'c'"):
        declare(str, "c", choices=["a", "b"])
