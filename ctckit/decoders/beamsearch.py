"""The decoder `beamsearch`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ctckit.decoders.beam import BeamDecoder
from ctckit.decoders.options import option
from ctckit.errors import InvalidValueError
from ctckit.hypotheses import SearchResult
from ctckit.matrices import MatrixBatch

if TYPE_CHECKING:
    from ctckit.language.ngrams import NGramModel


class BeamSearch(BeamDecoder):
    """Keep the likeliest prefixes of each frame, all their alignments summed (exact prefix search).

    Prefix search of Hannun et al. (arXiv 1408.2873, 2014) on the model of Graves et al. (2006).
    Every class is tried in every frame. Without a model the score is the natural log of the
    probability that the search gathered for a text; it is at most the text's ``log_prob``, and
    less where a prefix had to leave the beam for a while. Prefixes that are less than 1e-200 times
    as likely as the best one are dropped.

    With an n-gram model of characters (or whatever the tokens are) the score is that
    (``matrix``), plus lm_weight times the natural log of the tokens' probability, the start and
    the end of the text among them (``lm``), plus token_bonus for each token (``words``). In the
    model a space is ``<space>``; tokens that it lacks count as its ``<unk>``.
    """

    # Without what another model or bonus would add.
    exhaustive: ClassVar[Mapping[str, Any]] = {"beam_width": 10_000, "lm": None, "token_bonus": 0.0}

    lm: Path | None = option(None, help="N-gram model of characters, an ARPA file.")
    lm_weight: float = option(0.5, minimum=0.0, help="Of the model's log-probabilities.")
    token_bonus: float = option(0.0, help="Added for each token.")
    beam_threshold: float | None = option(
        10.0,
        minimum=0.0,
        help="With lm or token_bonus: prefixes whose score is this far below the best one's are "
        "dropped.",
    )

    def prepare(self) -> None:
        """Load the model and the kernel."""
        self.scores_are_log_probs = self.lm is None and self.token_bonus == 0.0
        if self.scores_are_log_probs:
            from ctckit.kernels.beamsearch import beam_search

            self._kernel: Callable[..., int] = beam_search
            return
        self._prepare_words(self.lm)

    def _prepare_words(self, path: Path | None) -> None:
        """Let every token be a word, so that the search of words does it."""
        from ctckit.decoders.language import PARTS, WordRules, WordSearch
        from ctckit.language import Lexicon, NGramModel
        from ctckit.language.tables import LanguageTables

        tokens = list(self.alphabet.token_ids)
        if not tokens:
            raise InvalidValueError(
                "alphabet must have a token beside the blank for lm and token_bonus, got none; "
                "leave these options out"
            )
        model = None if path is None else NGramModel.load(path)
        lexicon = Lexicon(tokens, self.alphabet)
        tables = None
        if model is not None:
            names = _names_in_model(lexicon.words)
            _check_model(model, path, names, max(map(len, tokens)))
            # A weight of 0 takes the model out, even where it says -inf.
            if self.lm_weight > 0:
                tables = LanguageTables(model, model.words.numbers(names, unknown=-1))
        rules = WordRules(
            word_characters="".join(tokens),
            separator=None,
            lm_weight=self.lm_weight,
            word_bonus=self.token_bonus,
            one_reading=True,
            beam_threshold=self.beam_threshold,
        )
        self.score_parts = PARTS
        self._words = WordSearch(self.alphabet, lexicon, rules, tables)

    def search(self, batch: MatrixBatch, n_best: int) -> SearchResult:
        """Return up to `n_best` texts a matrix, best first."""
        if self.lm is None and self.token_bonus == 0.0:
            return self.run_kernel(self._kernel, batch, n_best)
        return self._words.run(self, batch, n_best)


def _names_in_model(tokens: Sequence[str]) -> list[str]:
    """Return what tokens are in a model of characters: the space is ``<space>``, or another one."""
    from ctckit.language.corpus import SPACE

    space = " " if " " in tokens else next(filter(str.isspace, tokens), None)
    return [SPACE if token == space else token for token in tokens]


def _check_model(model: NGramModel, path: Path | None, tokens: Sequence[str], longest: int) -> None:
    """Refuse a model of words, most of which are longer than any token, and one of other letters.

    tokens : their names in the model; longest : characters of the longest token
    """
    names = set(tokens)
    special = {model.unknown, model.begin, model.end}
    words = [word for i, word in enumerate(model.words) if i not in special]
    known = names.intersection(words)
    longer = [word for word in words if word not in names and len(word) > longest]
    letters = set(filter(str.isalpha, names))
    others = [word for word in words if word not in names and word.isalpha()]
    # Of other letters each would count as unknown, and nothing would be said.
    foreign = bool(letters and others) and not letters & known
    if known and len(longer) <= len(words) / 2 and not foreign:
        return
    advice = "make one with ctckit lm train --characters, or use ngrambeamsearch"
    if any(word.swapcase() in letters for word in others):
        advice = "the alphabet has them in another case: convert the text that it is made of"
    examples = ", ".join(map(repr, (longer or others or words)[:3]))
    raise InvalidValueError(
        f"lm must be a model of the alphabet's tokens, got '{path}' with the words "
        f"{examples}; {advice}"
    )
