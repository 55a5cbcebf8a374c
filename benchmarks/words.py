"""Word lists of any size: words of a corpus, and more that look like them; and their pieces."""

from __future__ import annotations

from collections import Counter, defaultdict

import numpy as np

_END = "\n"


def words_like(known: list[str], count: int, seed: int = 7) -> list[str]:
    """Return `count` different words: the known ones in order, then made ones.

    A made word's letters follow the three before as they do in the known words; each list begins
    the longer ones of the same seed.
    """
    words = dict.fromkeys(known)
    rng = np.random.default_rng(seed)
    following: dict[str, str] = defaultdict(str)
    for word in words:
        text = _END * 3 + word + _END
        for i in range(3, len(text)):
            following[text[i - 3 : i]] += text[i]
    while len(words) < count:
        chances = iter(rng.random(1 << 16).tolist())
        context, word = _END * 3, ""
        for chance in chances:
            letters = following[context]
            letter = letters[int(chance * len(letters))]
            if letter == _END:
                words[word] = None
                context, word = _END * 3, ""
                if len(words) >= count:
                    break
            else:
                context = context[1:] + letter
                word += letter
    return list(words)[:count]


def common_pieces(words: list[str], count: int) -> list[str]:
    """Return the commonest runs of two to five letters, for an alphabet of word pieces."""
    found = Counter(
        word[i : i + length]
        for word in words
        for length in range(2, 6)
        for i in range(len(word) - length + 1)
    )
    return [piece for piece, _ in found.most_common(count)]
