"""How well a model reads images whose texts are known."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from ctckit.alphabet import Alphabet
from ctckit.decoders.base import Decoder
from ctckit.errors import InvalidValueError
from ctckit.metrics import ErrorCounts, count_errors
from ctckit.recognizer.images import ImageFile
from ctckit.recognizer.reading import recognize_images
from ctckit.recognizer.recognizer import Recognizer


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


def labelled(
    images: Sequence[ImageFile], texts: Mapping[str, str], folder: object
) -> list[ImageFile]:
    """Return the images that have a text.

    Raises
    ------
    InvalidValueError : none has; the message names `folder`
    """
    found = [image for image in images if image.id in texts]
    if not found:
        count = "1 image" if len(images) == 1 else f"{len(images):,} images"
        raise InvalidValueError(
            f"images to validate on must have texts, got none for {count} in '{folder}'; "
            "add a labels.csv (file,text), or NAME.gt.txt beside each image"
        )
    return found


def validate(
    images: Sequence[ImageFile],
    texts: Mapping[str, str],
    recognizer: Recognizer,
    decoder: Decoder,
    *,
    batch_size: int = 64,
    on_images: Callable[[int], None] = lambda count: None,
) -> Validation:
    """Read images, and count the errors.

    Parameters
    ----------
    images : from `labelled`
    texts : what stands on each, by its id
    recognizer, decoder : what reads them, of one alphabet
    batch_size, on_images : as for `recognize_images`
    """
    done = Validation()
    for batch, broken in recognize_images(
        images, recognizer, batch_size=batch_size, on_images=on_images
    ):
        done.broken += broken
        if batch is not None:
            read = decoder.decode_batch(batch).texts()
            done.errors += count_errors([texts[id] for id in batch.ids], read)
    return done
