"""Tables for people on a terminal, tab-separated lines for programs elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Sequence

import click


def print_table(headers: Sequence[str], rows: Sequence[Sequence[str]], right: int = 0) -> None:
    """Print a table.

    On a terminal it is drawn; else each row, the headers first, is one line of cells separated
    by tabs.

    Parameters
    ----------
    headers : one a column
    rows : of as many cells
    right : columns after the first that hold numbers, and are aligned to the right
    """
    if not sys.stdout.isatty():
        for row in (headers, *rows):
            click.echo("\t".join(escape(cell) for cell in row))
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for i, header in enumerate(headers):
        table.add_column(header, justify="right" if 1 <= i <= right else "left", overflow="fold")
    for row in rows:
        table.add_row(*[Text(escape(cell)) for cell in row])
    Console(highlight=False).print(table)


_ESCAPES = {ord("\\"): "\\\\", ord("\t"): "\\t", ord("\n"): "\\n", ord("\r"): "\\r"}
_ESCAPES |= {
    code: f"\\x{code:02x}" for code in (*range(32), *range(127, 160)) if code not in _ESCAPES
}


def escape(text: str) -> str:
    r"""Return `text` on one line, without control characters.

    Tab, newline, carriage return and backslash become ``\t``, ``\n``, ``\r`` and ``\\``, other
    control characters ``\x1b`` and the like, so that the text can be told from what is written.
    """
    return text if text.isprintable() and "\\" not in text else text.translate(_ESCAPES)
