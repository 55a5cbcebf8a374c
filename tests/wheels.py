"""Check what is in built wheels and sdists: python tests/wheels.py BUILT TREE.

BUILT holds an sdist of each distribution and the wheel that was made of it, TREE the wheels that
were made of the checkout. Prints what is wrong, and exits with 1 if anything is.
"""

from __future__ import annotations

import sys
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

NEEDED = {
    "ctckit": (
        "ctckit/recognizer/models/default.safetensors",
        "ctckit/templates/pyproject.toml.in",
        "ctckit/templates/tests/test_conformance.py.in",
        "ctckit/templates/gitignore.in",
    )
}
"""Files that no import would miss, by the beginning of the wheel's name."""


def faults_of_wheel(wheel: Path, twin: Path) -> Iterator[str]:
    """Yield what is wrong with a wheel; `twin` must be equal to it but for dates."""
    contents, others = contents_of(wheel), contents_of(twin)
    for name in sorted(contents.keys() ^ others.keys()):
        yield f"{wheel.name} must not depend on where it is built, got {name} once only"
    for name in sorted(contents.keys() & others.keys()):
        if contents[name] != others[name] and not name.endswith("/RECORD"):
            yield f"{wheel.name} must not depend on where it is built, got two kinds of {name}"
    if not any(".dist-info/licenses/LICENSE" in name for name in contents):
        yield f"{wheel.name} must hold its licence, got none"
    for needed in NEEDED.get(wheel.name.partition("-")[0], ()):
        if needed not in contents:
            yield f"{wheel.name} must hold {needed}, got none"
    packages = {name.partition("/")[0] for name in contents if name.endswith("/__init__.py")}
    for package in sorted(packages):
        if f"{package}/py.typed" not in contents:
            yield f"{wheel.name} must say that {package} is typed, got no py.typed"
    for name in contents:
        known = name.startswith((*(f"{one}/" for one in packages), f"{stem(wheel)}.dist-info/"))
        if not known and (packages or not name.endswith(".py")):
            yield f"{wheel.name} must hold its packages alone, got {name}"


def faults_of_sdist(sdist: Path) -> Iterator[str]:
    """Yield what is missing in an sdist beside what its wheel is made of."""
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    for needed in ("LICENSE", "README.md", "pyproject.toml"):
        if needed not in names:
            yield f"{sdist.name} must hold {needed}, got none"


def contents_of(wheel: Path) -> dict[str, bytes]:
    """Return the files of a wheel, and what is in them."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist() if name[-1] != "/"}


def stem(wheel: Path) -> str:
    """Return name and version as a wheel's file name has them."""
    return "-".join(wheel.name.split("-")[:2])


def main(built: Path, tree: Path) -> int:
    """Check, print, and return the exit code."""
    wheels, sdists = sorted(built.glob("*.whl")), sorted(built.glob("*.tar.gz"))
    faults = []
    if not wheels or len(wheels) != len(sdists) or len(wheels) != len(list(tree.glob("*.whl"))):
        faults.append(f"wheels and sdists must be as many, got {len(wheels)} and {len(sdists)}")
    for wheel in wheels:
        faults += faults_of_wheel(wheel, tree / wheel.name)
    for sdist in sdists:
        faults += faults_of_sdist(sdist)
    print("\n".join(faults) or f"wheels: {len(wheels)} hold what they should, and so do the sdists")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
