"""Slow, plain references for n-gram models: dictionaries, float64, straight from the definitions.

They share no code with `ctckit.language`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

Words = tuple[str, ...]


class Backoff:
    """A model with backoff (Katz, 1987), from the text of an ARPA file; log10 throughout."""

    def __init__(self, arpa: str) -> None:
        self.log_probs: dict[Words, float] = {}
        self.weights: dict[Words, float] = {}
        self.order = 0
        for line in arpa.splitlines():
            fields = line.split()
            if line.startswith("\\") and line.rstrip().endswith("-grams:"):
                self.order = int(line[1 : line.index("-")])
            elif self.order and fields and not line.startswith("\\"):
                words = tuple(fields[1 : self.order + 1])
                self.log_probs[words] = float(fields[0])
                self.weights[words] = float((*fields, "0")[self.order + 1])
        self.log_probs.setdefault(("<unk>",), -100.0)

    def log_prob(self, history: Words, word: str) -> float:
        """Return the log10 probability of a word after a history of any length."""
        return self._look_up(self._known(history), *self._known((word,)))

    def sentence(
        self, words: Sequence[str], *, begin: bool = True, end: bool = True
    ) -> list[float]:
        """Return the log10 probability of each word of a sentence, and of its end."""
        history: Words = ("<s>",) if begin and ("<s>",) in self.log_probs else ()
        found = []
        for word in [*words, *(["</s>"] if end and ("</s>",) in self.log_probs else [])]:
            found.append(self.log_prob(history, word))
            history = (*history, word)
        return found

    def matched(self, history: Words, word: str) -> int:
        """Return the length of the longest n-gram that ends in a word after a history."""
        whole = (*self._known(history), *self._known((word,)))
        most = min(self.order, len(whole))
        return max(n for n in range(1, most + 1) if whole[-n:] in self.log_probs)

    def _known(self, words: Words) -> Words:
        return tuple(word if (word,) in self.log_probs else "<unk>" for word in words)

    def _look_up(self, history: Words, word: str) -> float:
        history = history[max(len(history) - self.order + 1, 0) :]
        if (*history, word) in self.log_probs:
            return self.log_probs[*history, word]
        return self.weights.get(history, 0.0) + self._look_up(history[1:], word)


class KneserNey:
    """Interpolated modified Kneser-Ney (Chen and Goodman, 1998), each probability by itself.

    Sentences are of words, ``<unk>`` among them for unknown ones, and order is that of the longest
    n-grams. `min_count` is of those of three words and more, `fallback` the discounts where counts
    of counts are 0 or give none above 0.
    """

    def __init__(
        self,
        sentences: Sequence[Sequence[str]],
        order: int,
        min_count: int = 1,
        fallback: Sequence[float] = (0.5, 1.0, 1.5),
    ) -> None:
        self.order = order
        marked = [("<s>", *words, "</s>") for words in sentences]
        self.counts: list[Counter[Words]] = []
        for n in range(1, order + 1):
            self.counts.append(
                Counter(words[i : i + n] for words in marked for i in range(len(words) - n + 1))
            )
        self.words = sorted({"<unk>"} | {word for words in marked for word in words} - {"<s>"})
        self.adjusted = [self._adjusted(n) for n in range(1, order + 1)]
        self.discounts = [self._discounts(one, fallback) for one in self.adjusted]
        self.kept = [
            {words for words, count in own.items() if n < 3 or count >= min_count}
            for n, own in enumerate(self.counts, start=1)
        ]

    def _adjusted(self, n: int) -> dict[Words, int]:
        own = dict(self.counts[n - 1])
        if n < self.order:
            before = Counter(words[1:] for words in self.counts[n])
            own = {words: before[words] if words[0] != "<s>" else c for words, c in own.items()}
        own.pop(("<s>",), None)
        return own

    @staticmethod
    def _discounts(adjusted: dict[Words, int], fallback: Sequence[float]) -> Sequence[float]:
        times = Counter(adjusted.values())
        if not all(times[k] for k in (1, 2, 3, 4)):
            return fallback
        share = times[1] / (times[1] + 2 * times[2])
        found = [k - (k + 1) * share * times[k + 1] / times[k] for k in (1, 2, 3)]
        return found if min(found) > 0 else fallback

    def prob(self, history: Words, word: str) -> float:
        """Return the probability of a word after a history of up to N - 1 words."""
        n = len(history) + 1
        own = self.adjusted[n - 1]
        following = {words: c for words, c in own.items() if words[:-1] == history}
        lower = self.prob(history[1:], word) if history else 1 / len(self.words)
        if not following:
            return lower
        total = sum(following.values())
        kept = {words: c for words, c in following.items() if words in self.kept[n - 1]}
        off = {words: self.discounts[n - 1][min(c, 3) - 1] for words, c in kept.items()}
        left = total - math.fsum(c - off[words] for words, c in kept.items())
        seen = (*history, word)
        share = (kept[seen] - off[seen]) / total if seen in kept else 0.0
        return share + left / total * lower
