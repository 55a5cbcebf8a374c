"""What of a data set cannot be used: all is counted, and some of it named."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from ctckit.cli.errors import say
from ctckit.cli.images import NAMED, images_text


class LeftOut(Protocol):
    """What `tell_left_out` speaks of; see `ctckit.recognizer.datasets.layout.DataSet`."""

    damaged: list[str]
    known_bad: list[str]
    broken: list[str]
    without_text: int
    without_image: list[str]


def tell_left_out(found: LeftOut) -> None:
    """Say what a data set holds that cannot be used."""
    noun = "label" if len(found.damaged) == 1 else "labels"
    tell_some(f"left out {len(found.damaged):,} damaged {noun}", found.damaged)
    tell_some(f"left out {images_text(len(found.known_bad))} known to be damaged", found.known_bad)
    tell_some(f"left out {images_text(len(found.broken))} that cannot be read", found.broken, "; ")
    if found.without_text:
        say(f"warning: left out {images_text(found.without_text)} without a text")
    count = len(found.without_image)
    have = "text has" if count == 1 else "texts have"
    tell_some(f"{count:,} {have} no image", found.without_image)


def tell_some(what: str, messages: Sequence[str], between: str = ", ") -> None:
    """Say what there is, and name the first; nothing where there is none."""
    if messages:
        more = between + "..." if len(messages) > NAMED else ""
        say(f"warning: {what}: {between.join(messages[:NAMED])}{more}")
