"""What every decoder must do, as a test class for pytest: subclass it in your plugin's tests.

import pytest
from ctckit.testing.conformance import DecoderConformance

class TestMine(DecoderConformance):
    @pytest.fixture
    def decoder(self):
        return MyDecoder
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import pytest

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import DecodedBatch
from ctckit.registry import decoder_class, load_decoder
from ctckit.testing.checks import CHECKS, Make, Subject, run_check
from ctckit.testing.examples import (
    CHARACTERS,
    EXAMPLE_FILES,
    example_alphabet,
    example_batch,
    example_options,
)
from ctckit.testing.subject import EXAMPLES, different_columns

__all__ = [
    "CHARACTERS",
    "EXAMPLE_FILES",
    "DecoderConformance",
    "assert_same",
    "example_alphabet",
    "example_batch",
    "factory",
]


def assert_same(one: DecodedBatch, other: DecodedBatch) -> None:
    """Assert that two results are equal in every bit."""
    assert one.all_texts() == other.all_texts(), "the texts differ"
    assert different_columns(one, other) is None, f"{different_columns(one, other)} differ"


def factory(decoder: Any, folder: Path) -> Make:
    """Return what makes a decoder for an alphabet.

    Parameters
    ----------
    decoder : the name of an installed one, a class, or what makes it
    folder : where the files are written that an installed one needs

    Raises
    ------
    InvalidValueError : it is none of these
    """
    if isinstance(decoder, str):
        options = example_options(decoder_class(decoder), folder)
        return lambda alphabet: load_decoder(decoder, alphabet, **options)
    if isinstance(decoder, Decoder) or not callable(decoder):
        raise InvalidValueError(
            "decoder must be a subclass of ctckit.Decoder, the name of an installed decoder or a "
            f"function that makes one for an alphabet, got {decoder!r}; return one of these"
        )
    make: Make = decoder
    return make


class DecoderConformance:
    """Override the fixture `decoder`; pytest runs each check as a test of its own."""

    examples: ClassVar[int] = EXAMPLES
    """How many examples a check tries that draws them."""
    interrupt_seconds: ClassVar[float] = 10.0
    """In which the decoder must end when it is interrupted."""

    @pytest.fixture
    def decoder(self) -> Any:
        """Return the decoder under test: a class, the name of an installed one, or a function.

        The function makes the decoder for an alphabet, such as `example_alphabet`. It may refuse
        others by a CtckitError. A decoder that keeps to words needs "ab" among them.
        """
        return self.make_decoder

    def make_decoder(self, alphabet: Alphabet) -> Decoder:
        """Return the decoder under test; may be overridden instead of the fixture."""
        raise NotImplementedError(f"{type(self).__name__} must override the fixture decoder")

    def oracle(
        self, log_probs: npt.NDArray[np.float32], alphabet: Alphabet
    ) -> Mapping[Any, float] | None:
        """Return every text that may be found in a tiny matrix (T, C), with its score.

        To be overridden for a decoder that is exact by another model than the sum over all
        alignments, such as one that keeps to a lexicon. Texts are strings or tuples of token ids;
        None where nothing can be said. The check `exhaustive` then compares with it.
        """
        return None

    @pytest.fixture
    def subject(self, decoder: Any, tmp_path: Path) -> Subject:
        """Return the decoder under test as the checks see it."""
        overridden = getattr(self.oracle, "__func__", None) is not DecoderConformance.oracle
        return Subject(
            factory(decoder, tmp_path),
            oracle=self.oracle if overridden else None,
            examples=self.examples,
            seconds=self.interrupt_seconds,
        )

    @pytest.mark.parametrize("check", list(CHECKS))
    def test_conforms(self, check: str, subject: Subject) -> None:
        """Run a check; what the decoder declares to fail is expected to."""
        found = run_check(check, subject)
        if found.result == "skipped":
            pytest.skip(found.reason)
        if found.result == "known":
            pytest.xfail(found.reason)
        if found.error is not None:
            raise found.error
        if found.result != "ok":
            pytest.fail(found.reason, pytrace=False)
