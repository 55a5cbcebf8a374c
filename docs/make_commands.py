"""Write docs/commands.md from the help of the commands: python docs/make_commands.py."""

from __future__ import annotations

import re
from pathlib import Path

from click.testing import CliRunner

from ctckit.cli.main import cli

PAGE = Path(__file__).with_name("commands.md")
HELPS = (
    (),
    ("decode",),
    ("decode", "--decoder", "prefixsearch"),
    ("decode", "--decoder", "lexiconsearch"),
    ("decode", "--decoder", "tokenpassing"),
    ("decode", "--decoder", "ngrambeamsearch"),
    ("decode", "--decoder", "wordbeamsearch"),
    ("bench",),
    ("convert",),
    ("plot",),
    ("read",),
    ("dump",),
    ("train",),
    ("validate",),
    ("pack",),
    ("export",),
    ("decoders",),
    ("decoders", "check"),
    ("decoders", "new"),
    ("lm",),
    ("lm", "train"),
    ("lm", "info"),
)
WIDTH = 90

INTRODUCTION = """\
# The commands

This page is made from the commands' own help by `python docs/make_commands.py`; a test checks that
it is up to date. `python -m ctckit` is the same as `ctckit`.

| exit code | meaning |
|---|---|
| 0 | all done |
| 1 | failed, or finished with something skipped: a damaged shard, a decoder left out |
| 2 | wrong usage: an unknown command, option or decoder, or a value that breaks its rule |
| 130 | interrupted |

Results go to stdout, one-line messages and progress bars to stderr.
"""


def help_of(arguments: tuple[str, ...]) -> str:
    """Return what ``ctckit ... --help`` prints, without the list of installed decoders."""
    result = CliRunner().invoke(
        cli,
        [*arguments, "--help"],
        prog_name="ctckit",
        terminal_width=WIDTH,
        catch_exceptions=False,
    )
    if result.exit_code != 0:
        raise RuntimeError(f"ctckit {' '.join(arguments)} --help: {result.output}")
    return re.sub(r"\nInstalled decoders:\n(  .*\n)+", "", result.stdout).rstrip() + "\n"


def decoder_options(arguments: tuple[str, ...]) -> str:
    """Return the part of a help that says which options a decoder has."""
    _, found, options = help_of(arguments).partition(f"Options of the decoder {arguments[-1]}")
    return found + options


def make_page() -> str:
    """Return the text of docs/commands.md."""
    parts = [INTRODUCTION]
    for arguments in HELPS:
        text = decoder_options(arguments) if "--decoder" in arguments else help_of(arguments)
        parts.append(f"## `{' '.join(('ctckit', *arguments))}`\n\n```text\n{text}```\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(make_page(), encoding="utf-8")
