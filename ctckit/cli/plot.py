"""The command `plot`: a picture of a matrix, and of what a decoder reads in it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ctckit.cli.decoding import DecoderCommand, decoder_option, given_options, make_decoder
from ctckit.cli.options import PATH, OutputPath, check_output_ending
from ctckit.cli.output import is_device, open_output
from ctckit.errors import InvalidValueError

if TYPE_CHECKING:
    from ctckit.dumps.store import Dump

ENDINGS = (".png", ".svg", ".pdf")


@click.command("plot", cls=DecoderCommand, short_help="Draw a matrix, and what is read in it.")
@click.argument("dump", type=PATH)
@click.argument("id")
@click.option(
    "--output",
    metavar="FILE",
    type=OutputPath(),
    required=True,
    help=f"Where the picture goes: {', '.join(ENDINGS)}.",
)
@click.option(
    "--alignment",
    is_flag=True,
    help="Draw which frames belong to which token, in place of the whole matrix.",
)
@click.option(
    "--image",
    type=PATH,
    metavar="FILE",
    help="The image that ctckit dump made the matrix from, to be drawn above it.",
)
@click.pass_context
def plot(
    context: click.Context,
    /,
    dump: Path,
    id: str,
    output: Path,
    alignment: bool,
    image: Path | None,
    **options: Any,
) -> None:
    """Draw the matrix of DUMP that is called ID, and the best text that a decoder finds in it.

    A heat map: classes by frames, the darker the likelier. The text's likeliest alignment is
    framed, and its tokens stand above their first frames. Needs Matplotlib: ctckit[plots].
    """
    if not is_device(output):
        check_output_ending(output, ENDINGS)
    given = given_options(context, options)
    # It would say on stderr that it looks for fonts, the first time.
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    from ctckit.dumps import open_dump
    from ctckit.plots import plot_alignment, plot_bytes, plot_matrix

    opened = open_dump(dump)
    batch = opened[opened.index(id)]
    pixels = None if image is None else _prepared(opened, image, len(batch[0]))
    best = make_decoder(context, opened.alphabet, given).decode_batch(batch)[0][0]
    if alignment:
        figure = plot_alignment(batch, best, image=pixels)
    else:
        figure = plot_matrix(batch, hypothesis=best, image=pixels)
    picture = plot_bytes(figure, output.suffix.lower()[1:] or "png")
    with open_output(output) as handle:
        handle.write(picture)


plot.params[2:2] = [decoder_option()]


def _prepared(dump: Dump, path: Path, frames: int) -> Any:
    """Return the image as the network saw it, dark on light."""
    said = dump.source.get("preprocessing")
    if not isinstance(said, dict):
        raise InvalidValueError(
            f"image must be of a dump that ctckit dump made, got '{dump.path}'; leave --image out"
        )
    from ctckit.recognizer.extras import require_images

    require_images()
    from ctckit.recognizer.images import read_image
    from ctckit.recognizer.preprocessing import COLUMNS, Preprocessing

    try:
        preprocessing = Preprocessing(**said)
    except TypeError:
        raise InvalidValueError(
            f"preprocessing must be as this ctckit does it, got {said} in '{dump.path}'; "
            "leave --image out"
        ) from None
    preprocessing.check()
    prepared = preprocessing.apply(read_image(path))
    if prepared.shape[1] != COLUMNS * frames:
        raise InvalidValueError(
            f"image must be the one that the matrix was made from, got '{path}', which gives "
            f"{prepared.shape[1] // COLUMNS} frames, not {frames}; give that one"
        )
    return 255 - prepared
