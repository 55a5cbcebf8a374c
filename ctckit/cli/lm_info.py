"""The command `lm info`: what is in a language model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctckit.cli.options import PATH
from ctckit.cli.tables import print_table

if TYPE_CHECKING:
    from ctckit.language.ngrams import NGramModel
    from ctckit.language.textscore import TextScore


@click.command("info", short_help="Say what is in a language model.")
@click.argument("file", metavar="FILE", type=PATH)
@click.option(
    "--text",
    type=PATH,
    metavar="FILE",
    help="Also say how well the model foretells this text, a sentence a line.",
)
@click.option("--characters", is_flag=True, help="The words of that text are its characters.")
@click.option(
    "--word-characters",
    metavar="CHARS",
    help="The words of that text are the longest runs of these.  [default: what is between white "
    "space]",
)
def info(file: Path, text: Path | None, characters: bool, word_characters: str | None) -> None:
    """Say what is in a language model: an ARPA file, plain or gzip, or one that ctckit saved.

    n-grams are counted with those that were missing and had to be added: an n-gram without its last
    or its first word. They change no score. A model whose words are one character long is one of
    characters.

    Perplexity is one over the geometric mean of the probabilities of a text's words and ends of
    sentences, with and without the unknown words; the lower, the better the model fits the text.
    """
    if characters and word_characters is not None:
        raise click.UsageError(
            f"--word-characters must not be given with --characters, got {word_characters!r}; "
            "give one of the two"
        )
    from ctckit.language.corpus import read_corpus, split_sentences
    from ctckit.language.ngrams import NGramModel

    sentences = None
    if text is not None:
        sentences = split_sentences(
            read_corpus(text), characters=characters, word_characters=word_characters
        )
    model = NGramModel.load(file)
    rows = _facts(file, model)
    if sentences is not None:
        rows += _measures(model.score_text(sentences))
    print_table(["what", "value"], rows, right=1)


def _facts(file: Path, model: NGramModel) -> list[tuple[str, str]]:
    rows = [("order", f"{model.order}"), ("words", f"{len(model.words)}")]
    length = model.words.mean_length()
    guess = "a model of characters" if length < 1.5 else "a model of words"
    rows += [("mean characters a word", f"{length:.2f}"), ("looks like", guess)]
    for n, (count, added) in enumerate(zip(model.counts, model.added, strict=True), start=1):
        rows += [(f"{n}-grams", f"{count}")]
        rows += [(f"{n}-grams added", f"{added}")] if added else []
    marks = {"<s>": model.begin, "</s>": model.end}
    rows += [(mark, "yes" if number >= 0 else "no") for mark, number in marks.items()]
    rows += [("<unk>", "added" if model.added[0] else "yes")]
    size = sum(array.nbytes for array in model.arrays) + model.words.nbytes
    rows += [("file, MB", f"{file.stat().st_size / 1e6:.1f}"), ("memory, MB", f"{size / 1e6:.1f}")]
    return rows


def _measures(score: TextScore) -> list[tuple[str, str]]:
    return [
        ("text: sentences", f"{score.sentences}"),
        ("text: words", f"{score.words}"),
        ("text: unknown words", f"{score.unknown}"),
        ("text: perplexity", f"{score.perplexity:.2f}"),
        ("text: perplexity without unknown words", f"{score.known_perplexity:.2f}"),
    ]
