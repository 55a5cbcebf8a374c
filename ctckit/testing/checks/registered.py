"""How a check is declared."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ctckit.testing.subject import Subject


@dataclass(frozen=True)
class Check:
    """Something that every decoder must do.

    Attributes
    ----------
    name : as it stands in tables, in `Decoder.known_failings` and in the ids of tests
    summary : what is demanded, one sentence
    run : raises for a decoder that does not; NotApplicable where it is not asked to
    """

    name: str
    summary: str
    run: Callable[[Subject], None]


def check(name: str) -> Callable[[Callable[[Subject], None]], Check]:
    """Declare a check; the first line of the function's docstring is its summary."""

    def declare(run: Callable[[Subject], None]) -> Check:
        summary = (run.__doc__ or "").strip().partition("\n")[0]
        return Check(name, summary, run)

    return declare
