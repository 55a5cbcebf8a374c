"""Real training images: read from folders, with their texts, into memory."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.folders import ImageFile, find_images
from ctckit.recognizer.images import InvalidImageError, read_image
from ctckit.recognizer.preprocessing import UInt8Array, shrunk
from ctckit.recognizer.references import find_references


@dataclass
class RealImages:
    """Real images with texts, in memory.

    Attributes
    ----------
    ids, texts : N strings
    images : N gray images (H, W), at most 96 rows
    broken : messages about images that could not be read
    without_text : images that have no text, or an empty one
    without_image : names in the references that no image has
    """

    ids: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    images: list[UInt8Array] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    without_text: int = 0
    without_image: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, indices: Sequence[int]) -> RealImages:
        """Return some of them; what could not be used is not with them."""
        return RealImages(
            [self.ids[i] for i in indices],
            [self.texts[i] for i in indices],
            [self.images[i] for i in indices],
        )


def read_real(folders: Sequence[str | os.PathLike[str]]) -> RealImages:
    """Read all images of folders that have texts.

    Texts are put into NFC, and blanks at their ends, which no image shows, are removed. With
    several folders the ids begin with the folder's name.

    Raises
    ------
    NotFoundError, InvalidValueError : as `find_images` and `find_references`; an image is in two
        of the folders, and could be trained on and validated on
    """
    real = RealImages()
    seen: set[str] = set()
    for folder in folders:
        images = find_images(folder)
        _check_new(images, seen)
        found = find_references(folder, images)
        prefix = f"{Path(folder).resolve().name}/" if len(folders) > 1 else ""
        real.without_image += [prefix + name for name in found.without_image]
        for image in images:
            text = unicodedata.normalize("NFC", found.texts.get(image.id, "")).strip()
            if text:
                _read(image, prefix + image.id, text, real)
            else:
                real.without_text += 1
    return real


def _check_new(images: Sequence[ImageFile], seen: set[str]) -> None:
    for image in images:
        place = os.path.realpath(image.path)
        if place in seen:
            raise InvalidValueError(
                f"data must hold each image once, got '{image.path}' again; name each folder once, "
                "and none that lies in another"
            )
        seen.add(place)


def _read(image: ImageFile, id: str, text: str, real: RealImages) -> None:
    """Add an image, or a message about it."""
    try:
        gray = read_image(image.path)
    except (InvalidImageError, NotFoundError) as error:
        real.broken.append(str(error))
        return
    real.ids.append(id)
    real.texts.append(text)
    real.images.append(shrunk(gray))
