"""Where the command `ctckit` starts. Nothing is imported before ctrl-C is taken care of."""

from __future__ import annotations

import atexit
import os
import sys

INTERRUPTED = 130


def main() -> None:
    """Run the command line; never returns."""
    try:
        from ctckit.cli.group import cli

        _open_missing_streams()
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):  # what cannot show a character gets \u....
                stream.reconfigure(errors="backslashreplace")
        cli.main(prog_name="ctckit")
    except KeyboardInterrupt:  # before the group, which does the same, was there
        sys.stderr.write("ctckit: interrupted\n")
        sys.exit(INTERRUPTED)
    finally:
        if "ctckit.cli.diverting" in sys.modules:
            # What is registered last is called first, before what plugins have registered.
            atexit.register(sys.modules["ctckit.cli.diverting"].leave_stdout)


def _open_missing_streams() -> None:
    """Open the standard streams that are closed (``>&-``), so that no other file takes their place.

    In the order of their descriptors, since the lowest free one is taken.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: PTH123, SIM115


def __getattr__(name: str) -> object:
    if name not in ("COMMANDS", "cli"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from ctckit.cli import group

    return getattr(group, name)
