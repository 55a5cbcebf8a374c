"""What `ctckit train` trains on: images, fonts, words and the alphabet, put together."""

from __future__ import annotations

import itertools
import os
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ctckit.alphabet import Alphabet
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.fonts import Fonts
from ctckit.recognizer.generator import Generator
from ctckit.recognizer.preprocessing import COLUMNS, Preprocessing
from ctckit.recognizer.real import RealImages, read_real
from ctckit.recognizer.samples import Batcher, LeftOut, Mixture, TrainingBatch, frames_needed
from ctckit.recognizer.splitting import Chosen, choose_validation
from ctckit.recognizer.words import WordSource


@dataclass(frozen=True)
class Recipe:
    """Where training images come from.

    Attributes
    ----------
    data : folders of data sets, or packed files
    fonts : folder of fonts for synthetic images, or None for none of these
    words : word lists, one word a line; a list that is named twice is drawn from twice as often.
        Without one, the words of the real images' texts
    synthetic_share : of the training images, 0 to 1
    validation_share : of the real images, kept out of training
    columns : image columns in a batch at most
    batch_size : images in a batch at most
    seed : of all chance
    preprocessing : of all images
    """

    data: tuple[str, ...] = ()
    fonts: str | None = None
    words: tuple[str, ...] = ()
    synthetic_share: float = 0.45
    validation_share: float = 0.05
    columns: int = 6144
    batch_size: int = 64
    seed: int = 0
    preprocessing: Preprocessing = field(default_factory=Preprocessing)


@dataclass
class Data:
    """What a training has to work with.

    Attributes
    ----------
    training, validation : real images; no image is in both
    generator : of synthetic images, or None
    alphabet : all characters that training can show
    broken : messages about images that could not be read
    without_text : how many images have no text
    without_image : names in the references that no image has
    too_long : ids of images whose text needs more frames than their width gives
    damaged, known_bad, held_back, notes : as `RealImages`
    validation_groups : writers or pages that the images to validate on are of, 0 where these were
        chosen one by one
    right_to_left : whether most letters of the texts are of a script that is written so
    """

    training: RealImages
    validation: RealImages
    generator: Generator | None
    alphabet: Alphabet
    broken: list[str]
    without_text: int
    without_image: list[str]
    too_long: list[str]
    damaged: list[str] = field(default_factory=list)
    known_bad: list[str] = field(default_factory=list)
    held_back: int = 0
    notes: list[str] = field(default_factory=list)
    validation_groups: int = 0
    right_to_left: bool = False

    def about(self, recipe: Recipe) -> dict[str, Any]:
        """Return what the model file says of its training data: names, and no paths."""
        said = asdict(recipe)
        del said["preprocessing"]
        for name in ("data", "words"):
            said[name] = [Path(path).resolve().name for path in said[name]]
        said["fonts"] = self.generator.fonts.names if self.generator is not None else []
        said["real_images"] = len(self.training)
        said["validation_images"] = len(self.validation)
        return said


def read_data(recipe: Recipe, validation_ids: Sequence[str] | None = None) -> Data:
    """Read the images, fonts and words of a recipe.

    The same recipe and files give the same data, in every process.

    Parameters
    ----------
    recipe : what to read
    validation_ids : of the images to validate on, of a training that goes on: those of them that
        are still there. None: `choose_validation` chooses

    Raises
    ------
    NotFoundError, InvalidValueError : a folder or file is missing, or cannot be used; there is
        nothing to train on
    """
    real = read_real(recipe.data)
    fitting, too_long = _parted(real, recipe.preprocessing)
    usable = real.take(fitting)
    if validation_ids is None:
        chosen = choose_validation(usable.groups, recipe.validation_share, recipe.seed)
    else:
        chosen = _chosen_before(usable, validation_ids)
    training, validation = _divided(usable, chosen.indices)
    left_out = [real.ids[i] for i in too_long]
    if not len(training) and recipe.fonts is None:
        raise InvalidValueError(_nothing_left(recipe, real, left_out))
    right_to_left = is_right_to_left(usable.texts)
    if right_to_left and recipe.fonts is not None:
        raise InvalidValueError(
            "texts must be left to right where images are drawn, got a script that is written from "
            "right to left; leave out --synthetic"
        )
    generator = make_generator(recipe, training)
    alphabet = make_alphabet(usable, generator)
    return Data(
        training,
        validation,
        generator,
        alphabet,
        real.broken,
        real.without_text,
        real.without_image,
        left_out,
        real.damaged,
        real.known_bad,
        real.held_back,
        [*real.notes, *([chosen.note] if chosen.note else [])],
        chosen.groups,
        right_to_left,
    )


def is_right_to_left(texts: Iterable[str]) -> bool:
    """Say whether most letters are of a script that is written from right to left.

    Examples
    --------
    >>> is_right_to_left(["שלום 123", "a"])
    True
    """
    kinds = Counter(unicodedata.bidirectional(char) for text in texts for char in text)
    return kinds["R"] + kinds["AL"] > kinds["L"]


def _parted(real: RealImages, preprocessing: Preprocessing) -> tuple[list[int], list[int]]:
    """Return the numbers of the images that are wide enough for their texts, and of the others."""
    fitting: list[int] = []
    too_long: list[int] = []
    for i, text in enumerate(real.texts):
        frames = preprocessing.apply(real.images[i]).shape[1] // COLUMNS
        (fitting if frames_needed(text) <= frames else too_long).append(i)
    return fitting, too_long


