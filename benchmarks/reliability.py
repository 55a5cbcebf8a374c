"""Draws the reliability diagram: how often texts are right, by the probability they are given."""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
from uncertainty import Bin

mpl.use("Agg")
from matplotlib import pyplot as plt


def _draw_shares(axes: plt.Axes, bins: list[Bin]) -> None:
    """Draw the share of texts that are right in each bin, with its interval."""
    filled = [one for one in bins if one.texts]
    low = [one.exact - one.exact_95[0] for one in filled]
    high = [one.exact_95[1] - one.exact for one in filled]
    axes.plot([0, 1], [0, 1], color="0.6", linestyle="--", linewidth=1, label="as it should be")
    axes.errorbar(
        [one.probability for one in filled],
        [one.exact for one in filled],
        yerr=[low, high],
        marker="o",
        markersize=4,
        capsize=2,
        linewidth=1.2,
        label="measured, 95% interval",
    )
    axes.set(xlim=(0, 1), ylim=(0, 1))
    axes.grid(alpha=0.3)


def _draw_counts(axes: plt.Axes, bins: list[Bin]) -> None:
    """Draw how many texts each bin holds."""
    middles = [(one.low + one.high) / 2 for one in bins]
    bars = axes.bar(middles, [one.texts for one in bins], width=0.9 / len(bins), color="0.7")
    axes.bar_label(bars, fontsize=7)
    axes.margins(y=0.25)
    axes.set_xlabel("probability of the text")


def draw(path: Path, panels: dict[str, tuple[list[Bin], float]]) -> None:
    """Write a PNG with one panel for each title, from its bins and calibration error."""
    figure, axes = plt.subplots(
        2,
        len(panels),
        figsize=(3.6 * len(panels), 4.6),
        height_ratios=[3, 1],
        sharex=True,
        sharey="row",
        squeeze=False,
        layout="constrained",
    )
    for column, (title, (bins, error)) in enumerate(panels.items()):
        _draw_shares(axes[0, column], bins)
        axes[0, column].set_title(f"{title}\ncalibration error {error:.3f}", fontsize=10)
        _draw_counts(axes[1, column], bins)
    axes[0, 0].set_ylabel("share of texts that are right")
    axes[0, 0].legend(fontsize=8, loc="upper left")
    axes[1, 0].set_ylabel("texts")
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=100, metadata={"Software": None})
    plt.close(figure)
