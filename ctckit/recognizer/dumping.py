"""The images of a folder become a dump; a run that was killed goes on where it stopped.

Images are read and prepared ahead by threads, in windows. Inside a window they are sorted by
width and cut into batches for the network; the matrices go into the dump in the order of the
images, a window at a time. While the network works on one window the next is being read.
"""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ctckit.dumps import DumpWriter, open_dump
from ctckit.dumps.declared import RequestError
from ctckit.dumps.files import check_destination, disk_errors, lock_folder, names_in
from ctckit.dumps.manifest import MANIFEST, is_dump_file, is_temporary, shard_number
from ctckit.dumps.matrix_csv import check_csv_folder, ids_of_csv_folder, write_csv
from ctckit.errors import DumpError, InvalidValueError
from ctckit.parallel import count_threads
from ctckit.recognizer.folders import ImageFile
from ctckit.recognizer.images import InvalidImageError
from ctckit.recognizer.reading import content_of, digest_of, prepare_image, recognize_window
from ctckit.recognizer.windows import Broken, Prepared, Readers, windows

if TYPE_CHECKING:
    from ctckit.recognizer.recognizer import Recognizer


@dataclass
class ImageDump:
    """What a run did.

    Attributes
    ----------
    images : matrices in the dump now
    without_text : how many of them have no reference
    already : how many were there before
    seconds : that reading and recognizing the others took
    broken : one message for each image that cannot be read
    """

    images: int = 0
    without_text: int = 0
    already: int = 0
    seconds: float = 0.0
    broken: list[str] = field(default_factory=list)


class NoReadableImageError(InvalidValueError):
    """Every image is broken; `broken` has a message for each."""

    def __init__(self, message: str, broken: list[str]) -> None:
        super().__init__(message)
        self.broken = broken


def check_output(output: Path, csv: Path | None, overwrite: bool) -> None:
    """Refuse destinations that hold something else, before anything slow is begun.

    Parameters
    ----------
    output : the dump; one that is there is gone on with, or with `overwrite` replaced
    csv : the folder for `write_csv_folder`; None: none is wanted. One that was written from the
        dump that is gone on with may be replaced

    Raises
    ------
    DumpError : a destination holds what may not be replaced, or is no folder
    RequestError : `csv` and `output` lie in each other
    """
    names = names_in(output, "destination")
    is_begun = all(is_temporary(name) for name in names)  # or new, or empty
    if not is_begun and (overwrite or MANIFEST not in names):
        check_destination(output, overwrite, is_dump_file)
    if csv is None:
        return
    ours, theirs = output.resolve(), csv.resolve()
    if ours == theirs or ours in theirs.parents or theirs in ours.parents:
        raise RequestError(
            f"csv must be apart from the dump, got '{csv}' for '{output}'; choose a place that is "
            "neither in the other"
        )
    check_csv_folder(csv, overwrite or _is_csv_of(csv, output))


def _is_csv_of(csv: Path, output: Path) -> bool:
    """Whether ctckit wrote a folder of CSV files from a dump, as it is or when it was smaller."""
    found = ids_of_csv_folder(csv)
    return found is not None and holds_matrices(output) and found <= set(open_dump(output).ids)


def holds_matrices(output: Path) -> bool:
    """Whether there is a dump that a run can go on with, and something is written in it."""
    names = names_in(output)
    return MANIFEST in names and any(shard_number(name) >= 0 for name in names)


def dump_images(
    images: Sequence[ImageFile],
    recognizer: Recognizer,
    output: Path,
    *,
    texts: Mapping[str, str],
    store: str = "float32",
    batch_size: int = 64,
    threads: int | None = None,
    overwrite: bool = False,
    on_images: Callable[[int], None] = lambda count: None,
) -> ImageDump:
    """Recognize images into a dump.

    A dump that is there is gone on with, if model and `store` are the same and its images are
    as they were. With `overwrite` it is replaced, in one step when the new one is complete:
    then a run that is killed begins anew, and leaves the old dump.

    Parameters
    ----------
    images : sorted as the matrices shall be
    output : the folder of the dump, which `check_output` has passed
    texts : reference of each id, where it is known
    store : ``"float32"`` or ``"float16"``
    batch_size : images in a forward pass at most; changes the speed, not the matrices
    threads : that read ahead; None: all cores
    on_images : told how many images are done since it was last called, which may be none. What it
        raises ends the run, which can be gone on with

    Raises
    ------
    DumpError : the dump has another model or store, is damaged, or holds an image that is gone,
        or one whose content or text has changed; another run is writing it; the disk is full
    NoReadableImageError : every image is broken
    """
    is_new = not output.exists()
    with _alone(output):
        replaces = overwrite and bool(names_in(output))
        source = {**recognizer.source, "command": "ctckit dump"}
        options: dict[str, Any] = {"store": store, "source": source, "overwrite": replaces}
        try:
            with (
                DumpWriter(output, recognizer.alphabet, resume=not replaces, **options) as writer,
                Readers(count_threads(threads)) as readers,
            ):
                if not replaces:
                    _check_whole(output)
                job = _Job(recognizer, writer, texts, batch_size, readers, on_images)
                return job.run(images)
        except NoReadableImageError:
            if not replaces:
                _remove_empty(output, is_new)
            raise


