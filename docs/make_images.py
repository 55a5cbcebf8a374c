"""Draw the pictures of docs/concepts.md from images of the demo: python docs/make_images.py."""

from __future__ import annotations

import sys
from pathlib import Path

import ctckit
from ctckit.plots import plot_alignment, plot_bytes, plot_matrix
from ctckit.recognizer.images import read_image
from ctckit.recognizer.recognizer import Recognizer

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "corpora" / "demo"
PICTURES = {
    "matrix": ("word-042.png", plot_matrix, "beamsearch"),
    "alignment": ("word-042.png", plot_alignment, "beamsearch"),
    "word-by-path": ("word-036.png", plot_matrix, "bestpath"),
    "word-by-lexicon": ("word-036.png", plot_matrix, "wordbeamsearch"),
}
"""Of each picture the image that is read, what is drawn, and the decoder."""


def make_pictures(folder: Path) -> None:
    """Write each picture into a folder."""
    recognizer = Recognizer.load(device="cpu", engine="onnx")
    for name, (image, plot, decoder_name) in PICTURES.items():
        prepared = recognizer.prepare(read_image(DEMO / "images" / image))
        batch = recognizer.recognize([prepared])
        options = {"corpus": DEMO / "words.txt"} if decoder_name == "wordbeamsearch" else {}
        decoder = ctckit.load_decoder(decoder_name, batch.alphabet, **options)
        best = decoder.decode_batch(batch)[0][0]
        figure = plot(batch, hypothesis=best, image=255 - prepared)
        (folder / f"{name}.png").write_bytes(plot_bytes(figure))


if __name__ == "__main__":
    make_pictures(Path(sys.argv[1]) if sys.argv[1:] else ROOT / "docs" / "images")
