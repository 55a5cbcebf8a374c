"""What a training reads: images with texts, word lists, fonts; and the alphabet of them all."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.real import RealImages, read_real
from ctckit.recognizer.recipe import BatchMaker, Recipe, read_data, read_words, split

TEXTS = ["one", "two", "three", "été", "five", "six", "seven", "eight"]


def draw(path: Path, width: int = 200) -> None:
    image = np.full((40, width), 255, np.uint8)
    cv2.putText(image, "abcdefgh", (5, 30), cv2.FONT_HERSHEY_SIMPLEX, 1, 0, 2)
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), image)


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Eight images with texts."""
    for i in range(len(TEXTS)):
        draw(tmp_path / "data" / f"{i}.png")
    rows = [f"{i}.png,{text}\n" for i, text in enumerate(TEXTS)]
    (tmp_path / "data" / "labels.csv").write_text("file,text\n" + "".join(rows), encoding="utf-8")
    return tmp_path / "data"


def label(data: Path, row: str) -> None:
    with (data / "labels.csv").open("a", encoding="utf-8") as file:
        file.write(row + "\n")


def test_what_is_read(data: Path) -> None:
    draw(data / "unlabelled.png")
    draw(data / "blank.png")
    draw(data / "narrow.png", 30)
    (data / "broken.png").write_bytes(b"no image")
    label(data, "blank.png, \nnarrow.png,much too long a text\nbroken.png,x\ngone.png,y")
    found = read_data(Recipe(data=(str(data),), validation_share=0.25))
    assert (len(found.training), len(found.validation)) == (6, 2)
    assert not set(found.training.ids) & set(found.validation.ids)
    assert found.without_text == 2
    assert found.without_image == ["gone.png"]
    assert found.too_long == ["narrow.png"]
    assert len(found.broken) == 1
    assert "broken.png" in found.broken[0]
    assert found.alphabet.tokens == (*sorted(set("".join(TEXTS))), "")
    assert found.alphabet.blank == len(found.alphabet) - 1
    assert found.generator is None


def test_texts_are_in_nfc_and_without_blanks_around(data: Path) -> None:
    draw(data / "new.png")
    label(data, "new.png, e\u0301t ")
    assert "ét" in read_real([data]).texts


def test_right_to_left(data: Path, make_font: Callable[..., Path], tmp_path: Path) -> None:
    assert not read_data(Recipe(data=(str(data),))).right_to_left
    texts = ["שלום", "עולם", "م\u0651ر", "12", "אב", "גד", "هو", "ab"]
    rows = "".join(f"{i}.png,{text}\n" for i, text in enumerate(texts))
    (data / "labels.csv").write_text("file,text\n" + rows, encoding="utf-8")
    found = read_data(Recipe(data=(str(data),)))
    assert found.right_to_left
    # As they are read, and combining characters by themselves.
    assert set(found.training.texts + found.validation.texts) == set(texts)
    assert found.alphabet.tokens == (*sorted(set("".join(texts))), "")
    make_font(tmp_path / "fonts" / "plain.ttf", "abc")
    with pytest.raises(InvalidValueError, match="texts must be left to right where images are dr"):
        read_data(Recipe(data=(str(data),), fonts=str(tmp_path / "fonts")))


def test_nothing_to_train_on(tmp_path: Path, data: Path) -> None:
    draw(tmp_path / "other" / "a.png")
    draw(tmp_path / "other" / "narrow.png", 30)
    (tmp_path / "other" / "broken.png").write_bytes(b"no image")
    (tmp_path / "other" / "labels.csv").write_text(
        "file,text\nbroken.png,x\nnarrow.png,much too long\n"
    )
    with pytest.raises(
        InvalidValueError,
        match=r"got none to train on in .*other but 1 without a text, 1 that cannot be read "
        r"\(image must be .*\), 1 too narrow for their texts, such as 'narrow.png'; put a labels",
    ):
        read_data(Recipe(data=(str(tmp_path / "other"),)))
    with pytest.raises(NotFoundError, match="folder must be an existing folder"):
        read_data(Recipe(data=(str(tmp_path / "none"),)))


def test_only_images_that_are_known_to_be_damaged(tmp_path: Path) -> None:
    id = "a01-117-05-02"
    draw(tmp_path / "img" / "a01" / "a01-117" / f"{id}.png")
    (tmp_path / "gt").mkdir()
    (tmp_path / "gt" / "words.txt").write_text(f"{id} ok 1 2 3 4 5 VB Powell\n")
    with pytest.raises(InvalidValueError) as error:
        read_data(Recipe(data=(str(tmp_path),)))
    assert str(error.value) == (
        f"data must hold images with texts, got none to train on in {tmp_path} but 1 known to be "
        f"damaged ({id}); add images that can be trained on, or name another folder"
    )


