"""A folder of images with ``labels.csv``, or with ``NAME.gt.txt`` beside ``NAME.png``."""

from __future__ import annotations

from pathlib import Path

from ctckit.recognizer.datasets.layout import DataSet, LabelledImage, Layout
from ctckit.recognizer.folders import find_images, walk_folders
from ctckit.recognizer.references import LABELS, LINE_SUFFIX, find_references


def _matches(folder: Path) -> bool:
    return any(
        name == LABELS or name.endswith(LINE_SUFFIX)
        for _, _, names in walk_folders(folder)
        for name in names
    )


def _read(folder: Path) -> DataSet:
    images = find_images(folder)
    found = find_references(folder, images)
    items = [
        LabelledImage(image.id, image.path, found.texts[image.id], found.groups.get(image.id))
        for image in images
        if image.id in found.texts
    ]
    return DataSet("folder", items, len(found.without_text), found.without_image)


LAYOUT = Layout("folder", f"{LABELS} or NAME{LINE_SUFFIX}", _matches, _read)
