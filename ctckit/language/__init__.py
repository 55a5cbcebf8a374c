"""Words, and what is known of their order: for decoders that keep to a language.

Public, for decoder plugins too. The arrays inside are flat and go to kernels as they are;
`ctckit.kernels.lexicon` looks things up in them.
"""

from ctckit.language.bigrams import WordBigrams
from ctckit.language.bktree import BKTree
from ctckit.language.corpus import (
    SPACE,
    default_word_characters,
    read_corpus,
    split_sentences,
    split_words,
)
from ctckit.language.lexicon import Lexicon
from ctckit.language.ngrams import NGramModel
from ctckit.language.textscore import TextScore

__all__ = [
    "SPACE",
    "BKTree",
    "Lexicon",
    "NGramModel",
    "TextScore",
    "WordBigrams",
    "default_word_characters",
    "read_corpus",
    "split_sentences",
    "split_words",
]
