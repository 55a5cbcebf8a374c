"""The pixels of a data set's images."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from ctckit.errors import NotFoundError
from ctckit.recognizer.datasets.layout import LabelledImage
from ctckit.recognizer.gray import GrayArray
from ctckit.recognizer.images import InvalidImageError, read_image


class ImageReader:
    """Reads images one after the other; a page that holds several lines is decoded once.

    Attributes
    ----------
    broken : messages about images that could not be read
    """

    def __init__(self) -> None:
        self.broken: list[str] = []
        self._path: Path | None = None
        self._page: GrayArray | None = None

    def read(self, items: Iterable[LabelledImage]) -> Iterator[tuple[LabelledImage, GrayArray]]:
        """Yield the images that can be read."""
        for item in items:
            if item.path != self._path:
                self._path, self._page = item.path, self._decoded(item.path)
            if self._page is None:
                continue
            if item.box is None:
                yield item, self._page
                continue
            left, top, right, bottom = item.box
            cut = self._page[top:bottom, left:right]
            if cut.size:
                yield item, cut
            else:
                rows, columns = self._page.shape
                self.broken.append(
                    f"line must lie on its page, got '{item.id}' at {item.box} of {columns} x "
                    f"{rows} pixels; correct its box"
                )

    def _decoded(self, path: str | os.PathLike[str]) -> GrayArray | None:
        try:
            return read_image(path)
        except (InvalidImageError, NotFoundError) as error:
            self.broken.append(str(error))
            return None
