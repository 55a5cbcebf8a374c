"""Results as the README shows them."""

from __future__ import annotations

from typing import Any

from inputs import ROOT


def microseconds(value: float) -> str:
    """Return a time with as many digits as it deserves."""
    if value >= 1000:
        return f"{value / 1000:.1f} ms"
    return f"{value:.1f} us" if value < 10 else f"{value:.0f} us"


def measured(stamp: dict[str, Any]) -> str:
    """Return the words that say where and with what something was measured."""
    versions = ", ".join(f"{name} {number}" for name, number in stamp["versions"].items())
    return (
        f"Measured {stamp['date']} at commit {stamp['commit']} on {stamp['cpu']}; Python "
        f"{stamp['python']}, {versions}; {stamp['matrices']}"
    )


def growth_lines(growth: dict[str, list[dict[str, Any]]]) -> list[str]:
    """Return an item of a list for each thing that grew, with microseconds by its values."""
    lines = []
    for axis, rows in growth.items():
        cells = ", ".join(f"{row['value']}: {row['us']:.0f}" for row in rows)
        lines.append(f"- {axis} = {cells}")
    return lines


def write_readme(section: str, text: str) -> None:
    """Put text between the README's markers of that name."""
    begin, end = f"<!-- {section}:begin -->", f"<!-- {section}:end -->"
    path = ROOT / "README.md"
    readme = path.read_text(encoding="utf-8")
    head, rest = readme.split(begin)
    _, tail = rest.split(end)
    path.write_text(f"{head}{begin}\n\n{text}\n\n{end}{tail}", encoding="utf-8")
