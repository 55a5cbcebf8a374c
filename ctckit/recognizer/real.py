"""Real training images with their texts: read from data sets into memory, or mapped."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctckit.errors import InvalidValueError
from ctckit.recognizer.datasets.decoding import ImageReader
from ctckit.recognizer.datasets.layout import TEST, DataSet, LabelledImage
from ctckit.recognizer.packed import SUFFIX, open_data
from ctckit.recognizer.preprocessing import UInt8Array, shrunk


@dataclass
class RealImages:
    """Real images with texts.

    Attributes
    ----------
    ids, texts : N strings
    images : N gray images (H, W), at most 96 rows; those of packed files cannot be written to
    broken : messages about images that could not be read
    without_text : images that have no text, or an empty one
    without_image : names in the references that no image has
    groups : N writers or pages, None where not known
    damaged : messages about lines of labels that make no sense
    known_bad : ids that are left out because their images are known to be damaged
    held_back : images of a data set's own test part
    notes : which packed files are read, and which are not
    """

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    images: list[UInt8Array] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    without_text: int = 0
    without_image: list[str] = field(default_factory=list)
    groups: list[str | None] = field(default_factory=list)
    damaged: list[str] = field(default_factory=list)
    known_bad: list[str] = field(default_factory=list)
    held_back: int = 0
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.groups:
            self.groups = [None] * len(self.ids)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int]) -> RealImages:
        """Return some of them; what could not be used is not with them."""
        return RealImages(
            [self.ids[i] for i in indices],
            [self.texts[i] for i in indices],
            [self.images[i] for i in indices],
            groups=[self.groups[i] for i in indices],
        )


def read_real(
    folders: Sequence[str | os.PathLike[str]], only: Collection[str] | None = None
) -> RealImages:
    """Read the images of data sets that have texts, but for those of their own test parts.

    Texts are put into NFC, and blanks at their ends, which no image shows, are removed. With
    several folders the ids begin with the folder's name, and with those above it where names are
    alike. A packed file that lies in a folder and is up to date is read in its place.

    Parameters
    ----------
    folders : of data sets of any layout, or packed files
    only : ids of the images that are wanted; None for all

    Raises
    ------
    NotFoundError, DumpError, InvalidValueError : as `open_data`; an image is in two of the folders,
        and could be trained on and validated on
    """
    real = RealImages()
    seen: set[tuple[str, str | None]] = set()
    ends: list[int] = []
    for folder, prefix in zip(folders, _prefixes(folders), strict=True):
        found, note = open_data(folder)
        real.notes += [note] if note else []
        real.without_text += found.without_text
        real.without_image += [prefix + name for name in found.without_image]
        real.known_bad += [prefix + id for id in found.known_bad]
        real.damaged += found.damaged
        real.broken += found.broken
        _check_new(found.items, seen)
        for item, image in _images(found, prefix, only, real):
            real.ids.append(prefix + item.id)
            real.texts.append(item.text)
            real.groups.append(None if item.group is None else prefix + item.group)
            real.images.append(image)
        ends.append(len(real))
    if len(folders) > 1 and only is None:
        _check_pixels(real, ends)
    return real


def _prefixes(folders: Sequence[str | os.PathLike[str]]) -> list[str]:
    """Return what the ids of each folder begin with, so that no two are alike."""
    if len(folders) == 1:
        return [""]
    paths = [Path(folder).resolve() for folder in folders]
    parts = [(*path.parts[1:-1], path.name.removesuffix(SUFFIX)) for path in paths]
    for depth in range(1, max(map(len, parts), default=0) + 1):
        names = ["/".join(one[-depth:]) + "/" for one in parts]
        if len(set(names)) == len(names):
            return names
    # A folder that is named twice is refused when its images are looked at.
    return [f"{i}/" for i in range(len(folders))]


def _check_pixels(real: RealImages, ends: Sequence[int]) -> None:
    """Refuse an image that is in two folders, such as packed and by itself.

    Parameters
    ----------
    ends : how many images there are with each folder and those before it
    """
    seen: dict[bytes, int] = {}
    source = 0
    for i, (text, image) in enumerate(zip(real.texts, real.images, strict=True)):
        while i >= ends[source]:
            source += 1
        content = hashlib.blake2b(repr((text, image.shape)).encode(), digest_size=16)
        content.update(image.tobytes())
        other = seen.setdefault(content.digest(), i)
        if other < (ends[source - 1] if source else 0):
            raise InvalidValueError(
                f"data must hold each image once, got '{real.ids[i]}' with the pixels and the text "
                f"of '{real.ids[other]}'; name the folder or the packed file, not both"
            )


def _images(
    found: DataSet, prefix: str, only: Collection[str] | None, real: RealImages
) -> Iterator[tuple[LabelledImage, UInt8Array]]:
    """Yield the images that are wanted, decoding them where that has not been done."""
    wanted = [
        i
        for i, item in enumerate(found.items)
        if item.part != TEST and (only is None or prefix + item.id in only)
    ]
    real.held_back += sum(item.part == TEST for item in found.items)
    if found.images is not None:
        for i in wanted:
            yield found.items[i], found.images[i]
        return
    reader = ImageReader()
    for item, gray in reader.read(found.items[i] for i in wanted):
        yield item, shrunk(gray)
    real.broken += reader.broken


def _check_new(items: Sequence[LabelledImage], seen: set[tuple[str, str | None]]) -> None:
    folders: dict[Path, str] = {}
    for item in items:
        parent = item.path.parent
        if parent not in folders:
            folders[parent] = os.path.realpath(parent)
        place = f"{folders[parent]}/{item.path.name}"
        if item.path.is_symlink():
            place = os.path.realpath(item.path)
        key = place, item.id if item.box else None
        if key in seen:
            raise InvalidValueError(
                f"data must hold each image once, got '{item.path}' again; name each folder once, "
                "and none that lies in another"
            )
        seen.add(key)