def test_an_image_is_in_one_folder_only(data: Path, tmp_path: Path) -> None:
    for folders in ([data, data], [data, data.parent / "data" / ".." / "data"], [tmp_path, data]):
        with pytest.raises(InvalidValueError, match=r"data must hold each image once, got '.*png'"):
            read_real(folders)


def test_ids_of_several_folders(data: Path, tmp_path: Path) -> None:
    draw(tmp_path / "more" / "0.png")
    (tmp_path / "more" / "0.gt.txt").write_text("zero\n")
    assert {"data/0.png", "more/0.png"} <= set(read_real([data, tmp_path / "more"]).ids)


@pytest.mark.parametrize(
    ("count", "share", "validated"),
    [(0, 0.5, 0), (1, 0.9, 0), (2, 0.02, 1), (2, 0.9, 1), (10, 0.9, 9), (10, 0, 0), (100, 0.02, 2)],
)
def test_split(count: int, share: float, validated: int) -> None:
    names = [str(i) for i in range(count)]
    real = RealImages(names, names, [np.zeros((1, 1), np.uint8)] * count)
    training, validation = split(real, Recipe(validation_share=share))
    assert len(validation) == validated
    assert sorted(training.ids + validation.ids) == sorted(names)
    again = split(real, Recipe(validation_share=share))
    assert again[1].ids == validation.ids


def test_read_words(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_bytes("\ufeffone\r\n\r\n two \r\ne\u0301t\n".encode())
    assert read_words(path) == ["one", "two", "ét"]
    path.write_bytes(b"\r\n \n")
    with pytest.raises(
        InvalidValueError, match=r"at least one word, got none in '.*'; write one a"
    ):
        read_words(path)
    path.write_bytes(b"one\ncaf\xe9\n")
    with pytest.raises(InvalidValueError, match=r"must be UTF-8, got '.*' with another byte at 7;"):
        read_words(path)
    with pytest.raises(NotFoundError, match=r"words must be a file that exists, got '.*none'; che"):
        read_words(tmp_path / "none")
    for bad in (tmp_path, "a\0b"):
        with pytest.raises(InvalidValueError, match=r"words must be a readable file, got '.*' \("):
            read_words(bad)


def test_word_lists_and_fonts(data: Path, tmp_path: Path, make_font: Callable[..., Path]) -> None:
    make_font(tmp_path / "fonts" / "plain.ttf", "abcdefghijklmnopqrstuvwxyzABC 123")
    words = tmp_path / "list.txt"
    words.write_text("apple\nbanana\nΩmega\n")
    recipe = Recipe(
        data=(str(data),), fonts=str(tmp_path / "fonts"), words=(str(words), str(words))
    )
    found = read_data(recipe)
    assert found.generator is not None
    assert list(found.generator.words.lists) == [str(words), f"{words} (again)"]
    assert found.generator.left_out == {str(words): 1, f"{words} (again)": 1}
    tokens = set(found.alphabet.tokens)
    assert tokens >= set("é~ A€")
    assert "Ω" not in tokens
    about = found.about(recipe)
    assert str(tmp_path) not in json.dumps(about)
    assert (about["data"], about["words"]) == (["data"], ["list.txt", "list.txt"])
    assert about["fonts"] == ["plain"]
    assert about["real_images"] + about["validation_images"] == 8
    without = read_data(Recipe(data=(str(data),), fonts=str(tmp_path / "fonts")))
    assert without.generator is not None
    assert set(without.generator.words.lists["the texts"]) == set(without.training.texts) - {"été"}


def test_about_names_the_current_folder(data: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(data)
    recipe = Recipe(data=(".",))
    assert read_data(recipe).about(recipe)["data"] == ["data"]


def test_a_batch_maker_in_another_process(data: Path) -> None:
    recipe = Recipe(data=(str(data),), columns=1000)
    make = pickle.loads(pickle.dumps(BatchMaker(recipe, read_data(recipe).alphabet)))
    batch, same, other = (next(iter(make(seed))) for seed in (1, 1, 2))
    np.testing.assert_array_equal(batch.images, same.images)
    assert batch.images.shape != other.images.shape or (batch.images != other.images).any()
