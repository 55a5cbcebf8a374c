"""The command `decoders`, and `decoders check`."""

from __future__ import annotations

import json
from collections import Counter

import click

from ctckit.cli.errors import FAILED, say
from ctckit.cli.tables import print_table
from ctckit.errors import did_you_mean
from ctckit.registry import list_decoders


@click.group(invoke_without_command=True, short_help="List and check the installed decoders.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def decoders(context: click.Context, as_json: bool) -> None:
    """List the installed decoders: name, distribution, version and its summary.

    None is imported, so broken ones are listed too: `ctckit decoders check` finds them. Where
    the output is no terminal, the cells are separated by tabs.
    """
    if context.invoked_subcommand is not None:
        return
    found = list_decoders()
    fields = ("name", "distribution", "version", "summary")
    if as_json:
        entries = [{field: getattr(info, field) for field in fields} for info in found]
        click.echo(json.dumps(entries, ensure_ascii=False, indent=2))
        return
    print_table(fields, [[getattr(info, field) for field in fields] for info in found])
    for name, count in Counter(info.name for info in found).items():
        if count > 1:
            owners = " and ".join(info.owner for info in found if info.name == name)
            say(f"warning: decoder names must be unique, got {name!r} from {owners}; uninstall one")


@decoders.command(short_help="Import decoders and run them on tiny matrices.")
@click.argument("names", nargs=-1)
def check(names: tuple[str, ...]) -> None:
    """Import the decoders NAMES (all if none is given) and run each on tiny matrices.

    Prints the name, ok, failed or skipped, and the reason. A decoder with a required option is
    skipped, unless that is `corpus`, which gets a few words. The exit code is 1 unless all are
    ok.
    """
    installed = sorted({info.name for info in list_decoders()})
    for name in names:
        if name not in installed:
            raise click.UsageError(
                f"decoder must be installed, got {name!r};{did_you_mean(name, installed)} "
                f"installed: {', '.join(installed)}"
            )
    from ctckit.cli.check import check_decoder

    results = [check_decoder(name) for name in names or installed]
    width = len(HEADERS_OF_CHECK)
    if not any(result.reason for result in results):
        width -= 1
    rows = [(result.name, result.outcome, result.reason)[:width] for result in results]
    print_table(HEADERS_OF_CHECK[:width], rows)
    if any(result.outcome != "ok" for result in results):
        click.get_current_context().exit(FAILED)


HEADERS_OF_CHECK = ("name", "result", "reason")
