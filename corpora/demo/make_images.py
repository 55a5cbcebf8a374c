"""Draw the demo's images: words of the corpus of lines, in fonts that no model was trained on.

python corpora/demo/make_images.py FONTS

FONTS is what corpora/fonts/fetch.py makes for the demo, `out/fonts/demo`. Writes `images/`, beside
this script, with a labels.csv. The same fonts give the same images.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import cv2
import numpy as np

from ctckit.errors import CtckitError
from ctckit.recognizer.generator import Fonts, disturbed

HERE = Path(__file__).parent
IMAGES = HERE / "images"
LINES = HERE.parent / "lines" / "lines.txt"
COUNT = 100
SEED = 20
LEAST_CONTRAST = 60


def words() -> list[str]:
    """Return the words of the lines that the word list has, each once."""
    listed = set((HERE / "words.txt").read_text(encoding="utf-8").split())
    found = re.findall(r"[A-Za-z']{2,}", LINES.read_text(encoding="utf-8"))
    return sorted({word for word in found if word in listed or word.lower() in listed})


def main(fonts: Fonts) -> None:
    """Draw the images."""
    rng = np.random.default_rng(SEED)
    chosen = rng.permutation(words())[:COUNT]
    IMAGES.mkdir(exist_ok=True)
    with (IMAGES / "labels.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(["file", "text"])
        for i, word in enumerate(chosen):
            ink = fonts.draw(str(word), rng)
            image = disturbed(ink, rng)
            while int(image.max()) - int(image.min()) < LEAST_CONTRAST:
                image = disturbed(ink, rng)
            name = f"word-{i:03d}.png"
            cv2.imwrite(str(IMAGES / name), image, [cv2.IMWRITE_PNG_COMPRESSION, 9])
            table.writerow([name, word])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python corpora/demo/make_images.py FONTS")
    try:
        main(Fonts(sys.argv[1]))
    except CtckitError as error:
        sys.exit(f"make_images.py: {error}")
