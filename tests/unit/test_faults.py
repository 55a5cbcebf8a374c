"""The quick look at a result beside the slow one: it must not let anything impossible through."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ctckit import Alphabet, MatrixBatch, SearchResult
from ctckit.decoders import faults
from ctckit.decoders.faults import find_fault

ALPHABET = Alphabet("ab-", 2)
N_BEST = 3


def random_result(rng, lines):
    """Return a result that is mostly possible: texts differ often, scores mostly fall."""
    texts, scores = [], []
    for _ in range(lines):
        count = rng.integers(1, N_BEST + 1)
        texts.append([rng.integers(0, 2, rng.integers(0, 5)).tolist() for _ in range(count)])
        scores.append(sorted(rng.normal(size=count).tolist(), reverse=True))
    return SearchResult.from_lists(texts, scores)


def change_number(rng, result):
    name = rng.choice(["token_ids", "token_offsets", "hypothesis_offsets"])
    column = getattr(result, name).copy()
    if len(column):
        column[rng.integers(len(column))] += rng.integers(-2, 3)
    return replace(result, **{name: column})


def change_score(rng, result):
    if result.scores is None:
        return result
    scores = result.scores.copy()
    if len(scores):
        scores[rng.integers(len(scores))] = rng.choice([np.nan, np.inf, -np.inf, 0.0, 9.0])
    return replace(result, scores=scores)


def change_form(rng, result):
    name = rng.choice(["token_ids", "token_offsets", "hypothesis_offsets", "scores"])
    column = getattr(result, name)
    if column is None:
        return result
    forms = [column[:-1], column[:0], column[None], np.append(column, column[-1:]), list(column)]
    forms += [column.astype(kind) for kind in (np.int64, np.float64, np.uint8, np.float16)]
    forms.append(np.repeat(column, 2)[::2])  # not contiguous
    return replace(result, **{name: forms[rng.integers(len(forms))]})


def leave_out_scores(rng, result):
    return replace(result, scores=None)


def keep(rng, result):
    return result


CHANGES = [keep, change_number, change_score, leave_out_scores]
LAST_CHANGES = [*[keep] * 4, change_form]


@pytest.mark.filterwarnings("ignore:invalid value encountered in cast")
def test_what_is_quickly_found_possible_is_possible(monkeypatch):
    rng = np.random.default_rng(1)
    cases = []
    quick = []
    for _ in range(3000):
        lines = int(rng.integers(0, 4))
        batch = MatrixBatch.from_logits(np.zeros((lines, 5, 3)), ALPHABET)
        wanted = batch[:-1] if lines and rng.random() < 0.05 else batch
        result = random_result(rng, lines)
        for change in (*rng.choice(CHANGES, rng.integers(1, 3)), rng.choice(LAST_CHANGES)):
            result = change(rng, result)
        cases.append((result, wanted, N_BEST - rng.integers(2)))
        quick.append(faults._is_surely_possible(*cases[-1]))
    found = [find_fault(*case) for case in cases]
    monkeypatch.setattr(faults, "_is_surely_possible", lambda *_: False)
    assert found == [find_fault(*case) for case in cases]
    possible = [one is None for one in found]
    assert all(fine for fine, sure in zip(possible, quick, strict=True) if sure)
    assert 500 < sum(quick) <= sum(possible) < 2500


@pytest.mark.nojit
def test_a_text_that_a_line_has_twice():
    batch = MatrixBatch.from_logits(np.zeros((2, 5, 3)), ALPHABET)
    scores = [[0.0, -1.0, -2.0]] * 2
    for texts, line in (
        ([[[0], [1], [0, 1]], [[0], [1], []]], None),
        ([[[0], [1], [0, 1]], [[0], [1], [0]]], 1),
        ([[[], [1], []], [[0], [1], []]], 0),
    ):
        fault = find_fault(SearchResult.from_lists(texts, scores), batch, 3)
        assert (None if fault is None else fault.line) == line
