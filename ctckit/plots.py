"""Pictures of CTC matrices and of what was read in them. Needs Matplotlib: ``ctckit[plots]``.

>>> import numpy as np
>>> from ctckit import Alphabet, MatrixBatch, load_decoder
>>> from ctckit.plots import plot_bytes, plot_matrix
>>> logits = np.random.default_rng(0).normal(size=(1, 20, 4)) * 3
>>> batch = MatrixBatch.from_logits(logits, Alphabet("abc-", blank=3))
>>> best = load_decoder("beamsearch", batch.alphabet).decode_batch(batch)[0][0]
>>> figure = plot_matrix(batch, hypothesis=best)
>>> plot_bytes(figure)[1:4]
b'PNG'
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ctckit.alignment import token_spans
from ctckit.errors import InvalidValueError, MissingExtraError
from ctckit.hypotheses import Hypothesis
from ctckit.intake import Float32Array
from ctckit.matrices import MatrixBatch

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["plot_alignment", "plot_bytes", "plot_matrix"]

FORMATS = ("png", "svg", "pdf")
MOST_ROWS = 40
"""Classes in a heat map at most; those of the text are always there."""
FAINTEST = 0.05
"""A class that is nowhere as likely as this has no row."""
COLORS = ("tab:blue", "tab:orange")
"""Of one token and the next."""
GRAY = "0.45"


def plot_matrix(
    batch: MatrixBatch,
    index: int = 0,
    *,
    hypothesis: Hypothesis | None = None,
    image: npt.ArrayLike | None = None,
) -> Figure:
    """Draw a matrix as a heat map, classes by frames, and the path of a text through it.

    A row is a class that is likely somewhere, the blank below the others. The darker a cell, the
    likelier the class. The likeliest alignment of the text is framed, and its tokens stand above
    their first frames.

    Parameters
    ----------
    batch : matrices, one of which is drawn
    index : which one
    hypothesis : a text that was decoded from it; None: the matrix alone
    image : the image that it was made from, drawn above: (H, W) gray or (H, W, 3), its columns
        spread over the frames

    Raises
    ------
    MissingExtraError : Matplotlib is not installed
    InvalidValueError : `hypothesis` has no alignment in this matrix; `image` is none
    """
    probs = np.exp(batch[index])
    tokens = () if hypothesis is None else hypothesis.token_ids
    spans = [] if hypothesis is None else token_spans(batch, hypothesis, index)
    rows = _rows(probs, set(tokens), batch.alphabet.blank)
    figure, axes = _figure(len(probs), 0.19 * len(rows) + 0.9, image)
    if len(probs):
        axes.imshow(
            probs[:, rows].T, cmap="Blues", vmin=0, vmax=1, aspect="auto", interpolation="nearest"
        )
    axes.set_ylim(len(rows) - 0.5, -0.5)
    names = ["blank" if c == batch.alphabet.blank else _shown(batch.alphabet.tokens[c])
             for c in rows]  # fmt: skip
    axes.set_yticks(range(len(rows)), names, parse_math=False, fontsize=8)
    axes.tick_params(left=False)
    _frame_axis(axes, len(probs), hypothesis)
    row_of = {c: row for row, c in enumerate(rows)}
    path = np.full(len(probs), row_of[batch.alphabet.blank])
    for token, (start, stop) in zip(tokens, spans, strict=True):
        path[start:stop] = row_of[token]
    if hypothesis is not None:
        _frame_cells(axes, path)
        above = axes.secondary_xaxis("top")
        above.set_xticks([start for start, _ in spans])
        above.set_xticklabels([_shown(batch.alphabet.tokens[c]) for c in tokens], parse_math=False)
        above.tick_params(color=COLORS[1])
    return figure


def plot_alignment(
    batch: MatrixBatch,
    hypothesis: Hypothesis,
    index: int = 0,
    *,
    image: npt.ArrayLike | None = None,
) -> Figure:
    """Draw which frames belong to which token of a text, and how likely the token is there.

    A band is the frames of a token on the likeliest alignment, a bar the probability of that token
    in a frame, the gray line that of the blank. Over the image the bands are drawn, too.

    Parameters
    ----------
    batch : matrices, among them the one that was decoded
    hypothesis : what was found in it
    index : which matrix of `batch` that is
    image : the image that it was made from: (H, W) gray or (H, W, 3), its columns spread over the
        frames

    Raises
    ------
    MissingExtraError : Matplotlib is not installed
    InvalidValueError : `hypothesis` has no alignment in this matrix; `image` is none
    """
    spans = token_spans(batch, hypothesis, index)
    probs = np.exp(batch[index])
    figure, axes = _figure(len(probs), 2.4, image)
    frames = np.arange(len(probs))
    blank = probs[:, batch.alphabet.blank]
    axes.step(frames, blank, where="mid", color=GRAY)
    beside = (1, float(blank[-1]) if len(blank) else 0)
    axes.annotate(
        "blank", beside, xycoords=("axes fraction", "data"), xytext=(4, 0),
        textcoords="offset points", va="center", color=GRAY, annotation_clip=False,
    )  # fmt: skip
    for k, (token, (start, stop)) in enumerate(zip(hypothesis.token_ids, spans, strict=True)):
        color, inside = COLORS[k % 2], slice(start, stop)
        axes.bar(frames[inside], probs[inside, token], width=1, color=color, alpha=0.8)
        for drawn in figure.axes:
            drawn.axvspan(start - 0.5, stop - 0.5, color=color, alpha=0.2, linewidth=0)
        axes.text(
            (start + stop - 1) / 2, 1.03, _shown(batch.alphabet.tokens[token]),
            ha="center", va="bottom", fontsize=11, color=color, parse_math=False,
        )  # fmt: skip
    axes.set_ylim(0, 1.2)
    axes.set_yticks([0, 0.5, 1])
    axes.set_ylabel("probability")
    _frame_axis(axes, len(probs), hypothesis)
    return figure


def plot_bytes(figure: Figure, format: str = "png") -> bytes:
    """Return a picture as a file holds it; the same picture makes the same bytes.

    Parameters
    ----------
    figure : from a function of this module
    format : ``"png"``, ``"svg"`` or ``"pdf"``

    Raises
    ------
    InvalidValueError : another format
    """
    if format not in FORMATS:
        raise InvalidValueError(
            f"format must be one of {', '.join(FORMATS)}, got {format!r}; choose one"
        )
    from matplotlib import rc_context

    said = {"png": "Software", "svg": "Date", "pdf": "CreationDate"}[format]
    picture = io.BytesIO()
    with rc_context({"svg.hashsalt": "ctckit"}):
        figure.savefig(picture, format=format, dpi=150, metadata={said: None})
    return picture.getvalue()


def _rows(probs: Float32Array, tokens: set[int], blank: int) -> list[int]:
    """Return the classes that are drawn, from the top."""
    largest = probs.max(axis=0, initial=0.0)
    largest[[*tokens, blank]] = 2.0
    likely = np.argsort(-largest, kind="stable")[: max(MOST_ROWS, len(tokens) + 1)]
    return [*sorted(c for c in likely.tolist() if largest[c] >= FAINTEST and c != blank), blank]


def _figure(frames: int, height: float, image: npt.ArrayLike | None) -> tuple[Figure, Axes]:
    """Return a figure as wide as the frames ask for, and its axes, below those of the image."""
    try:
        from matplotlib.figure import Figure  # no pyplot, which would ask for a screen
    except ImportError as error:
        raise MissingExtraError(
            "plots need matplotlib, which is missing; pip install 'ctckit[plots]'"
        ) from error
    width = float(np.clip(0.09 * frames + 1.2, 4.5, 16))
    if image is None:
        figure = Figure(figsize=(width, height), layout="constrained")
        return figure, figure.subplots()
    pixels = _checked_image(image)
    above = float(np.clip(width * pixels.shape[0] / pixels.shape[1], 0.4, 2))
    figure = Figure(figsize=(width, height + above), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[above, height])
    upper.imshow(
        pixels, cmap="gray", vmin=0, vmax=255, aspect="auto",
        extent=(-0.5, max(frames, 1) - 0.5, pixels.shape[0], 0),
    )  # fmt: skip
    upper.set_axis_off()
    return figure, lower


def _checked_image(image: npt.ArrayLike) -> npt.NDArray[Any]:
    pixels = np.asarray(image)
    gray = pixels.ndim == 2
    if (
        pixels.dtype != np.uint8
        or not pixels.size
        or not (gray or pixels.shape[2:] in ((3,), (4,)))
    ):
        raise InvalidValueError(
            f"image must be uint8 of shape (H, W) or (H, W, 3), got {pixels.dtype} of shape "
            f"{pixels.shape}; read it with ctckit.recognizer.images.read_image"
        )
    return pixels


def _frame_axis(axes: Axes, frames: int, hypothesis: Hypothesis | None) -> None:
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(-0.5, max(frames, 1) - 0.5)
    axes.xaxis.set_major_locator(MaxNLocator(8, integer=True))
    axes.set_xlabel("frame")
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if hypothesis is not None:
        title = f"{_shown(hypothesis.text)}   log_prob {hypothesis.log_prob:.2f}"
        axes.figure.suptitle(title, parse_math=False, fontsize=11)


def _frame_cells(axes: Axes, path: npt.NDArray[np.int64]) -> None:
    """Draw a frame around each run of one class."""
    from matplotlib.patches import Rectangle

    begins = np.flatnonzero(np.diff(path, prepend=-1))
    for start, stop in zip(begins, [*begins, len(path)][1:], strict=True):
        corner = (float(start) - 0.5, float(path[start]) - 0.5)
        axes.add_patch(
            Rectangle(corner, float(stop - start), 1, fill=False, edgecolor=COLORS[1], lw=1.2)
        )


def _shown(text: str) -> str:
    """Return what can be seen of a text: spaces as open boxes, by number what the font lacks."""
    from matplotlib import font_manager

    font = font_manager.get_font(font_manager.findfont(font_manager.FontProperties()))
    shown = []
    for char in text.replace(" ", "\N{OPEN BOX}"):
        known = char.isprintable() and font.get_char_index(ord(char))
        shown.append(char if known else f"<{ord(char):04X}>")
    return "".join(shown)
