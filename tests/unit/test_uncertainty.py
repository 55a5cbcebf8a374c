"""Intervals and calibration, as the benchmark of the error rates has them."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parents[2] / "benchmarks" / "uncertainty.py"


@pytest.fixture(scope="module")
def uncertainty():
    spec = importlib.util.spec_from_file_location("benchmarks_uncertainty", PATH)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


def test_counts_by_image(uncertainty):
    counts = uncertainty.counts_by_image(["a friend", "tea"], ["a fiend", "tea"])
    assert counts.tolist() == [[1, 8, 1, 2, 0, 1], [0, 3, 0, 1, 1, 1]]


def test_resamples_draw_as_many_images_and_repeat(uncertainty):
    draws = uncertainty.resample(7, 50, seed=3)
    assert draws.shape == (50, 7)
    assert (draws.sum(axis=1) == 7).all()
    np.testing.assert_array_equal(draws, uncertainty.resample(7, 50, seed=3))
    assert (draws != uncertainty.resample(7, 50, seed=4)).any()


def test_rates_and_intervals_are_those_of_resampling_one_by_one(uncertainty):
    generator = np.random.default_rng(0)
    counts = generator.integers(1, 9, (40, 6)).astype(float)
    draws = uncertainty.resample(40, 300, seed=1)
    rates = uncertainty.rates_of(counts, draws)
    drawn = [np.repeat(counts, one.astype(int), axis=0).sum(axis=0) for one in draws]
    for name, above in (("cer", 0), ("wer", 2), ("exact", 4)):
        assert rates[name] == counts[:, above].sum() / counts[:, above + 1].sum()
        values = [one[above] / one[above + 1] for one in drawn]
        np.testing.assert_allclose(rates[f"{name}_95"], np.percentile(values, [2.5, 97.5]))


def test_the_interval_of_a_share_is_that_of_the_normal_distribution(uncertainty):
    counts = uncertainty.counts_by_image(["a"] * 400, ["a"] * 100 + ["b"] * 300)
    low, high = uncertainty.rates_of(counts, uncertainty.resample(400, 4000, 1))["exact_95"]
    half = 1.96 * (0.25 * 0.75 / 400) ** 0.5
    assert (low, high) == pytest.approx((0.25 - half, 0.25 + half), abs=0.006)


def test_the_ratio_is_resampled_in_pairs(uncertainty):
    baseline = uncertainty.counts_by_image(["a"] * 50, ["b"] * 40 + ["a"] * 10)
    draws = uncertainty.resample(50, 200, 1)
    assert uncertainty.word_error_ratio(baseline, baseline, draws) == (1.0, (1.0, 1.0))
    ratio, (low, high) = uncertainty.word_error_ratio(
        uncertainty.counts_by_image(["a"] * 50, ["b"] * 20 + ["a"] * 30), baseline, draws
    )
    assert ratio == 0.5
    assert 0.3 < low < 0.5 < high < 0.7


def test_without_errors_there_is_no_ratio(uncertainty):
    right = uncertainty.counts_by_image(["a", "b"], ["a", "b"])
    ratio, limits = uncertainty.word_error_ratio(right, right, uncertainty.resample(2, 10, 1))
    assert np.isnan([ratio, *limits]).all()


def test_wilson(uncertainty):
    assert uncertainty.wilson(5, 10) == pytest.approx((0.2366, 0.7634), abs=1e-4)
    low, high = uncertainty.wilson(0, 10)
    assert (low, high) == pytest.approx((0, 0.2775), abs=1e-4)


def test_calibration_by_hand(uncertainty):
    bins, error = uncertainty.calibration([0.1, 0.3, 0.9, 1.0], [0, 0, 1, 1], bins=2)
    assert [(one.low, one.high, one.texts, one.exact) for one in bins] == [
        (0.0, 0.5, 2, 0.0),
        (0.5, 1.0, 2, 1.0),
    ]
    assert [one.probability for one in bins] == pytest.approx([0.2, 0.95])
    assert error == pytest.approx((2 * 0.2 + 2 * 0.05) / 4)


def test_true_probabilities_are_calibrated(uncertainty):
    generator = np.random.default_rng(0)
    probabilities = generator.random(50_000)
    right = generator.random(50_000) < probabilities
    assert uncertainty.calibration(probabilities, right)[1] < 0.015
    assert uncertainty.calibration(probabilities**0.5, right)[1] > 0.1


def test_an_empty_bin_counts_nothing(uncertainty):
    bins, error = uncertainty.calibration([1.0], [1])
    assert [one.texts for one in bins] == [0] * 9 + [1]
    assert np.isnan(bins[0].exact)
    assert error == 0
