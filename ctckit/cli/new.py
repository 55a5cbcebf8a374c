"""The command `decoders new`: a package with a decoder, ready to be filled and published."""

from __future__ import annotations

import builtins
import keyword
import re
import shlex
import shutil
from importlib.metadata import PackageNotFoundError, version
from importlib.resources import files
from pathlib import Path
from string import Template

import click

from ctckit import __version__
from ctckit.cli.errors import say
from ctckit.cli.options import PATH
from ctckit.registry import list_decoders

TEMPLATES = {
    "pyproject.toml": "pyproject.toml.in",
    "README.md": "README.md.in",
    "LICENSE": "LICENSE.in",
    ".gitignore": "gitignore.in",
    "tests/test_conformance.py": "tests/test_conformance.py.in",
}
"""What a package holds beside its module, and what in `ctckit.templates` that is made of."""
TAKEN = frozenset({*keyword.kwlist, *dir(builtins), "ctckit", "np", "npt", "pytest"})
"""Names that a decoder's function cannot have: Python's own, and those that its modules use."""


@click.command(short_help="Write a package with a decoder of your own.")
@click.argument("name")
@click.option("--class", "as_class", is_flag=True, help="A class, for scores, n-best and kernels.")
@click.option("--output", type=PATH, help="Folder to write.  [default: ctckit-NAME]")
def new(name: str, as_class: bool, output: Path | None) -> None:
    """Write a package that holds the decoder NAME, and print its files.

    NAME is one word in lower case. The package has a module, its tests and what it takes to
    publish it. It works as it is written (it reads the best path), so that you replace one
    function by your idea: from one matrix to a text, or with --class from a batch of them to
    token ids and scores.
    """
    _check_name(name)
    folder = output or Path(f"ctckit-{name}")
    for path in write_package(folder, package_files(name, as_class=as_class)):
        click.echo(path)
    target = shlex.quote(f"{folder}[test]")
    say(f"next: pip install --editable {target}, then ctckit decoders check {name}")


def package_files(name: str, *, as_class: bool = False) -> dict[str, str]:
    """Return the text of each file of a package for a decoder, by its path in the package.

    Parameters
    ----------
    name : of the decoder
    as_class : whether it is a class instead of a function
    """
    major, minor = map(int, __version__.split(".")[:2])
    values = {
        "name": name,
        "object": f"{name.capitalize()}Decoder" if as_class else name,
        "range": f">={major}.{minor},<{major}.{minor + 1}",
    }
    module = {f"ctckit_{name}.py": "class.py.in" if as_class else "function.py.in"}
    folder = files("ctckit").joinpath("templates")
    return {
        path: Template(folder.joinpath(source).read_text(encoding="utf-8")).substitute(values)
        for path, source in (module | TEMPLATES).items()
    }


def write_package(folder: Path, texts: dict[str, str]) -> list[Path]:
    """Write files into a folder that is not there yet, all or none, and return their paths."""
    try:
        folder.mkdir(parents=True)
    except FileExistsError as error:
        raise click.UsageError(
            f"output must be a new folder, got '{folder}', which is there already; "
            "give another by --output, or remove it"
        ) from error
    try:
        for path, text in texts.items():
            (folder / path).parent.mkdir(exist_ok=True)
            (folder / path).write_text(text, encoding="utf-8", newline="\n")
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return [folder / path for path in texts]


def _check_name(name: str) -> None:
    if not re.fullmatch("[a-z][a-z0-9]*", name):
        raise click.UsageError(
            f"name must be one word of a to z and digits, a letter first, got {name!r}; "
            "it is what users type"
        )
    if name in TAKEN:
        raise click.UsageError(
            f"name must not be one that Python code has a use for, got {name!r}; choose another"
        )
    for info in list_decoders():
        if info.name == name:
            raise click.UsageError(
                f"name must not be that of an installed decoder, got {name!r}, which is of "
                f"{info.owner}; choose another"
            )
    distribution = f"ctckit-{name}"
    try:
        found = version(distribution)
    except PackageNotFoundError:
        return
    raise click.UsageError(
        f"name must not make the name of an installed distribution, got {name!r}, and "
        f"{distribution} {found} is there; choose another"
    )