def _nothing_left(recipe: Recipe, real: RealImages, too_long: list[str]) -> str:
    """Say why there is no real image to train on."""
    reasons = []
    if real.without_text:
        reasons.append(f"{real.without_text:,} without a text")
    if real.broken:
        reasons.append(f"{len(real.broken):,} that cannot be read ({real.broken[0]})")
    if real.held_back:
        reasons.append(f"{real.held_back:,} of the data's own test part")
    if real.damaged:
        reasons.append(f"{len(real.damaged):,} damaged labels ({real.damaged[0]})")
    if real.without_image:
        reasons.append(f"{len(real.without_image):,} texts without an image")
    if real.known_bad:
        ids = ", ".join(real.known_bad)
        reasons.append(f"{len(real.known_bad):,} known to be damaged ({ids})")
    if too_long:
        reasons.append(f"{len(too_long):,} too narrow for their texts, such as {too_long[0]!r}")
    but = f" but {', '.join(reasons)}" if reasons else ""
    advice = "add images that can be trained on, or name another folder"
    if real.without_text:
        advice = "put a labels.csv with the columns file and text into the folder"
    return (
        f"data must hold images with texts, got none to train on in {', '.join(recipe.data)}{but}; "
        f"{advice}"
    )


def split(real: RealImages, recipe: Recipe) -> tuple[RealImages, RealImages]:
    """Return the images to train on, and those to validate on; see `choose_validation`."""
    chosen = choose_validation(real.groups, recipe.validation_share, recipe.seed)
    return _divided(real, chosen.indices)


def _chosen_before(real: RealImages, ids: Sequence[str]) -> Chosen:
    """Return the images that a training has validated on from its beginning.

    Raises
    ------
    InvalidValueError : none of them is there any more
    """
    before = frozenset(ids)
    indices = [i for i, id in enumerate(real.ids) if id in before]
    if before and not indices:
        raise InvalidValueError(
            f"data must be that of the training that goes on, got none of the {len(before):,} "
            "images that it validates on; give the same --data, or another --output"
        )
    gone = len(before) - len(indices)
    note = f"{gone:,} of the {len(before):,} images to validate on are gone" if gone else ""
    groups = {real.groups[i] for i in indices} - {None}
    return Chosen(indices, len(groups), note)


def _divided(real: RealImages, indices: list[int]) -> tuple[RealImages, RealImages]:
    kept_out = set(indices)
    return real.take([i for i in range(len(real)) if i not in kept_out]), real.take(indices)


def read_words(path: str | os.PathLike[str]) -> list[str]:
    """Return the words of a list, one a line, in NFC, without blanks around them.

    Raises
    ------
    NotFoundError : no such file
    InvalidValueError : not UTF-8, or no word in it
    """
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(
            f"words must be a file that exists, got '{path}'; check the path"
        ) from None
    except UnicodeDecodeError as error:
        raise InvalidValueError(
            f"words must be UTF-8, got '{path}' with another byte at {error.start:,}; save it as "
            "UTF-8"
        ) from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = getattr(error, "strerror", None) or error
        raise InvalidValueError(
            f"words must be a readable file, got '{path}' ({reason}); check the path"
        ) from None
    words = [
        unicodedata.normalize("NFC", word) for line in text.splitlines() if (word := line.strip())
    ]
    if not words:
        raise InvalidValueError(
            f"words must hold at least one word, got none in '{path}'; write one a line"
        )
    return words


def make_generator(recipe: Recipe, real: RealImages) -> Generator | None:
    """Return the generator of synthetic images, or None where the recipe has none.

    Raises
    ------
    NotFoundError, InvalidValueError : as `Fonts`, `read_words` and `Generator`; there is no word
    """
    if recipe.fonts is None:
        return None
    fonts = Fonts(recipe.fonts)
    read = {path: read_words(path) for path in dict.fromkeys(recipe.words)}
    lists = {path + " (again)" * recipe.words[:i].count(path): read[path]
             for i, path in enumerate(recipe.words)}  # fmt: skip
    if not lists:
        lists = {"the texts": sorted({word for text in real.texts for word in text.split()})}
    return Generator(WordSource(lists), fonts)


def make_alphabet(real: RealImages, generator: Generator | None) -> Alphabet:
    """Return all characters that training can show, sorted, the blank behind them."""
    characters = {char for text in real.texts for char in text}
    if generator is not None:
        characters |= generator.words.characters()
    return Alphabet([*sorted(characters), ""], blank=len(characters))


@dataclass(frozen=True)
class BatchMaker:
    """Makes a `Batcher` in another process, which reads the data again for itself.

    Packed files are mapped, and so are in memory once, however many processes read them.

    Attributes
    ----------
    recipe : of the training
    alphabet : what texts are encoded with
    training : ids of the real images to train on, so that the others need not be read again;
        None to find out which they are
    """

    recipe: Recipe
    alphabet: Alphabet
    training: frozenset[str] | None = None

    def __call__(self, seed: int) -> Iterable[TrainingBatch | LeftOut]:
        """Return batches without end, before them what cannot be read any more, if anything."""
        recipe = self.recipe
        gone: list[str] = []
        if self.training is None:
            data = read_data(recipe)
            training, generator = data.training, data.generator
        else:
            training = read_real(recipe.data, self.training)
            gone = sorted(self.training.difference(training.ids))
            generator = make_generator(recipe, training)
        mixture = Mixture(training, generator, recipe.preprocessing, recipe.synthetic_share)
        batcher = Batcher(
            mixture, self.alphabet, recipe.columns, [recipe.seed, seed], recipe.batch_size
        )
        return itertools.chain([LeftOut(gone)], batcher) if gone else batcher
