"""The command `read`: images become texts, at once."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
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
from ctckit.cli.errors import FAILED
from ctckit.cli.images import model_option, tell_broken
from ctckit.cli.interrupts import taken_signals
from ctckit.cli.options import PATH
from ctckit.cli.output import Rows
from ctckit.cli.plugins import plugin_code
from ctckit.cli.progress import progress
from ctckit.cli.tables import escape
from ctckit.errors import CtckitError

if TYPE_CHECKING:
    from ctckit.decoders.base import Decoder
    from ctckit.recognizer.folders import ImageFile
    from ctckit.recognizer.recognizer import Recognizer
    from ctckit.recognizer.windows import Broken, Prepared


@click.command("read", cls=DecoderCommand, short_help="Read images of words or lines.")
@click.argument("images", type=PATH, metavar="IMAGE...", nargs=-1, required=True)
@click.option("--json", "as_json", is_flag=True, help="Write a JSON object for each image.")
@click.pass_context
def read(
    context: click.Context,
    /,
    images: Sequence[Path],
    model: Path | None,
    as_json: bool,
    **options: Any,
) -> None:
    r"""Read images of a word or a line each: PNG, JPEG and TIFF files, or folders of them.

    Writes for each the file, the text and its probability, 0 to 1, separated by tabs; tab,
    newline, carriage return and backslash within a name or text are written \t, \n, \r and \\.
    With --json each is an object of file, text, probability and score (what the decoder ranked
    by, null if infinite), one a line.

    An image that cannot be read is named on stderr and left out, and the exit code is then 1.
    Runs on the CPU: for many images on a GPU, and to try several decoders, see ctckit dump.
    """
    given = given_options(context, options)
    from ctckit.recognizer import engines

    engines.choose("cpu")
    with taken_signals() as interrupts:
        from ctckit.recognizer.recognizer import Recognizer

        recognizer = Recognizer.load(model, "cpu")
        interrupts.check()
        decoder = make_decoder(context, recognizer.alphabet, given)
        found, wrong = _find(images)
        tell_broken(wrong)
        failed = bool(wrong)
        quiet = sys.stdout.isatty() or len(found) == 1
        with (
            progress("read", len(found), unit="images", quiet=quiet) as advance,
            closing(_rows(found, recognizer, decoder_name(context), decoder, advance)) as parts,
        ):
            for rows, broken in interrupts.between(parts):
                tell_broken(broken)
                failed = failed or bool(broken)
                if rows is not None:
                    click.echo("\n".join(_lines(rows, as_json)))
    if failed:
        context.exit(FAILED)


read.params[1:1] = [decoder_option(), model_option()]


def _find(paths: Sequence[Path]) -> tuple[list[ImageFile], list[str]]:
    """Return the images that are named or lie in a folder that is, and what is wrong."""
    from ctckit.recognizer.folders import ImageFile, find_images

    found: list[ImageFile] = []
    wrong = []
    for path in paths:
        if not path.is_dir():
            found.append(ImageFile(str(path), path))
            continue
        try:
            found += [ImageFile(str(one.path), one.path) for one in find_images(path)]
        except CtckitError as error:
            wrong.append(str(error))
    return found, wrong


def _rows(
    images: Sequence[ImageFile],
    recognizer: Recognizer,
    name: str,
    decoder: Decoder,
    on_images: Callable[[int], None],
) -> Generator[tuple[Rows | None, list[str]], None, None]:
    """Yield what is read, many images at a time, and a message a broken one."""
    from ctckit.recognizer.reading import prepare_image, recognize_images

    def prepare(image: ImageFile) -> list[Prepared | Broken]:
        return [prepare_image(recognizer, image)]

    for batch, broken in recognize_images(images, prepare, recognizer, on_images=on_images):
        rows = None
        if batch is not None:
            with plugin_code(name, decoder):
                decoded = decoder.decode_batch(batch)
            rows = Rows.of(decoded)
        yield rows, broken


def _lines(rows: Rows, as_json: bool) -> Iterator[str]:
    for file, text, log_prob, score in zip(
        rows.ids, rows.texts, rows.log_probs, rows.scores, strict=True
    ):
        probability = math.exp(log_prob)
        if not as_json:
            yield f"{escape(file)}\t{escape(text)}\t{probability:.4g}"
            continue
        told: dict[str, Any] = {"file": file, "text": text, "probability": probability}
        told["score"] = score if math.isfinite(score) else None
        yield json.dumps(told, ensure_ascii=False)
