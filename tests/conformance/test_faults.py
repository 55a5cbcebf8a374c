"""The suite finds faults: for every check a decoder that fails it, and what else it then fails."""

from __future__ import annotations

import math
import os
import threading
import time

import numpy as np
import pytest

from ctckit import Decoder, InvalidValueError, MatrixBatch, SearchResult, option
from ctckit.testing.checks import CHECKS, Subject, run_checks

IN_PROCESS = [name for name in CHECKS if name not in ("import-weight", "interrupt")]


class Sound(Decoder):
    """Read the best path's text, and what is left of it without its last token."""

    width: int = option(3, minimum=1, maximum=9, help="Unused.")
    unit = 1.0

    def search(self, batch, n_best):
        lines = [self.read(log_probs, n_best) for log_probs in batch]
        texts, scores = ([[one[i] for one in line] for line in lines] for i in (0, 1))
        return SearchResult.from_lists(texts, scores)

    def read(self, log_probs, n_best):
        path = log_probs.argmax(axis=1)
        text = path[(np.diff(path, prepend=-1) != 0) & (path != self.alphabet.blank)].tolist()
        shorter = [(text[:-1], -math.inf)] if text and n_best > 1 else []
        return [(text, float(log_probs.max(axis=1, initial=-np.inf).sum())), *shorter]


class Rising(Sound):
    def read(self, log_probs, n_best):
        found = super().read(log_probs, n_best)
        return [(text, 1.0 + i) for i, (text, _) in enumerate(found)] if n_best == 5 else found


class BlindToCertainty(Sound):
    def read(self, log_probs, n_best):
        if len(log_probs) and (log_probs.max(axis=1) == 0).all():
            return [([], -math.inf)]
        return super().read(log_probs, n_best)


class NeverEmpty(Sound):
    def read(self, log_probs, n_best):
        if not len(log_probs) and len(self.alphabet) > 1:
            return [([0 if self.alphabet.blank else 1], -math.inf)]
        return super().read(log_probs, n_best)


class NeedsTokens(Sound):
    def read(self, log_probs, n_best):
        np.delete(log_probs, self.alphabet.blank, axis=1).max(axis=1)
        return super().read(log_probs, n_best)


class TakesInfinityForNothing(Sound):
    def read(self, log_probs, n_best):
        possible = log_probs.max(axis=0, initial=-np.inf) > -np.inf
        return super().read(np.where(possible, log_probs, 0), n_best)


class Claims(Sound):
    exhaustive = {"width": 9}  # noqa: RUF012


class Boasts(Sound):
    scores_are_log_probs = True

    def read(self, log_probs, n_best):
        return [(text, 0.0 * score) for text, score in super().read(log_probs, 1)]


class BlankLast(Sound):
    def prepare(self):
        if self.alphabet.blank != len(self.alphabet) - 1:
            raise InvalidValueError("blank must be the last class; reorder them")


class Alphabetical(Sound):
    def read(self, log_probs, n_best):
        ids = self.alphabet.token_ids
        if ids.get("a", 0) > ids.get("b", 99):
            return [([], -math.inf)]
        return super().read(log_probs, n_best)


class PerFrame(Sound):
    def read(self, log_probs, n_best):
        found = super().read(log_probs, n_best)
        return [(text, score / max(len(log_probs), 1)) for text, score in found]


class ByPlace(Sound):
    def search(self, batch, n_best):
        lines = [self.read(log_probs, n_best) for log_probs in batch]
        return SearchResult.from_lists(
            [[text for text, _ in line] for line in lines],
            [[score - 1e-3 * i for _, score in line] for i, line in enumerate(lines)],
        )


class KeepsState(Sound):
    def search(self, batch, n_best):
        self.seen = batch
        time.sleep(0.002)
        return super().search(self.seen if len(self.seen) == len(batch) else batch, n_best)


class Moody(Sound):
    def prepare(self):
        self.mood = time.perf_counter()

    def read(self, log_probs, n_best):
        return [(text, score - self.mood) for text, score in super().read(log_probs, n_best)]


class Fickle(Sound):
    calls = 0

    def read(self, log_probs, n_best):
        type(self).calls += 1
        return [(text, score - self.calls) for text, score in super().read(log_probs, n_best)]


class BestOfSome(Sound):
    def read(self, log_probs, n_best):
        found = super().read(log_probs, n_best)
        return [(found[-1][0], -math.inf)] if n_best > 3 else found


class AnyAlphabet(Sound):
    def decode_batch(self, batch, **options):
        own = MatrixBatch.from_log_probs(list(batch), self.alphabet)
        return super().decode_batch(own, **options)


class Locked(Sound):
    def prepare(self):
        self.lock = threading.Lock()

    def __reduce__(self):
        return object.__reduce_ex__(self, 2)


class Limits(Sound):
    def prepare(self):
        self.width = min(self.width, 5)


class Forgetful(Sound):
    def prepare(self):
        self.given_options = {}


class Rounding(Sound):
    floor: float = option(0.0, help="Unused.")

    def prepare(self):
        self.floor = round(self.floor, 6)


class Prints(Sound):
    def read(self, log_probs, n_best):
        print("reading")
        return super().read(log_probs, n_best)


class Writes(Sound):
    def prepare(self):
        os.write(1, b"ready\n")


FAULTS = [
    (Sound, []),
    (Rising, ["valid"]),
    (BlindToCertainty, ["certain-path", "certain-blanks"]),
    (NeverEmpty, ["no-frames", "permuted-classes", "certain-blanks"]),
    (NeedsTokens, ["one-class"]),
    (
        TakesInfinityForNothing,
        ["certain-path", "impossible-classes", "permuted-classes", "certain-blanks"],
    ),
    (Claims, ["exhaustive"]),
    (Boasts, ["true-scores"]),
    (BlankLast, ["blank-anywhere"]),
    (Alphabetical, ["permuted-classes"]),
    (PerFrame, ["certain-blanks"]),
    (ByPlace, ["one-by-one", "threads"]),
    (KeepsState, ["threads"]),
    (Moody, ["deterministic", "pickling"]),
    (Fickle, ["certain-blanks", "one-by-one", "threads", "deterministic", "pickling"]),
    (BestOfSome, ["n-best-prefix"]),
    (AnyAlphabet, ["other-alphabet"]),
    (Locked, ["pickling"]),
    (Limits, ["options-round-trip"]),
    (Forgetful, ["options-round-trip"]),
    (Rounding, ["options-round-trip"]),
    (Prints, ["quiet"]),
    (Writes, ["quiet"]),
]


def failed(make, names=IN_PROCESS):
    results = run_checks(Subject(make, examples=12), names)
    return [one.check for one in results if one.result == "failed"]


@pytest.mark.parametrize(("faulty", "checks"), FAULTS, ids=[one.__name__ for one, _ in FAULTS])
def test_the_suite_finds_faults(faulty, checks):
    assert failed(faulty) == checks


def test_every_check_has_a_decoder_that_fails_it():
    elsewhere = {"import-weight", "interrupt"}  # in test_suite.py: their modules are files
    assert {check for _, checks in FAULTS for check in checks} | elsewhere == set(CHECKS)
