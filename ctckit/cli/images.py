"""What commands share that read images."""

from __future__ import annotations

from collections.abc import Sequence

import click

from ctckit.cli.errors import say
from ctckit.cli.options import PATH
from ctckit.decoders.options import Option

NAMED = 10
"""What is left out is all counted, and so many of it named."""
BATCH_SIZE = Option(
    "batch_size",
    int,
    64,
    "Images in a forward pass at most; the matrices do not depend on it.",
    minimum=1,
)


def model_option() -> click.Option:
    """Return the option ``--model``."""
    return click.Option(
        ["--model"],
        type=PATH,
        metavar="FILE",
        help="Model that ctckit train wrote.  [default: the one that comes with ctckit]",
    )


def device_option() -> click.Option:
    """Return the option ``--device``."""
    return click.Option(
        ["--device"],
        type=click.Choice(["auto", "cpu", "gpu"]),
        default="auto",
        help="Where the network runs.  [default: auto, a GPU if there is one]",
    )


def tell_broken(messages: Sequence[str]) -> None:
    """Name the images that cannot be read."""
    for message in messages:
        say(f"error: {message}")


def tell_names(what: str, names: Sequence[str]) -> None:
    """Count what is wrong, and name the first; `what` is in the plural."""
    named = ", ".join(map(repr, names[:NAMED])) + (", ..." if len(names) > NAMED else "")
    what = what if len(names) > 1 else what.replace("s ", " ", 1)
    say(f"warning: {len(names):,} {what}: {named}")


def images_text(count: int) -> str:
    """Return how many images, in words.

    >>> images_text(1), images_text(2000)
    ('1 image', '2,000 images')
    """
    return "1 image" if count == 1 else f"{count:,} images"
