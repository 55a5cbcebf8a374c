"""What every decoder must do, as a test class for pytest: subclass it in your plugin's tests.

from ctckit.testing.conformance import DecoderConformance

class TestMine(DecoderConformance):
    def make_decoder(self, alphabet):
        return MyDecoder(alphabet, beam_width=5)
"""

from __future__ import annotations

import pickle

import numpy as np

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.errors import AlphabetMismatchError
from ctckit.hypotheses import DecodedBatch
from ctckit.matrices import MatrixBatch

CHARACTERS = "ab 'c"
"""The tokens beside the blank: letters, a word separator and an apostrophe."""


def example_alphabet(blank: int = len(CHARACTERS)) -> Alphabet:
    """Return the alphabet of `CHARACTERS` with the blank at an index."""
    return Alphabet([*CHARACTERS[:blank], "", *CHARACTERS[blank:]], blank)


def example_batch(alphabet: Alphabet, frames: list[int], seed: int = 0) -> MatrixBatch:
    """Return random matrices, flat to peaked, some with impossible classes, without ties."""
    rng = np.random.default_rng(seed)
    matrices = []
    for i, count in enumerate(frames):
        logits = rng.normal(size=(count, len(alphabet))) * (0.5, 2, 6)[i % 3]
        if i % 4 == 3:
            logits[rng.random(logits.shape) < 0.2] = -np.inf
            logits[:, alphabet.blank] = 0
        matrices.append(logits)
    return MatrixBatch.from_logits(matrices, alphabet)


def assert_same(one: DecodedBatch, other: DecodedBatch) -> None:
    """Assert that two results are equal in every bit."""
    assert one.all_texts() == other.all_texts(), "the texts differ"
    for name in ("token_ids", "token_offsets", "hypothesis_offsets"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), f"{name} differ"
    for name in ("scores", "log_probs", "timesteps"):
        assert np.array_equal(getattr(one, name), getattr(other, name)), f"{name} differ"


def assert_valid(decoded: DecodedBatch, batch: MatrixBatch, n_best: int) -> None:
    """Assert what holds of every result."""
    assert len(decoded) == len(batch)
    assert decoded.texts() == [line[0].text for line in decoded]
    for line, matrix in zip(decoded, batch, strict=True):
        assert 1 <= len(line) <= n_best
        assert len({one.token_ids for one in line}) == len(line), "a text comes twice"
        scores = [one.score for one in line]
        assert scores == sorted(scores, reverse=True), "the scores rise"
        for one in line:
            assert one.text == batch.alphabet.decode(one.token_ids)
            assert one.log_prob <= 0
            possible = one.log_prob > -np.inf
            assert (one.timesteps is not None) == possible
            if one.timesteps is not None:
                assert len(one.timesteps) == len(one.token_ids)
                assert list(one.timesteps) == sorted(set(one.timesteps))
                assert all(0 <= t < len(matrix) for t in one.timesteps)


