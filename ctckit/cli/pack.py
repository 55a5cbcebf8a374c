"""The command `pack`: a data set becomes one file of decoded images."""

from __future__ import annotations

from pathlib import Path

import click

from ctckit.cli.errors import FAILED, say
from ctckit.cli.images import images_text
from ctckit.cli.interrupts import taken_signals
from ctckit.cli.left_out import tell_left_out
from ctckit.cli.options import PATH
from ctckit.cli.progress import progress


@click.command("pack", short_help="Pack a data set into one file that is read fast.")
@click.argument("folder", metavar="DIR", type=PATH)
@click.option(
    "--output",
    type=PATH,
    metavar="FILE",
    help="The file, which ends in .arrow.  [default: DIR/packed.arrow]",
)
@click.pass_context
def pack(context: click.Context, folder: Path, output: Path | None) -> None:
    """Decode the images of a data set once, into one memory-mapped file.

    ctckit train reads packed.arrow by itself where it lies in a --data folder and nothing in there
    is newer; a packed file elsewhere is named with --data. Images are gray, and those of more than
    96 rows are scaled down to that, as training does. Layouts are those of ctckit train.

    \b
    ctckit pack my-images
    ctckit pack my-images --output packed.arrow
    """  # noqa: D301 - click wants a backspace
    from ctckit.recognizer.extras import require_images

    require_images()
    from ctckit.recognizer.datasets.detect import read_dataset
    from ctckit.recognizer.packing import target_of, write_packed

    target = target_of(folder, output)
    with taken_signals() as interrupts:
        found = read_dataset(folder)
        interrupts.check()
        total = len(found.items)
        with progress("pack", total, unit="images") as advance, interrupts.at(advance) as on_images:
            packed = write_packed(folder, found, target, on_images)
    tell_left_out(packed)
    say(
        f"{images_text(len(packed.items))} of the layout '{packed.layout}' packed into '{target}' "
        f"({target.stat().st_size / 1e6:,.1f} MB)"
    )
    if packed.broken or packed.damaged:
        context.exit(FAILED)
