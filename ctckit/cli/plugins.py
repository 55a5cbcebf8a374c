"""While a decoder's code runs: what it prints goes to stderr, and a second ctrl-C ends it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from ctckit.cli.diverting import diverted
from ctckit.cli.errors import say
from ctckit.cli.stopping import stopped_by_interrupts, workers_waited_for
from ctckit.decoders.base import Decoder
from ctckit.registry import list_decoders

_TOLD = "ctckit.decoders_that_printed"


@contextmanager
def plugin_code(name: str, decoder: Decoder | None = None) -> Iterator[None]:
    """Run what belongs to a decoder inside: its import, its start, its search of many lines.

    What it writes to stdout goes to stderr, and a warning says so once. After a ctrl-C that it
    does not heed a line on stderr says that a second one ends the process. One that it swallows is
    raised in the end.

    Parameters
    ----------
    name : the decoder's
    decoder : itself, once it is made

    Raises
    ------
    KeyboardInterrupt : there was a ctrl-C
    """

    def label() -> str:
        return f"decoder {_label(name) if decoder is None else decoder.label}"

    ours = type(decoder).__module__.partition(".")[0] == "ctckit"
    with stopped_by_interrupts(label, holds_lock=not ours), diverted() as printed:
        try:
            with workers_waited_for():
                yield
        finally:
            if printed():
                _warn(name, label())


def _label(name: str) -> str:
    owners = [info.owner for info in list_decoders() if info.name == name]
    return f"{name!r} of {' and '.join(owners)}" if owners else repr(name)


def _warn(name: str, label: str) -> None:
    context = click.get_current_context(silent=True)
    told = set() if context is None else context.meta.setdefault(_TOLD, set())
    if name not in told:
        told.add(name)
        say(f"warning: {label} printed to stdout, which holds the results; it went to stderr")
