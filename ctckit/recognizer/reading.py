"""From image files to matrices: read, prepared, and recognized in batches of similar width."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import TYPE_CHECKING, Any, TypeVar

from ctckit.matrices import MatrixBatch
from ctckit.parallel import count_threads
from ctckit.recognizer.folders import ImageFile
from ctckit.recognizer.images import InvalidImageError, read_content, read_image
from ctckit.recognizer.windows import Broken, Prepared, Readers, batches, windows

if TYPE_CHECKING:
    from ctckit.recognizer.recognizer import Recognizer

Item = TypeVar("Item")
DIGEST_BYTES = 16
"""Of the BLAKE2b hash by which an image's content is known."""


def recognize_images(
    images: Iterable[Item],
    prepare: Callable[[Item], Sequence[Prepared | Broken]],
    recognizer: Recognizer,
    *,
    batch_size: int = 64,
    threads: int | None = None,
    on_images: Callable[[int], None] = lambda count: None,
) -> Iterator[tuple[MatrixBatch | None, list[str]]]:
    """Yield the matrices of images in order, many at a time, and a message a broken image.

    The matrices are None where all of a part are broken.

    Parameters
    ----------
    images : one or, as the lines of a page, several at a time
    prepare : reads these, in a thread; the ids that it gives become those of the matrices
    recognizer : what makes the matrices
    batch_size : images in a forward pass at most; changes the speed, not the matrices
    threads : that read ahead; None: all cores
    on_images : told how many images are done since it was last called, which may be none
    """
    with Readers(count_threads(threads)) as readers:
        read = itertools.chain.from_iterable(readers.map(prepare, images))
        ahead = windows(read, len(recognizer.alphabet))
        for window in readers.one_ahead(ahead, lambda: on_images(0)):
            broken = [one.message for one in window if isinstance(one, Broken)]
            on_images(len(broken))
            sound = [one for one in window if isinstance(one, Prepared)]
            batch = recognize_window(sound, recognizer, batch_size, on_images) if sound else None
            yield batch, broken


def prepare_image(recognizer: Recognizer, image: ImageFile) -> Prepared | Broken:
    """Read an image once, for its digest and its pixels."""
    try:
        data = content_of(image)
        pixels = recognizer.prepare(read_image(data, str(image.path)))
    except InvalidImageError as error:
        return Broken(str(error))
    except MemoryError:
        return Broken(
            f"image must fit in memory, got '{image.path}'; scale it down or cut it into lines"
        )
    except OSError as error:
        return Broken(
            f"image must be a readable file, got '{image.path}' ({error.strerror or error}); "
            "check the file"
        )
    return Prepared(image.id, digest_of(data), pixels)


def recognize_window(
    window: Sequence[Prepared],
    recognizer: Recognizer,
    batch_size: int,
    on_images: Callable[[int], None],
) -> MatrixBatch:
    """Return the matrices of a window, in its order; at least one image.

    Parameters
    ----------
    window : prepared images
    recognizer, batch_size, on_images : as for `recognize_images`
    """
    ids = [one.id for one in window]
    pixels = [one.pixels for one in window]
    matrices: list[Any] = [None] * len(window)
    pool = ThreadPoolExecutor(recognizer.calls, thread_name_prefix="ctckit-network")
    try:
        begun = {}
        for places in batches(pixels, batch_size):
            named = [ids[i] for i in places]
            begun[pool.submit(recognizer.recognize, [pixels[i] for i in places], named)] = places
        for one in as_completed(begun):
            for i, matrix in zip(begun[one], one.result(), strict=True):
                matrices[i] = matrix
            on_images(len(begun[one]))
    finally:
        pool.shutdown(cancel_futures=True)
    return MatrixBatch.from_log_probs(matrices, recognizer.alphabet, ids=ids)


def content_of(image: ImageFile) -> bytes:
    """Return the bytes of a file that is not too large to be an image of text.

    Raises
    ------
    InvalidImageError : it is
    OSError : it cannot be read
    """
    return read_content(image.path, f"'{image.path}'")


def digest_of(data: bytes) -> str:
    """Return what an image's content is known by."""
    return hashlib.blake2b(data, digest_size=DIGEST_BYTES).hexdigest()
