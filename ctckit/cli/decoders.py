"""The command `decoders`, and `decoders check`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import click

from ctckit.bench.specs import parse_spec
from ctckit.cli.errors import FAILED, say, wrong_usage
from ctckit.cli.new import new
from ctckit.cli.plugins import plugin_code
from ctckit.cli.progress import progress
from ctckit.cli.tables import print_table
from ctckit.errors import did_you_mean
from ctckit.registry import list_decoders


@click.group(invoke_without_command=True, short_help="List and check decoders, or write one.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
@click.pass_context
def decoders(context: click.Context, as_json: bool) -> None:
    """List the installed decoders: name, distribution, version and description.

    None is imported, so broken ones are listed too: `ctckit decoders check` finds them. Where
    the output is no terminal, the cells are separated by tabs.
    """
    if context.invoked_subcommand is not None:
        return
    found = list_decoders()
    fields = ("name", "distribution", "version", "description")
    if as_json:
        _print_json(
            {field: getattr(info, field) for field in (*fields, "summary")} for info in found
        )
        return
    print_table(fields, [[getattr(info, field) for field in fields] for info in found])
    for name, count in Counter(info.name for info in found).items():
        if count > 1:
            owners = " and ".join(info.owner for info in found if info.name == name)
            say(f"warning: decoder names must be unique, got {name!r} from {owners}; uninstall one")


@decoders.command(short_help="Import decoders and run them on tiny matrices.")
@click.argument("names", nargs=-1)
@click.option("--thorough", is_flag=True, help="Run every check of the conformance suite.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array.")
def check(names: tuple[str, ...], thorough: bool, as_json: bool) -> None:
    """Import the decoders NAMES (all if none is given) and run each on tiny matrices.

    Options may follow a name as in `ctckit bench`: NAME:OPTION=VALUE,OPTION=VALUE. Example files
    are given to required options called `corpus`, `lexicon` and `lm`; a decoder with another one
    is skipped.

    Prints the name, ok, failed or skipped, the reason, and what the decoder declares to fail. The
    exit code is 1 unless all are ok; that a package is missing is no matter where no name is
    given. With --thorough it prints a line for each check: ok, failed, known (it fails, and the
    decoder declares so) or skipped (it does not apply). The exit code is then 1 if any failed. It
    needs ctckit[testing].
    """
    installed = sorted({info.name for info in list_decoders()})
    for name in (text.partition(":")[0] for text in names):
        if name not in installed:
            raise click.UsageError(
                f"decoder must be installed, got {name!r};{did_you_mean(name, installed)} "
                f"installed: {', '.join(installed)}"
            )
    for text in names:
        with wrong_usage(), plugin_code(text.partition(":")[0]):
            parse_spec(text)
    chosen = names or tuple(installed)
    if thorough:
        complete = _check_thoroughly(chosen, as_json)
    else:
        complete = _check(chosen, as_json, named=bool(names))
    if not complete:
        click.get_current_context().exit(FAILED)


def _check(names: Sequence[str], as_json: bool, *, named: bool) -> bool:
    """Print what came of trying decoders; return whether all are ok.

    named : whether they were asked for, so that a missing package matters
    """
    from ctckit.cli.check import check_decoder

    results = []
    for text in names:
        with plugin_code(text.partition(":")[0]):
            results.append(check_decoder(text))
    if as_json:
        _print_json(
            {
                "name": one.name,
                "result": one.outcome,
                "reason": one.reason,
                "known_failings": dict(one.known),
            }
            for one in results
        )
    else:
        notes = {one.name: one.reason or _known(one.known) for one in results}
        width = len(HEADERS_OF_CHECK) - (not any(notes.values()))
        rows = [(one.name, one.outcome, notes[one.name])[:width] for one in results]
        print_table(HEADERS_OF_CHECK[:width], rows)
    return all(one.outcome == "ok" or (one.lacks_package and not named) for one in results)


def _known(failings: Mapping[str, str]) -> str:
    if not failings:
        return ""
    return "known to fail " + "; ".join(f"{name}: {why}" for name, why in failings.items())


def _check_thoroughly(names: Sequence[str], as_json: bool) -> bool:
    """Print what came of every check; return whether none failed."""
    from ctckit.cli.thorough import check_thoroughly
    from ctckit.testing.checks import CHECKS

    rows = []
    with progress("checking", len(names) * len(CHECKS), unit="checks") as advance:
        for text in names:
            with plugin_code(text.partition(":")[0]):
                for found in check_thoroughly(text):
                    rows.append((text, found.check, found.result, found.reason))
                    advance(1)
    if as_json:
        _print_json(dict(zip(HEADERS_OF_THOROUGH, row, strict=True)) for row in rows)
    else:
        shown = [(*row[:3], "; ".join(line.strip() for line in row[3].split("\n"))) for row in rows]
        print_table(HEADERS_OF_THOROUGH, shown)
    return all(row[2] != "failed" for row in rows)


def _print_json(entries: Iterable[Mapping[str, object]]) -> None:
    click.echo(json.dumps(list(entries), ensure_ascii=False, indent=2))


HEADERS_OF_CHECK = ("name", "result", "reason")
HEADERS_OF_THOROUGH = ("name", "check", "result", "reason")

decoders.add_command(new)
