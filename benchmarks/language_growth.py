"""How the time of `ngrambeamsearch` grows with what it is given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from inputs import Lines
from language_inputs import Model, train
from timing import Contestant, grown, ours
from words import words_like

WIDTHS = (1, 5, 10, 25, 50, 100, 200, 400)
ORDERS = (1, 2, 3, 4, 5)
SIZES = (1_000, 10_000, 100_000, 1_000_000)
PHRASES = (0, 10, 100, 1_000, 10_000)
WEIGHT = 5.0
WIDTH = 25
Row = dict[str, Any]


def phrases_like(known: list[str], count: int) -> list[str]:
    """Return phrases: in turn a made word that looks like the known ones, and two of these."""
    rng = np.random.default_rng(11)
    made = words_like(known, len(known) + count // 2)[len(known) :]
    phrases: dict[str, None] = {}
    for word in made:
        phrases[word] = None
        while len(phrases) % 2:
            first, second = rng.choice(len(known), 2)
            phrases[f"{known[first]} {known[second]}"] = None
    return list(phrases)


def growth(
    lines: Lines, model: Model, sentences: list[str], characters: str, folder: Path
) -> dict[str, list[Row]]:
    """Return tables of microseconds by width, order, size of the lexicon, number of phrases."""

    def decoding(value: int, width: int = WIDTH, **options: Any) -> Contestant:
        return ours(
            "ngrambeamsearch",
            lines.log_probs,
            lines.alphabet,
            label=str(value),
            beam_width=width,
            word_characters=characters,
            **options,
        )

    tables = {"W": grown({width: decoding(width, width, lm=model.path) for width in WIDTHS})}
    orders = {order: train(f"order {order}", sentences, order, folder).path for order in ORDERS}
    tables["order"] = grown({order: decoding(order, lm=path) for order, path in orders.items()})
    words = words_like(model.words, SIZES[-1])
    lexica = {}
    for size in SIZES:
        path = folder / f"{size}.txt"
        path.write_text("\n".join(words[:size]) + "\n", encoding="utf-8")
        lexica[size] = decoding(size, lexicon=path)
    tables["words"] = grown(lexica)
    phrases = phrases_like(model.words, PHRASES[-1])
    preferring = {}
    for count in PHRASES:
        options = {"hot_phrases": phrases[:count], "hot_weight": WEIGHT} if count else {}
        preferring[count] = decoding(count, lm=model.path, **options)
    tables["phrases"] = grown(preferring, 11)
    return tables
