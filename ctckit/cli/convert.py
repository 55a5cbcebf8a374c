"""``ctckit convert``: matrices of other programs become a dump, and the other way round."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ctckit.cli.errors import FAILED, say, wrong_usage
from ctckit.cli.options import PATH

NAMED = 10
"""Ids that fit no matrix are all counted, and so many of them named."""


@click.command(short_help="Convert matrices between npy, npz, CSV and dumps.")
@click.argument("source", metavar="SRC", type=PATH)
@click.argument("destination", metavar="DST", type=PATH)
@click.option(
    "--alphabet",
    type=PATH,
    help="Text file of the characters in order, all on one line without separators (as SimpleHTR's "
    "charList.txt), or a .json list of tokens; with or without the blank.",
)
@click.option(
    "--blank",
    type=click.IntRange(min=0),
    metavar="INDEX",
    help="Class of the blank, counted from 0. For CSV files by default the last.",
)
@click.option(
    "--kind",
    type=click.Choice(["log-probs", "probs", "logits"]),
    help="What the numbers are: natural-log probabilities, probabilities, or scores before the "
    "softmax. Never guessed; CSV files hold logits.",
)
@click.option(
    "--layout",
    type=click.Choice(["NTC", "TNC"]),
    help="Axes of a 3-D array: lines, frames, classes (default), or frames first.",
)
@click.option(
    "--store",
    type=click.Choice(["float16", "float32"]),
    help="Type of the values in a dump.  [default: float32, or as in the dump read]",
)
@click.option(
    "--references",
    type=PATH,
    metavar="FILE",
    help="True texts: .csv with the columns id (or file) and text, or .jsonl.",
)
@click.option(
    "--to",
    type=click.Choice(["dump", "npz", "csv"]),
    help="What to write.  [default: npz if DST ends so, else a dump]",
)
@click.option("--overwrite", is_flag=True, help="Replace what DST holds, if of the same format.")
@click.pass_context
def convert(context: click.Context, /, source: Path, destination: Path, **options: Any) -> None:
    """Convert matrices from SRC to DST.

    SRC is a .npy, .npz or .csv file, a folder of .csv files, or a dump. DST becomes a dump, a
    .npz file, or a folder of .csv files as SimpleHTR writes them (logits, blank last).

    \b
    ctckit convert matrices.npz dump --alphabet chars.txt --blank 79 --kind logits
    ctckit convert csvs/ dump --alphabet charList.txt --references texts.csv
    ctckit convert dump matrices.npz
    """  # noqa: D301 - click wants a backspace
    from ctckit.dumps.convert import convert as convert_matrices
    from ctckit.dumps.declared import RequestError

    try:
        done = convert_matrices(source, destination, **options)
    except RequestError as error:
        with wrong_usage(context):
            raise error from None
    noun = "matrix" if done.count == 1 else "matrices"
    say(
        f"{done.count} {noun} written to '{destination}' ({done.format}), "
        f"{done.with_reference} with a reference"
    )
    unknown = done.unknown_references
    if unknown:
        named = ", ".join(map(repr, unknown[:NAMED])) + (", ..." if len(unknown) > NAMED else "")
        say(f"warning: {len(unknown)} references have an id that no matrix has: {named}")
    for message in done.damaged:
        say(f"error: {message}")
    if done.damaged:
        context.exit(FAILED)
