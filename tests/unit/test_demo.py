"""The demo's images are what their README says, and the bundled model reads them."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import pytest

from ctckit import load_decoder
from ctckit.metrics import count_errors

pytest.importorskip("cv2", reason="the recognizer is not installed")

from ctckit.recognizer.folders import find_images
from ctckit.recognizer.images import read_image
from ctckit.recognizer.references import find_references

CORPORA = Path(__file__).resolve().parents[2] / "corpora"
DEMO = CORPORA / "demo"
OPTIONS = {
    "bestpath": {},
    "beamsearch": {},
    "wordbeamsearch": {"corpus": DEMO / "words.txt"},
}


@pytest.fixture(scope="module")
def images():
    return find_images(DEMO / "images")


@pytest.fixture(scope="module")
def texts(images):
    return find_references(DEMO / "images", images).texts


@pytest.fixture(scope="module")
def counts(images, texts):
    pytest.importorskip("keras", reason="the recognizer is not installed")
    from ctckit.recognizer.recognizer import Recognizer

    recognizer = Recognizer.load(device="cpu")
    prepared = [recognizer.prepare(read_image(image.path)) for image in images]
    batch = recognizer.recognize(prepared, ids=[image.id for image in images])
    decoders = {
        name: load_decoder(name, batch.alphabet, **options) for name, options in OPTIONS.items()
    }
    references = [texts[image.id] for image in images]
    return {
        name: count_errors(references, decoder.decode_batch(batch).texts())
        for name, decoder in decoders.items()
    }


def test_every_image_has_a_text_and_the_other_way_round(images):
    found = find_references(DEMO / "images", images)
    assert len(images) == len(found.texts) == 100
    assert not found.without_image
    assert not found.without_text


def test_each_word_is_in_the_word_list_and_comes_once(texts):
    listed = set((DEMO / "words.txt").read_text(encoding="utf-8").split())
    assert all(word in listed or word.lower() in listed for word in texts.values())
    assert len(set(texts.values())) == len(texts)


def test_images_are_varied(images):
    pixels = [read_image(image.path) for image in images]
    assert len({image.shape for image in pixels}) > 50
    assert all(int(image.max()) - int(image.min()) >= 60 for image in pixels)


def test_no_font_of_the_demo_is_trained_on():
    lines = (CORPORA / "fonts" / "README.md").read_text(encoding="utf-8").splitlines()
    rows = [[cell.strip(" `") for cell in line.strip("|").split("|")] for line in lines]
    uses = {use: {row[0] for row in rows if row[-1] == use} for use in ("training", "demo")}
    assert len(uses["demo"]) >= 5
    assert len(uses["training"]) >= 30
    assert not uses["demo"] & uses["training"]


@pytest.mark.xdist_group("keras")
def test_what_the_decoders_find(counts):
    assert counts["bestpath"].cer < 0.25
    assert counts["wordbeamsearch"].exact_lines > counts["bestpath"].exact_lines
    assert counts["wordbeamsearch"].wer < counts["bestpath"].wer
    assert counts["wordbeamsearch"].cer < 0.2


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("name", OPTIONS)
def test_the_table(counts, name):
    """Another processor rounds differently, which may turn a character or two."""
    readme = (DEMO / "README.md").read_text(encoding="utf-8")
    (row,) = re.findall(rf"^\| {name} \| ([\d.]+) \| [\d.]+ \| (\d+)/100 \|", readme, re.MULTILINE)
    assert counts[name].cer == pytest.approx(float(row[0]), abs=0.01)
    assert counts[name].exact_lines == pytest.approx(int(row[1]), abs=2)


def test_the_labels_are_plain():
    with (DEMO / "images" / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))
    assert rows[0] == ["file", "text"]
    assert all(len(row) == 2 and row[1] == row[1].strip() for row in rows)
