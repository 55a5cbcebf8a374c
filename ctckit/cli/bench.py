"""The command `bench`."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ctckit.bench.specs import (
    DecoderSpec,
    give_corpus,
    parse_spec,
    takes_corpus,
    without_needy,
)
from ctckit.cli.errors import FAILED, say, say_warnings, wrong_usage
from ctckit.cli.options import (
    PATH,
    THREADS,
    OutputPath,
    check_output_ending,
    click_option,
    installed_names,
)
from ctckit.cli.plugins import plugin_code
from ctckit.cli.progress import progress
from ctckit.cli.tables import print_table

if TYPE_CHECKING:
    from ctckit.bench.harness import BenchResult

ENDINGS = (".csv", ".json", ".md")


@click.command(
    short_help="Compare decoders: error rates and speed.",
    epilog="Example: ctckit bench --decoder bestpath --decoder beamsearch:beam_width=50",
)
@click.argument("dump", type=PATH, default=Path("dump"))
@click.option(
    "--decoder",
    "wanted",
    metavar="SPEC",
    multiple=True,
    help="NAME or NAME:OPTION=VALUE,OPTION=VALUE; may be repeated.  [default: all]",
)
@click.option(
    "--corpus",
    metavar="FILE",
    type=PATH,
    help="For each decoder with an option corpus.",
)
@click.option(
    "--references",
    metavar="FILE",
    type=PATH,
    help="What is right (.csv with id,text or .jsonl), instead of the dump's references.",
)
@click.option(
    "--output",
    metavar="FILE",
    type=OutputPath(),
    help=f"Write the table to a file too: {', '.join(ENDINGS)}.",
)
@click.pass_context
def bench(
    context: click.Context,
    /,
    dump: Path,
    wanted: tuple[str, ...],
    corpus: Path | None,
    references: Path | None,
    output: Path | None,
    threads: int | None,
) -> None:
    """Decode DUMP (default: ./dump) with every installed decoder, and compare.

    CER and WER are edits over all lines divided by characters (words) over all lines, after
    NFC. The time is that of decoding and making texts; reading and compiling are not in it.
    Lines without a reference are left out. A decoder that cannot run is listed with the reason,
    and the exit code is then 1, unless it was not asked for and only lacks an option or a
    package.
    """
    if output is not None:
        check_output_ending(output, ENDINGS)
    with wrong_usage(context):
        specs = [replace(_parsed(text), asked=bool(wanted)) for text in wanted or installed_names()]
        if corpus is not None:
            if not any(takes_corpus(spec) for spec in specs):
                say("warning: no decoder has an option corpus; the file is not used")
            specs = give_corpus(specs, corpus)
        specs = without_needy(specs, expected=not wanted)
    with ExitStack() as stack:
        handle = None
        if output is not None:
            from ctckit.cli.output import open_output

            handle = stack.enter_context(open_output(output))
        result = _run(dump, specs, references, threads)
        _print(result)
        if output is not None and handle is not None:
            from ctckit.bench.report import FORMATS

            handle.write(FORMATS[output.suffix.lower()](result).encode())
    if not result.complete:
        context.exit(FAILED)


bench.params.append(click_option(THREADS))


def _parsed(text: str) -> DecoderSpec:
    with plugin_code(text.partition(":")[0]):
        return parse_spec(text)


def _run(
    path: Path, specs: list[DecoderSpec], references: Path | None, threads: int | None
) -> BenchResult:
    from ctckit.bench.harness import run_bench
    from ctckit.dumps import open_dump

    right = None
    if references is not None:
        from ctckit.references import read_references

        right = read_references(references)
    dump = open_dump(path)
    with say_warnings(), progress("bench", len(dump)) as advance:
        return run_bench(
            dump, specs, references=right, threads=threads, on_lines=advance, around=plugin_code
        )


def _print(result: BenchResult) -> None:
    from ctckit.bench.report import HEADERS, table_rows

    rows = table_rows(result)
    width = len(HEADERS) if any(score.reason for score in result.scores) else len(HEADERS) - 1
    print_table(HEADERS[:width], [row[:width] for row in rows], right=4)
    for message in result.damaged:
        say(f"warning: {message}")
    if result.unreferenced:
        total = result.lines + result.unreferenced
        say(f"warning: {result.unreferenced} of {total} lines have no reference and are left out")
    if result.unknown_ids:
        say(f"warning: {result.unknown_ids} references have an id that the dump does not hold")
