"""The command `ctckit`: a group whose commands are imported when they are called."""

from __future__ import annotations

import importlib
from typing import Any

import click

from ctckit.cli.errors import one_line_errors
from ctckit.errors import did_you_mean

COMMANDS = {
    "bench": ("ctckit.cli.bench:bench", "Compare decoders: error rates and speed."),
    "convert": ("ctckit.cli.convert:convert", "Convert matrices between npy, npz, CSV and dumps."),
    "decode": ("ctckit.cli.decode:decode", "Turn the matrices of a dump into text."),
    "decoders": ("ctckit.cli.decoders:decoders", "List and check decoders, or write one."),
    "dump": ("ctckit.cli.dump:dump", "Turn a folder of images into a dump of matrices."),
    "export": ("ctckit.cli.export:export", "Write a model as an ONNX file."),
    "lm": ("ctckit.cli.lm:lm", "Train and look at language models."),
    "pack": ("ctckit.cli.pack:pack", "Pack a data set into one file that is read fast."),
    "plot": ("ctckit.cli.plot:plot", "Draw a matrix, and what is read in it."),
    "read": ("ctckit.cli.read:read", "Read images of words or lines."),
    "train": ("ctckit.cli.train:train", "Train a recognizer on images with texts."),
    "validate": ("ctckit.cli.validate:validate", "Error rates of a model on images."),
}
"""Where each command is, and its short help: the list is printed without importing any."""

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class LazyGroup(click.Group):
    """A group that imports a command when it is called, and turns errors into one line."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the commands into the help, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, COMMANDS[name][1]) for name in self.list_commands(ctx)])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that the first argument names."""
        if args[0] not in COMMANDS and not args[0].startswith("-") and not ctx.resilient_parsing:
            raise click.UsageError(
                f"command must be one of {', '.join(sorted(COMMANDS))}, got {args[0]!r};"
                f"{did_you_mean(args[0], COMMANDS) or ' see ctckit --help'}",
                ctx,
            )
        return super().resolve_command(ctx, args)

    def make_context(self, *args: Any, **kwargs: Any) -> click.Context:
        """Parse the group's own arguments."""
        with one_line_errors():
            return super().make_context(*args, **kwargs)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command."""
        with one_line_errors():
            return super().invoke(ctx)


@click.group(cls=LazyGroup, context_settings=CONTEXT)
@click.version_option(package_name="ctckit", prog_name="ctckit", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn CTC matrices into text, and see which decoder errs least.

    Exit codes: 0 all done, 1 failed or finished with skips, 2 wrong usage, 130 interrupted.
    """
