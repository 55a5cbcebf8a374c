"""How well a model reads images whose texts are known."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.errors import InvalidValueError
from ctckit.metrics import ErrorCounts, count_errors
from ctckit.recognizer.datasets.decoding import ImageReader
from ctckit.recognizer.datasets.layout import TEST, TRAIN, VALID, DataSet, LabelledImage
from ctckit.recognizer.gray import GrayArray
from ctckit.recognizer.reading import recognize_images
from ctckit.recognizer.recognizer import Recognizer
from ctckit.recognizer.windows import Broken, Prepared

PARTS = {"train": TRAIN, "validation": VALID, "test": TEST}
"""The parts of data sets that come with a split, as users call them."""


@dataclass
class Validation:
    """What `validate` found.

    Attributes
    ----------
    errors : over all images that can be read
    broken : a message for each that cannot
    """

    errors: ErrorCounts = field(default_factory=ErrorCounts)
    broken: list[str] = field(default_factory=list)


def lacking(texts: Iterable[str], alphabet: Alphabet) -> dict[str, int]:
    """Return how often each character of the texts stands there that no token has.

    The texts in NFC; the most frequent first.
    """
    counts = Counter(char for text in texts for char in unicodedata.normalize("NFC", text))
    known = set("".join(alphabet.tokens))
    return {char: count for char, count in counts.most_common() if char not in known}


def of_part(found: DataSet, part: str | None, path: object) -> DataSet:
    """Return the images of one part of a data set that comes with a split.

    Parameters
    ----------
    found : from `open_data`
    part : one of `PARTS`; None for all images
    path : where the data set is, for messages

    Raises
    ------
    InvalidValueError : there is no image with a text, or none of that part
    """
    if not found.items:
        raise InvalidValueError(
            f"data must hold images with texts, got none in '{path}'; check the folder"
        )
    if part is None:
        return found
    kept = [i for i, item in enumerate(found.items) if item.part == PARTS[part]]
    if not kept:
        parts = {item.part for item in found.items}
        there = ", ".join(name for name, value in PARTS.items() if value in parts)
        raise InvalidValueError(
            f"part must be one that the data has, got {part!r} for '{path}' with "
            f"{there or 'no parts'}; leave it out for all images"
        )
    images = None if found.images is None else [found.images[i] for i in kept]
    return dataclasses.replace(found, items=[found.items[i] for i in kept], images=images)


def validate(
    found: DataSet,
    recognizer: Recognizer,
    decoder: Decoder,
    *,
    batch_size: int = 64,
    on_images: Callable[[int], None] = lambda count: None,
) -> Validation:
    """Read the images of a data set, and count the errors.

    Parameters
    ----------
    found : from `of_part`
    recognizer, decoder : what reads them, of one alphabet
    batch_size, on_images : as for `recognize_images`
    """
    done = Validation()
    texts = {item.id: item.text for item in found.items}
    prepare = functools.partial(_prepared, recognizer)
    for batch, broken in recognize_images(
        _pages(found), prepare, recognizer, batch_size=batch_size, on_images=on_images
    ):
        done.broken += broken
        if batch is not None:
            read = decoder.decode_batch(batch).texts()
            done.errors += count_errors([texts[id] for id in batch.ids], read)
    return done


@dataclass(frozen=True)
class _Page:
    """The images of one file, of which the gray ones may be there already."""

    items: list[LabelledImage]
    images: list[GrayArray] | None = None


def _pages(found: DataSet) -> Iterator[_Page]:
    if found.images is not None:
        for item, image in zip(found.items, found.images, strict=True):
            yield _Page([item], [image])
        return
    for _, items in itertools.groupby(found.items, key=lambda item: item.path):
        yield _Page(list(items))


def _prepared(recognizer: Recognizer, page: _Page) -> list[Prepared | Broken]:
    reader = ImageReader()
    images = reader.read(page.items)
    if page.images is not None:
        images = zip(page.items, page.images, strict=True)
    made = [Prepared(item.id, "", recognizer.prepare(gray)) for item, gray in images]
    return [*made, *map(Broken, reader.broken)]
