"""The command `dump`: images become matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ctckit.cli.errors import FAILED, Interrupted, say, wrong_usage
from ctckit.cli.images import (
    BATCH_SIZE,
    device_option,
    images_text,
    model_option,
    tell_broken,
    tell_names,
)
from ctckit.cli.interrupts import Interrupts, taken_signals
from ctckit.cli.options import PATH, THREADS, click_option
from ctckit.cli.progress import progress

if TYPE_CHECKING:
    from ctckit.recognizer.dumping import ImageDump
    from ctckit.recognizer.folders import ImageFile
    from ctckit.recognizer.recognizer import Recognizer
    from ctckit.recognizer.references import ImageReferences

READERS = replace(THREADS, help="Threads that read images, by default as many as cores.")


@click.command("dump", short_help="Turn a folder of images into a dump of matrices.")
@click.option(
    "--images",
    "folder",
    type=PATH,
    metavar="DIR",
    required=True,
    help="Folder of PNG, JPEG and TIFF files; sub-folders too.",
)
@click.option(
    "--output",
    type=PATH,
    metavar="DIR",
    default=Path("dump"),
    help="Folder of the dump.  [default: dump]",
)
@click.option(
    "--references",
    type=PATH,
    metavar="FILE",
    help="True texts: .csv with the columns file (or id) and text, or .jsonl.  [default: "
    "labels.csv in the folders, and NAME.gt.txt beside an image]",
)
@click.option(
    "--store",
    type=click.Choice(["float16", "float32"]),
    default="float32",
    help="Type of the values in the dump.  [default: float32]",
)
@click.option(
    "--csv",
    type=PATH,
    metavar="DIR",
    help="Write the matrices to a folder of CSV files too, as SimpleHTR has them (logits, blank "
    "last).",
)
@click.option(
    "--overwrite",
    is_flag=True,
    help="Replace the dump in --output (and the files in --csv) when the new one is complete.",
)
@click.pass_context
def dump(
    context: click.Context,
    /,
    folder: Path,
    output: Path,
    references: Path | None,
    model: Path | None,
    device: str,
    csv: Path | None,
    overwrite: bool,
    **options: Any,
) -> None:
    """Turn the images of a folder into a dump of matrices, for decode and bench.

    An image's id is its path below the folder. Run again with the same model and --store, the
    command goes on where it stopped: images that are in the dump are passed over. Where one of
    them is gone or has changed, or its text has, the dump has to be made anew with --overwrite.
    With --overwrite the old dump stays until the new one is complete, and a run that is
    interrupted begins anew. A folder in --csv that ctckit has written from the dump is replaced
    when the dump is gone on with.

    An image that cannot be read is named and left out, and the exit code is then 1.
    """
    from ctckit.recognizer import engines

    engines.choose(device)
    from ctckit.recognizer.folders import find_images
    from ctckit.recognizer.references import find_references

    _check_output(context, output, csv, overwrite)
    images = find_images(folder)
    found = find_references(folder, images, references)
    _tell_missing(found, len(images))
    with taken_signals() as interrupts:
        from ctckit.recognizer import dumping
        from ctckit.recognizer.recognizer import Recognizer

        recognizer = Recognizer.load(model, device)
        interrupts.check()
        given = {name: value for name, value in options.items() if value is not None}
        given |= {"texts": found.texts, "overwrite": overwrite}
        try:
            done = _dump(images, recognizer, output, interrupts, given)
        except KeyboardInterrupt:
            if overwrite or not dumping.holds_matrices(output):
                raise
            raise _GoesOn("what is written stays, run the command again to go on") from None
        if csv is not None:
            _write_csv(output, csv, overwrite, interrupts)
    _tell(done, output, csv)
    if done.broken:
        context.exit(FAILED)


dump.params[3:3] = [model_option(), device_option()]
dump.params += [click_option(BATCH_SIZE), click_option(READERS)]


def _check_output(context: click.Context, output: Path, csv: Path | None, overwrite: bool) -> None:
    from ctckit.dumps.declared import RequestError
    from ctckit.recognizer.dumping import check_output

    try:
        check_output(output, csv, overwrite)
    except RequestError as error:
        with wrong_usage(context):
            raise error from None


def _dump(
    images: Sequence[ImageFile],
    recognizer: Recognizer,
    output: Path,
    interrupts: Interrupts,
    options: dict[str, Any],
) -> ImageDump:
    """Make the dump, say how far it is, and name the images that are broken."""
    from ctckit.recognizer.dumping import NoReadableImageError, dump_images

    try:
        with progress("dump", len(images), unit="images") as advance, interrupts.at(advance) as on:
            done = dump_images(images, recognizer, output, on_images=on, **options)
    except NoReadableImageError as error:
        tell_broken(error.broken)
        raise
    tell_broken(done.broken)
    return done


def _write_csv(output: Path, csv: Path, overwrite: bool, interrupts: Interrupts) -> None:
    """Write the folder of CSV files of a dump that is complete."""
    from ctckit.recognizer.dumping import write_csv_folder

    try:
        interrupts.check()
        write_csv_folder(output, csv, overwrite)
    except KeyboardInterrupt:
        again = ", without --overwrite," if overwrite else ""
        raise _GoesOn(
            f"the dump '{output}' is complete, run the command again{again} for '{csv}'"
        ) from None


def _tell_missing(found: ImageReferences, count: int) -> None:
    """Count and name the texts without images, and the other way round."""
    if found.without_image:
        tell_names("references without an image", found.without_image)
    if not found.texts:
        say(f"none of the {count:,} images has a text, so the dump has no references")
    elif found.without_text:
        tell_names("images without a text", found.without_text)


def _tell(done: ImageDump, output: Path, csv: Path | None) -> None:
    """Say in one line what was done."""
    files = "" if csv is None else f", CSV files in '{csv}'"
    if done.images == done.already and not done.broken:
        start = "nothing to do: " if csv is None else ""
        say(f"{start}{images_text(done.images)} already in '{output}'{files}")
        return
    said = f"{images_text(done.images)} in '{output}'{files}"
    if done.without_text:
        said += f" ({done.without_text:,} with no text)"
    if done.already:
        said += f", {done.already:,} were already there"
    if done.images > done.already:
        rate = (done.images - done.already) / max(done.seconds, 1e-9)
        said += f", {rate:,.0f} images/s, {done.seconds:,.1f} s"
    say(said)


class _GoesOn(Interrupted):
    """Ends the command after ctrl-C, when something is done that the next run need not do."""

    def __init__(self, what: str) -> None:
        super().__init__()
        self.what = what

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        say(f"{self.message}; {self.what}")
