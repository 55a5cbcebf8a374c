"""Pictures of matrices and alignments: what is drawn, and the bytes of it."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from ctckit import (
    Alphabet,
    DecodedBatch,
    InvalidValueError,
    MatrixBatch,
    MissingExtraError,
    SearchResult,
    load_decoder,
)
from ctckit.alignment import token_spans

pytest.importorskip("matplotlib", reason="needs ctckit[plots]")
from ctckit.plots import FORMATS, MOST_ROWS, plot_alignment, plot_bytes, plot_matrix


@pytest.fixture
def best(batch):
    return load_decoder("beamsearch", batch.alphabet).decode_batch(batch)[2][0]


def labels(axis):
    return [label.get_text() for label in axis.get_ticklabels()]


def test_the_heat_map_holds_the_probabilities(batch, best):
    figure = plot_matrix(batch, 2, hypothesis=best)
    (axes,) = figure.axes
    drawn = axes.images[0].get_array()
    np.testing.assert_allclose(drawn, np.exp(batch[2][:, [0, 1, 2, 3]]).T)
    assert labels(axes.yaxis) == ["a", "b", "\u2423", "blank"]
    assert axes.get_xlim() == (-0.5, 6.5)
    (above,) = axes.child_axes
    assert tuple(above.get_xticks()) == best.timesteps
    assert labels(above.xaxis) == [one.replace(" ", "\u2423") for one in best.text]
    assert f"{best.log_prob:.2f}" in figure.get_suptitle()
    # One frame around each run of the path: each token, and each run of blanks between them.
    spans = token_spans(batch, best, 2)
    runs = {(start - 0.5, stop - start) for start, stop in spans}
    framed = {(patch.get_x(), patch.get_width()) for patch in axes.patches}
    assert runs <= framed
    assert sum(patch.get_width() for patch in axes.patches) == 7


def test_unlikely_classes_have_no_row_but_those_of_the_text():
    probs = np.full((1, 3, 60), 0.3 / 58)
    probs[0, :, 7] = probs[0, :, 59] = 0.35
    batch = MatrixBatch.from_probs(probs, Alphabet([*map(chr, range(65, 124)), ""], blank=59))
    (axes,) = plot_matrix(batch).axes
    assert labels(axes.yaxis) == ["H", "blank"]
    found = DecodedBatch(batch, SearchResult.from_best([[2]]))[0][0]
    (axes,) = plot_matrix(batch, hypothesis=found).axes
    assert labels(axes.yaxis) == ["C", "H", "blank"]


def test_there_are_not_too_many_rows():
    logits = np.zeros((1, 100, 101))
    logits[0, np.arange(100), np.arange(100)] = 9
    logits[0, 17, 17] = 20
    tokens = [*map(chr, range(0x41, 0xA5)), ""]
    batch = MatrixBatch.from_logits(logits, Alphabet(tokens, blank=100))
    (axes,) = plot_matrix(batch).axes
    assert len(labels(axes.yaxis)) == MOST_ROWS
    assert tokens[17] in labels(axes.yaxis)


def test_the_alignment_has_a_band_and_a_bar_for_each_token(batch, best):
    (axes,) = plot_alignment(batch, best, 2).axes
    spans = token_spans(batch, best, 2)
    bars = {round(bar.get_x() + 0.5): bar.get_height() for bars in axes.containers for bar in bars}
    expected = {
        frame: np.exp(batch[2][frame, token])
        for token, span in zip(best.token_ids, spans, strict=True)
        for frame in range(*span)
    }
    assert bars == pytest.approx(expected, rel=1e-6)
    bands = [patch for patch in axes.patches if patch.get_width() and patch.get_alpha() == 0.2]
    assert [(p.get_x() + 0.5, p.get_x() + p.get_width() + 0.5) for p in bands] == spans
    assert len(axes.lines) == 1
    np.testing.assert_allclose(axes.lines[0].get_ydata(), np.exp(batch[2][:, 3]))


@pytest.mark.parametrize("shape", [(8, 28), (40, 28, 3)])
def test_the_image_lies_over_the_frames(batch, best, shape):
    image = np.zeros(shape, np.uint8)
    for figure in (
        plot_matrix(batch, 2, hypothesis=best, image=image),
        plot_alignment(batch, best, 2, image=image),
    ):
        upper, lower = figure.axes
        assert upper.images[0].get_extent()[:2] == [-0.5, 6.5]
        assert upper.get_xlim() == lower.get_xlim()
    assert len(upper.patches) == len(best.token_ids)


@pytest.mark.parametrize("index", [1, 3])
def test_no_frames_and_no_tokens(batch, index):
    found = DecodedBatch(batch[index : index + 1], SearchResult.from_best([[]]))[0][0]
    for figure in (
        plot_matrix(batch, index, hypothesis=found),
        plot_alignment(batch, found, index),
    ):
        assert plot_bytes(figure).startswith(b"\x89PNG")


def test_what_cannot_be_shown_is_told_by_its_number():
    tokens = ["\u4e2d", "$a$", "\n", "\u0e01b", ""]
    batch = MatrixBatch.from_logits(np.zeros((1, 4, 5)), Alphabet(tokens, blank=4))
    found = DecodedBatch(batch, SearchResult.from_best([[0, 1, 2, 3]]))[0][0]
    (axes,) = plot_matrix(batch, hypothesis=found).axes
    assert labels(axes.yaxis) == ["<4E2D>", "$a$", "<000A>", "<0E01>b", "blank"]
    for figure in (axes.figure, plot_alignment(batch, found)):
        plot_bytes(figure)  # warns, which is an error here, if a glyph is missing


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_picture_makes_the_same_bytes(batch, best, format):
    first, second = (plot_bytes(plot_matrix(batch, 2, hypothesis=best), format) for _ in range(2))
    assert first == second
    assert first[:4] == {"png": b"\x89PNG", "svg": b"<?xm", "pdf": b"%PDF"}[format]


def test_what_is_refused(batch, best):
    with pytest.raises(InvalidValueError, match="format must be one of png, svg, pdf, got 'gif'"):
        plot_bytes(plot_matrix(batch), "gif")
    for image in (np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8)):
        with pytest.raises(InvalidValueError, match=r"image must be uint8 of shape \(H, W\)"):
            plot_matrix(batch, 2, image=image)
    impossible = DecodedBatch(batch[3:4], SearchResult.from_best([[0, 1]], [0.0]))[0][0]
    for plot in (lambda: plot_matrix(batch, 3, hypothesis=impossible),
                 lambda: plot_alignment(batch, impossible, 3)):  # fmt: skip
        with pytest.raises(InvalidValueError, match="hypothesis must have an alignment, got 'ab'"):
            plot()


def test_without_matplotlib_the_extra_is_named(batch, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'ctckit\[plots\]'"):
        plot_matrix(batch, 2)


def test_importing_loads_no_matplotlib_and_drawing_no_pyplot():
    code = """
import sys, numpy as np, ctckit, ctckit.plots
assert "matplotlib" not in sys.modules
batch = ctckit.MatrixBatch.from_probs(np.full((1, 2, 2), 0.5), ctckit.Alphabet("a-", blank=1))
ctckit.plots.plot_bytes(ctckit.plots.plot_matrix(batch))
assert "matplotlib" in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