@contextmanager
def _alone(output: Path) -> Iterator[None]:
    """Make the folder, and keep other runs out of it; a lock that is gone with its process."""
    with disk_errors(output):
        output.mkdir(parents=True, exist_ok=True)
    with disk_errors(output):
        try:
            descriptor = lock_folder(output)
        except BlockingIOError:
            raise DumpError(
                f"dump must be written by one run at a time, got '{output}', which another is "
                "writing; wait for it, or choose another output"
            ) from None
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _check_whole(output: Path) -> None:
    """Raise DumpError if what is there to go on with is damaged."""
    damaged = open_dump(output).damaged
    if damaged:
        raise DumpError(
            f"dump to resume must be undamaged, got '{output}' ({damaged[0]}); "
            "make it anew (--overwrite)"
        )


def write_csv_folder(output: Path, csv: Path, overwrite: bool) -> None:
    """Write the matrices of a complete dump as SimpleHTR keeps them, a CSV file each.

    What was written to `csv` from this dump before is replaced, other files with `overwrite` only.

    Raises
    ------
    DumpError : `csv` holds something else, or cannot be written; another run is writing it; the
        dump is damaged
    """
    dump = open_dump(output)
    try:
        overwrite = overwrite or _is_csv_of(csv, output)
        write_csv(csv, dump.alphabet, dump.batches(), overwrite)
    except DumpError as error:
        if dump.damaged:
            raise
        raise DumpError(f"{error} (the dump itself, '{output}', is complete)") from error
    if dump.damaged:
        raise DumpError(
            f"dump must be undamaged, got '{output}' ({dump.damaged[0]}); '{csv}' holds what can "
            "be read, make the dump anew (--overwrite)"
        )


def _remove_empty(output: Path, is_new: bool) -> None:
    """Delete a dump of no matrix, which would look like a result."""
    with disk_errors(output):
        (output / MANIFEST).unlink(missing_ok=True)
        if is_new:
            output.rmdir()


@dataclass(frozen=True)
class _Job:
    """One run of `dump_images`, whose parameters these are."""

    recognizer: Recognizer
    writer: DumpWriter
    texts: Mapping[str, str]
    batch_size: int
    readers: Readers
    on_images: Callable[[int], None]

    def run(self, images: Sequence[ImageFile]) -> ImageDump:
        """Check what the dump holds, then recognize the other images."""
        known = self.writer.known_ids
        done = ImageDump(already=len(known))
        if known:
            self._check_known(images)
        new = [image for image in images if image.id not in known]
        started = time.perf_counter()
        prepare = functools.partial(prepare_image, self.recognizer)
        ahead = windows(self.readers.map(prepare, new), len(self.recognizer.alphabet))
        for window in self.readers.one_ahead(ahead, lambda: self.on_images(0)):
            broken = [one.message for one in window if isinstance(one, Broken)]
            done.broken += broken
            self.on_images(len(broken))
            self._append([one for one in window if isinstance(one, Prepared)])
        done.seconds = time.perf_counter() - started
        done.images = len(known)
        done.without_text = sum(id not in self.texts for id in known)
        if not known:
            raise NoReadableImageError(
                f"images must be readable, got {len(images):,} broken ones and no other; "
                "check the files",
                done.broken,
            )
        return done

    def _check_known(self, images: Sequence[ImageFile]) -> None:
        """Raise DumpError unless the images of the dump are there as they were."""
        dump = open_dump(self.writer.path)
        gone = set(dump.ids).difference(image.id for image in images)
        wrong = dict.fromkeys(gone, "it is gone")
        for id, reference in zip(dump.ids, dump.references, strict=True):
            if id not in gone and self.texts.get(id) != reference:
                wrong[id] = "its text has changed"
        here = set(dump.ids).difference(wrong)
        known = [image for image in images if image.id in here]
        for image, reason in zip(known, self.readers.map(self._changed, known), strict=True):
            self.on_images(1)
            if reason:
                wrong[image.id] = reason
        if wrong:
            first = next(id for id in dump.ids if id in wrong)
            raise DumpError(
                f"images must be as they were when '{dump.path}' was made, got {len(wrong):,} "
                f"that are not, the first {first!r} ({wrong[first]}); make the dump anew "
                "(--overwrite), or choose another output"
            )

    def _changed(self, image: ImageFile) -> str:
        """Say how an image of the dump has changed, or ``""``."""
        known = self.writer.known_digests[image.id]
        if known is None:
            return "the dump has no digest to know its content by"
        try:
            digest = digest_of(content_of(image))
        except InvalidImageError:  # larger than any that could be in a dump
            return "its content has changed"
        except OSError as error:
            return f"it cannot be read: {error.strerror or error}"
        return "" if digest == known else "its content has changed"

    def _append(self, window: Sequence[Prepared]) -> None:
        """Recognize the images of a window, and put their matrices on the disk, in order."""
        if not window:
            return
        ids = [one.id for one in window]
        self.writer.append(
            recognize_window(window, self.recognizer, self.batch_size, self.on_images),
            references=[self.texts.get(id) for id in ids],
            digests=[one.digest for one in window],
        )
        self.writer.flush()
