"""Write the tables of docs/peers.md by the conformance suite: python docs/make_peers.py.

Every check is run on every decoder of ctckit, ctcwordbeamsearch and ctckit-peers that is installed
here; it takes some minutes. `make table` does it where the peers are.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from pathlib import Path

from ctckit import list_decoders
from ctckit.errors import MissingExtraError
from ctckit.registry import decoder_class, load_decoder
from ctckit.testing.checks import CHECKS
from ctckit.testing.examples import example_alphabet

PAGE = Path(__file__).with_name("peers.md")
BEGIN, END = "<!-- peers:begin -->", "<!-- peers:end -->"
PEERS = "ctckit-peers"
OURS = ("ctckit", "ctcwordbeamsearch")
CELLS = {"ok": "ok", "skipped": ""}
"""What stands in the tables; a check that is known to fail has the number of its reason."""

Row = Mapping[str, str]
"""A decoder's name, a check, its result and the reason, as ``ctckit decoders check`` gives them."""


def names_of(*distributions: str) -> list[str]:
    """Return the decoders that some distributions register."""
    return [info.name for info in list_decoders() if info.distribution in distributions]


def missing(names: Iterable[str]) -> dict[str, str]:
    """Return those peers among some decoders that are not installed, and their packages."""
    found = {}
    for name in names:
        try:
            load_decoder(name, example_alphabet(), **_placeholders(name))
        except MissingExtraError:
            found[name] = decoder_class(name).distributions[0]  # type: ignore[attr-defined]
    return found


def _placeholders(name: str) -> dict[str, object]:
    """Return what a decoder needs to be made, as it is given in Python."""
    options = decoder_class(name).options
    if "lexicon" in options:
        return {"lexicon": ["a"]}
    return {"corpus": PAGE} if "corpus" in options else {}


def check(names: list[str]) -> list[Row]:
    """Run the suite on some decoders, each in processes of its own."""
    command = [sys.executable, "-m", "ctckit", "decoders", "check", "--thorough", "--json", *names]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    rows: list[Row] = json.loads(done.stdout)
    failed = [row for row in rows if row["result"] == "failed"]
    for row in failed:
        print(f"{row['name']} fails {row['check']}: {row['reason']}", file=sys.stderr)
    if failed:
        sys.exit("declare in known_failings what is the peer's own fault, and run this again")
    return rows


def table(rows: Iterable[Row]) -> list[str]:
    """Return lines of Markdown: checks down, decoders across, and reasons below."""
    cells: dict[str, dict[str, Row]] = {}
    for row in rows:
        cells.setdefault(row["name"], {})[row["check"]] = row
    numbers: dict[str, int] = {}
    heads = " | ".join(f"`{name}`" for name in cells)
    out = [f"| check | {heads} |", "|---" * (len(cells) + 1) + "|"]
    for name in CHECKS:
        line = [f"`{name}`"]
        for by_check in cells.values():
            row = by_check[name]
            if row["result"] == "known":
                line.append(f"fails ({numbers.setdefault(row['reason'], len(numbers) + 1)})")
            else:
                line.append(CELLS[row["result"]])
        out.append(f"| {' | '.join(line)} |")
    if numbers:
        out.append("")
    return out + [f"{number}. {reason}" for reason, number in numbers.items()]


def made_with(names: Iterable[str]) -> str:
    """Return the sentence that tells the versions of everything behind some decoders."""
    versions = {name: version(name) for name in OURS}
    for name in names:
        versions |= decoder_class(name).versions()  # type: ignore[attr-defined]
    return f"Made with {', '.join(f'{name} {number}' for name, number in versions.items())}."


def section() -> str:
    """Run everything and return what stands between the page's markers."""
    peers = names_of(PEERS)
    absent = missing(peers)
    there = [name for name in peers if name not in absent]
    out = ["The peers:", "", *table(check(there))]
    out += ["", "ctckit's own:", "", *table(check(names_of(*OURS)))]
    left_out = ", ".join(f"`{name}` ({package})" for name, package in absent.items())
    ending = f" Not installed there, and left out: {left_out}." if left_out else ""
    return "\n".join([*out, "", made_with(there) + ending])


def main() -> None:
    """Put the tables into the page."""
    head, rest = PAGE.read_text(encoding="utf-8").split(BEGIN)
    tail = rest.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n\n{section()}\n\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
