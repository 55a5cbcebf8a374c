"""The command `validate`: how well a model reads images whose texts are known."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctckit.cli.decoding import (
    DecoderCommand,
    decoder_name,
    decoder_option,
    given_options,
    make_decoder,
)
from ctckit.cli.errors import FAILED, Failure, say
from ctckit.cli.images import (
    BATCH_SIZE,
    NAMED,
    device_option,
    model_option,
    tell_broken,
)
from ctckit.cli.interrupts import Interrupts, taken_signals
from ctckit.cli.left_out import tell_left_out
from ctckit.cli.options import PATH, click_option
from ctckit.cli.plugins import plugin_code
from ctckit.cli.progress import progress
from ctckit.cli.tables import print_table

if TYPE_CHECKING:
    from ctckit.decoders.base import Decoder
    from ctckit.recognizer.datasets.layout import DataSet
    from ctckit.recognizer.recognizer import Recognizer
    from ctckit.recognizer.validation import Validation


@click.command("validate", cls=DecoderCommand, short_help="Error rates of a model on images.")
@click.option(
    "--data",
    type=PATH,
    metavar="DIR",
    required=True,
    help="Folder of images with texts, or a file that ctckit pack wrote; layouts are those of "
    "ctckit train.",
)
@click.option(
    "--part",
    type=click.Choice(["train", "validation", "test"]),
    help="Only these images of a data set that comes with such parts.  [default: all]",
)
@click.pass_context
def validate(
    context: click.Context,
    /,
    data: Path,
    part: str | None,
    model: Path | None,
    device: str,
    batch_size: int | None,
    **options: Any,
) -> None:
    """Read images whose texts are known, and write how many errors there are.

    CER and WER are the errors among all characters and words, exact the share of images without
    one. Texts are compared in NFC, without blanks at their ends. Characters that the model's
    alphabet lacks are counted and named; each is an error. Images without a text are left out.

    An image that cannot be read is named and left out, as is a label that makes no sense, and the
    exit code is then 1.
    """
    given = given_options(context, options)
    from ctckit.recognizer import engines

    engines.choose(device)
    with taken_signals() as interrupts:
        from ctckit.recognizer import validation
        from ctckit.recognizer.packed import open_data
        from ctckit.recognizer.recognizer import Recognizer

        found, note = open_data(data)
        if note:
            say(note)
        tell_left_out(found)
        found = validation.of_part(found, part, data)
        recognizer = Recognizer.load(model, device)
        interrupts.check()
        decoder = make_decoder(context, recognizer.alphabet, given)
        texts = (item.text for item in found.items)
        _tell_lacking(validation.lacking(texts, recognizer.alphabet))
        with plugin_code(decoder_name(context), decoder):
            done = _validate(found, recognizer, decoder, batch_size, interrupts)
    tell_broken(done.broken)
    _tell_rates(decoder_name(context), done)
    if done.broken or found.broken or found.damaged:
        context.exit(FAILED)


validate.params[1:1] = [decoder_option(), model_option(), device_option()]
validate.params += [click_option(BATCH_SIZE)]


def _validate(
    found: DataSet,
    recognizer: Recognizer,
    decoder: Decoder,
    batch_size: int | None,
    interrupts: Interrupts,
) -> Validation:
    from ctckit.recognizer.validation import validate

    with progress("validate", len(found.items), unit="images") as advance:

        def on_images(count: int) -> None:
            advance(count)
            interrupts.check()

        size = batch_size or BATCH_SIZE.default
        return validate(found, recognizer, decoder, batch_size=size, on_images=on_images)


def _tell_lacking(counts: Mapping[str, int]) -> None:
    """Count and name the characters that the model cannot write."""
    if not counts:
        return
    named = ", ".join(f"{char!r} ({count:,})" for char, count in list(counts.items())[:NAMED])
    more = ", ..." if len(counts) > NAMED else ""
    total = sum(counts.values())
    what = "character" if len(counts) == 1 else "characters"
    say(
        f"warning: the model's alphabet lacks {len(counts):,} {what} of the texts, found "
        f"{total:,} {'time' if total == 1 else 'times'}: {named}{more}"
    )


def _tell_rates(decoder: str, done: Validation) -> None:
    errors = done.errors
    if not errors.lines:
        raise Failure(
            f"images must be readable, got {len(done.broken):,} broken ones and no other; check "
            "the files"
        )
    rates = [f"{rate:.4f}" for rate in (errors.cer, errors.wer, errors.exact)]
    row = [decoder, f"{errors.lines}", *rates]
    print_table(["decoder", "images", "CER", "WER", "exact"], [row], right=4)
