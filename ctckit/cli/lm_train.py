"""The command `lm train`: an n-gram model from text."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctckit.cli.errors import say, wrong_usage
from ctckit.cli.options import PATH, OutputPath

if TYPE_CHECKING:
    from ctckit.language.kneser_ney import Estimate

ENDINGS = (".arpa", ".arpa.gz")


@click.command("train", short_help="Train an n-gram model on text.")
@click.argument("corpus", metavar="CORPUS", type=PATH)
@click.option(
    "--order",
    type=click.IntRange(min=1, max=20),
    metavar="N",
    required=True,
    help="Words (or characters) of the longest n-grams, 1 to 20; words mostly 3 to 5, characters 6 "
    "to 10.",
)
@click.option(
    "--output",
    type=OutputPath(),
    metavar="FILE",
    required=True,
    help="The model, which ends in .arpa or .arpa.gz. A file that is there is replaced.",
)
@click.option(
    "--characters",
    is_flag=True,
    help="Model characters, not words. White space within a line is written <space>.",
)
@click.option(
    "--word-characters",
    metavar="CHARS",
    help="Words are the longest runs of these characters.  [default: what is between white space]",
)
@click.option(
    "--min-count",
    type=click.IntRange(min=1),
    metavar="K",
    default=1,
    show_default=True,
    help="Leave out n-grams of three and more that occur less often.",
)
def train(
    corpus: Path,
    order: int,
    output: Path,
    characters: bool,
    word_characters: str | None,
    min_count: int,
) -> None:
    """Train an n-gram model on the text CORPUS, UTF-8, by modified Kneser-Ney smoothing.

    Each line is a sentence: the model learns how lines begin and end, and nothing across their
    ends. A text that is one long line is one sentence; put each sentence on a line of its own
    before. Blank lines are left out.

    \b
    ctckit lm train corpus.txt --order 4 --output words.arpa.gz
    ctckit lm train corpus.txt --order 8 --characters --output characters.arpa.gz
    """  # noqa: D301 - click wants a backspace
    if not output.name.endswith(ENDINGS):
        raise click.UsageError(
            f"output must end in {' or '.join(ENDINGS)}, got '{output}'; the ending says the format"
        )
    if characters and word_characters is not None:
        raise click.UsageError(
            f"--word-characters must not be given with --characters, got {word_characters!r}; "
            "give one of the two"
        )
    from ctckit.language.arpa_writer import write_arpa
    from ctckit.language.corpus import read_corpus, split_sentences
    from ctckit.language.kneser_ney import estimate

    text = read_corpus(corpus)
    sentences = split_sentences(text, characters=characters, word_characters=word_characters)
    with wrong_usage():
        made = estimate(sentences, order, min_count=min_count)
    write_arpa(output, made.lists)
    _tell(made, output, "characters" if characters else "words")


def _tell(made: Estimate, output: Path, words: str) -> None:
    if made.fallback:
        orders = ", ".join(map(str, made.fallback))
        say(
            f"note: discounts of order {orders} are 0.5, 1 and 1.5: there are too few different "
            "n-grams to estimate them"
        )
    if made.sentences == 1:
        say("note: the corpus is one line, which is one sentence; see ctckit lm train --help")
    counts = " + ".join(f"{len(rows):,}" for rows in made.lists.rows)
    lines = "line" if made.sentences == 1 else "lines"
    say(
        f"{made.words:,} {words} in {made.sentences:,} {lines}: {counts} n-grams written to "
        f"'{output}' ({output.stat().st_size / 1e6:,.1f} MB)"
    )
