"""Check a built site: python docs/check_site.py FOLDER.

Nothing is fetched from elsewhere when a page is looked at, every link within the site leads to a
page and a place that are there, and every picture says what is on it.
"""

from __future__ import annotations

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FETCHED = {
    ("script", "src"),
    ("link", "href"),
    ("img", "src"),
    ("iframe", "src"),
    ("source", "src"),
    ("video", "src"),
    ("audio", "src"),
    ("object", "data"),
    ("embed", "src"),
}
"""What a browser fetches by itself."""
IN_STYLES = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What stands in a page: what it fetches, its links, its places, its pictures without words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.links: list[str] = []
        self.places: set[str] = set()
        self.silent: list[str] = []
        self._style = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take down the attributes that matter."""
        self._style = tag == "style"
        given = {name: value or "" for name, value in attrs}
        for name, value in given.items():
            if (tag, name) in FETCHED:
                self.fetched.append(value)
            elif name == "href":
                self.links.append(value)
            elif name == "style":
                self.fetched += IN_STYLES.findall(value)
            elif name == "srcset":
                self.fetched += [one.split()[0] for one in value.split(",") if one.strip()]
        self.places.update(given[name] for name in ("id", "name") if name in given)
        if tag == "img" and not given.get("alt"):
            self.silent.append(given.get("src", ""))

    def handle_data(self, data: str) -> None:
        """Take down what a style sheet within the page fetches."""
        if self._style:
            self.fetched += IN_STYLES.findall(data)


def is_outside(address: str) -> bool:
    """Return whether an address leaves the site."""
    return bool(urlsplit(address).scheme) or address.startswith("//")


def find_faults(site: Path) -> list[str]:
    """Return a line for each fault of a built site."""
    site = site.resolve()
    pages = {path: Page(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    faults = [] if pages else [f"{site} must hold pages, got none; build them first"]
    for path in sorted(site.rglob("*.css")):
        sheet = path.read_text(encoding="utf-8")
        faults += [f"{path.relative_to(site)} fetches {one}" for one in IN_STYLES.findall(sheet)]
    for path, page in pages.items():
        name = path.relative_to(site)
        faults += [f"{name} shows {one} without words" for one in page.silent]
        for address in page.fetched:
            if address.startswith("data:"):
                continue
            if is_outside(address):
                faults.append(f"{name} fetches {address}")
            elif not _target(path, address).exists():
                faults.append(f"{name} fetches {address}, which is not there")
        for address in page.links:
            if not is_outside(address) and (fault := _lost(path, address, pages)):
                faults.append(f"{name} links to {address}: {fault}")
    return faults


def _target(page: Path, address: str) -> Path:
    there = unquote(urlsplit(address).path)
    return (page.parent / there).resolve() if there else page.resolve()


def _lost(page: Path, address: str, pages: dict[Path, Page]) -> str:
    """Return why a link leads nowhere, or nothing."""
    target, place = _target(page, address), unquote(urlsplit(address).fragment)
    if not target.exists():
        return "no such file"
    known = pages.get(target)
    return "no such place" if place and known and place not in known.places else ""


if __name__ == "__main__":
    found = find_faults(Path(sys.argv[1]))
    print("\n".join(found), file=sys.stderr)
    sys.exit(1 if found else 0)
