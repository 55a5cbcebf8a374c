"""The command `dump`: images become matrices."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import click

from ctckit.cli.errors import FAILED, Interrupted, say, wrong_usage
from ctckit.cli.images import (
    BATCH_SIZE,
    PATH,
    device_option,
    images_text,
    model_option,
    tell_broken,
    tell_names,
)
from ctckit.cli.options import THREADS, click_option
from ctckit.cli.progress import progress

if TYPE_CHECKING:
    from ctckit.recognizer.dumping import ImageDump
    from ctckit.recognizer.images import ImageFile
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
    interrupted begins anew.

    An image that cannot be read is named and left out, and the exit code is then 1.
    """
    from ctckit.recognizer import engines

    engines.choose(device)
    from ctckit.recognizer.images import find_images
    from ctckit.recognizer.references import find_references

    _check_output(context, output, csv, overwrite)
    images = find_images(folder)
    found = find_references(folder, images, references)
    _tell_missing(found, len(images))
    with _interrupts(goes_on=not overwrite) as interrupts:
        from ctckit.recognizer import dumping
        from ctckit.recognizer.recognizer import Recognizer

        recognizer = Recognizer.load(model, device)
        interrupts.check()
        given = {name: value for name, value in options.items() if value is not None}
        given |= {"texts": found.texts, "overwrite": overwrite}
        done = _dump(images, recognizer, output, interrupts, given)
        if csv is not None:
            interrupts.check()
            dumping.write_csv_folder(output, csv, overwrite)
    _tell(done, output)
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
    interrupts: _Interrupts,
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


def _tell_missing(found: ImageReferences, count: int) -> None:
    """Count and name the texts without images, and the other way round."""
    if found.without_image:
        tell_names("references without an image", found.without_image)
    if not found.texts:
        say(f"none of the {count:,} images has a text, so the dump has no references")
    elif found.without_text:
        tell_names("images without a text", found.without_text)


def _tell(done: ImageDump, output: Path) -> None:
    """Say in one line what was done."""
    if done.images == done.already and not done.broken:
        say(f"nothing to do: {images_text(done.images)} already in '{output}'")
        return
    said = f"{images_text(done.images)} in '{output}'"
    if done.without_text:
        said += f" ({done.without_text:,} with no text)"
    if done.already:
        said += f", {done.already:,} were already there"
    if done.images > done.already:
        rate = (done.images - done.already) / max(done.seconds, 1e-9)
        said += f", {rate:,.0f} images/s, {done.seconds:,.1f} s"
    say(said)


class _GoesOn(Interrupted):
    """Ends the command after ctrl-C, when the next run goes on from there."""

    def show(self, file: IO[Any] | None = None) -> None:
        """Print the line."""
        say(f"{self.message}; what is written stays, run the command again to go on")


class _Interrupts:
    """Takes ctrl-C and SIGTERM: at once, or while a dump is written at the next good moment.

    A second one is taken at once in any case. What is raised at once may be lost, as in a callback
    of the garbage collector, which JAX has; so it is asked for again by `check`.
    """

    def __init__(self) -> None:
        self.asked = False
        self.began = False
        self._waits = False

    def __call__(self, number: int, frame: object) -> None:
        at_once = self.asked or not self._waits
        self.asked = True
        if at_once:
            raise KeyboardInterrupt

    def check(self) -> None:
        """Raise KeyboardInterrupt if there was a signal."""
        if self.asked:
            raise KeyboardInterrupt

    @contextmanager
    def at(self, advance: Callable[[int], None]) -> Iterator[Callable[[int], None]]:
        """Give a function that does what `advance` does, and is a good moment."""

        def on_images(count: int) -> None:
            advance(count)
            self.check()

        self.began = self._waits = True
        try:
            yield on_images
        finally:
            self._waits = False


@contextmanager
def _interrupts(*, goes_on: bool) -> Iterator[_Interrupts]:
    """Handle signals inside, and turn them into one line."""
    interrupts = _Interrupts()
    before = {}
    unraisable = sys.unraisablehook
    sys.unraisablehook = _quiet_interrupts(unraisable)
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGINT, signal.SIGTERM):
            if signal.getsignal(number) not in (signal.SIG_IGN, None):  # as under nohup
                before[number] = signal.signal(number, interrupts)
    try:
        yield interrupts
    except KeyboardInterrupt:
        if goes_on and interrupts.began:
            raise _GoesOn from None
        raise
    except Exception:
        if interrupts.asked and not interrupts.began:  # modules fail oddly when interrupted
            raise KeyboardInterrupt from None
        raise
    finally:
        sys.unraisablehook = unraisable
        for number, handler in before.items():
            signal.signal(number, handler)


def _quiet_interrupts(hook: Callable[[Any], object]) -> Callable[[Any], None]:
    """Return a `sys.unraisablehook` that says nothing of a KeyboardInterrupt that was lost."""

    def unraisable(told: Any) -> None:
        if not issubclass(told.exc_type, KeyboardInterrupt):
            hook(told)

    return unraisable