class DecoderConformance:
    """Override `make_decoder`; pytest runs the rest."""

    RAGGED = [7, 0, 1, 12, 3, 20, 5, 0, 9]  # noqa: RUF012

    def make_decoder(self, alphabet: Alphabet) -> Decoder:
        """Return the decoder under test, ready for `alphabet` (see `CHARACTERS`)."""
        raise NotImplementedError

    def test_results_are_valid_wherever_the_blank_is(self) -> None:
        """Decode with the blank at every index."""
        for blank in range(len(CHARACTERS) + 1):
            alphabet = example_alphabet(blank)
            batch = example_batch(alphabet, self.RAGGED, seed=blank)
            decoder = self.make_decoder(alphabet)
            for n_best in (1, 3):
                assert_valid(decoder.decode_batch(batch, n_best=n_best), batch, n_best)

    def test_the_index_of_the_blank_does_not_matter(self) -> None:
        """Decode the same matrices with their columns in another order."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, self.RAGGED)
        expected = self.make_decoder(alphabet).decode_batch(batch).texts()
        for blank in range(len(CHARACTERS)):
            moved = example_alphabet(blank)
            last = len(CHARACTERS)
            columns = [last if i == blank else i - (i > blank) for i in range(last + 1)]
            matrices = [matrix[:, columns] for matrix in batch]
            other = MatrixBatch.from_log_probs(matrices, moved)
            assert self.make_decoder(moved).decode_batch(other).texts() == expected

    def test_what_is_certain_is_read(self) -> None:
        """Decode a matrix that allows one path only, "ab" with repeats and blanks."""
        alphabet = example_alphabet()
        path = [5, 0, 0, 5, 5, 1, 1, 5]
        with np.errstate(divide="ignore"):
            batch = MatrixBatch.from_probs([np.eye(len(alphabet))[path]], alphabet)
        best = self.make_decoder(alphabet).decode_batch(batch)[0][0]
        assert best.text == "ab"
        assert best.log_prob == 0
        assert best.timesteps == (1, 5)

    def test_no_frames_is_the_empty_text(self) -> None:
        """Decode matrices with T = 0, alone and beside others, and no matrix at all."""
        alphabet = example_alphabet()
        decoder = self.make_decoder(alphabet)
        empty = decoder.decode_batch(example_batch(alphabet, [0, 0]), n_best=2)
        assert empty.texts() == ["", ""]
        assert [len(line) for line in empty] == [1, 1]
        assert empty[0][0].log_prob == 0
        assert decoder.decode_batch(example_batch(alphabet, [3, 0])).texts()[1] == ""
        assert decoder.decode_batch(example_batch(alphabet, [])).texts() == []

    def test_a_batch_is_its_matrices_one_by_one(self) -> None:
        """Decode a batch, each matrix alone, and the batch in another order."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, self.RAGGED)
        decoder = self.make_decoder(alphabet)
        whole = list(decoder.decode_batch(batch, n_best=3))
        singles = [batch[i : i + 1] for i in range(len(batch))]
        assert [decoder.decode_batch(one, n_best=3)[0] for one in singles] == whole
        turned = MatrixBatch.concatenate(singles[::-1])
        assert list(decoder.decode_batch(turned, n_best=3))[::-1] == whole

    def test_threads_change_nothing(self) -> None:
        """Decode with one thread, two and five."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, [40, 0, 35, 60] * 80)
        decoder = self.make_decoder(alphabet)
        serial = decoder.decode_batch(batch, n_best=2, threads=1)
        for threads in (2, 5):
            assert_same(decoder.decode_batch(batch, n_best=2, threads=threads), serial)

    def test_it_is_deterministic(self) -> None:
        """Decode twice, and with another instance."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, self.RAGGED)
        decoder = self.make_decoder(alphabet)
        first = decoder.decode_batch(batch, n_best=3)
        assert_same(decoder.decode_batch(batch, n_best=3), first)
        assert_same(self.make_decoder(alphabet).decode_batch(batch, n_best=3), first)

    def test_the_best_does_not_depend_on_n_best(self) -> None:
        """Decode with n_best 1 and 4."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, self.RAGGED)
        decoder = self.make_decoder(alphabet)
        several = decoder.decode_batch(batch, n_best=4)
        assert decoder.decode_batch(batch).texts() == several.texts()

    def test_it_can_be_pickled(self) -> None:
        """Send the decoder and what it found to another process, as it were."""
        alphabet = example_alphabet()
        batch = example_batch(alphabet, self.RAGGED)
        decoder = self.make_decoder(alphabet)
        again = pickle.loads(pickle.dumps(decoder))
        found = decoder.decode_batch(batch, n_best=2)
        assert_same(again.decode_batch(pickle.loads(pickle.dumps(batch)), n_best=2), found)
        assert_same(pickle.loads(pickle.dumps(found)), found)

    def test_another_alphabet_is_refused(self) -> None:
        """Decode matrices of another alphabet."""
        decoder = self.make_decoder(example_alphabet())
        try:
            decoder.decode_batch(example_batch(example_alphabet(0), [3]))
        except AlphabetMismatchError:
            return
        raise AssertionError("matrices of another alphabet were taken")
