"""Fetch word frequencies with pip, and write word lists that hold each word as often as it counts.

    python corpora/words/frequencies.py out/words

writes ``english-frequent.txt``, ``german-frequent.txt`` and ``french-frequent.txt``, for word beam
search in its mode NGrams. A line holds one word, as often as the square root of its frequency, in
units of the rarest word's. wordfreq knows no capitals, so every word is also written with a
capital letter, at a tenth of its frequency, and in capitals, at a hundredth. Words are runs of
letters: what an apostrophe or a hyphen joins counts as several. Needs pip and msgpack, and
installs nothing.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import re
import subprocess
import sys
import tempfile
import unicodedata
import zipfile
from pathlib import Path

import msgpack

VERSION = "3.1.1"
WHEEL = "4b1c6ecffc6198be3396d5cf871c4423ca71c907c231348d352dd54d62b97473"
"""SHA-256 of wordfreq's wheel."""
LANGUAGES = {"english": "en", "german": "de", "french": "fr"}
CAPITALISED = 0.1
CAPITALS = 0.01
"""How frequent a word is with a capital letter, and in capitals, beside itself."""
RAREST = 1e-8
"""The least frequency in wordfreq's lists; a word of this frequency is written once."""

# Of the files written; README.md has them, too.
CHECKSUMS = {
    "english": "3b54616cdc55c6b60170bd0801f335c106e828e4b9405dd4e6e5ee26e2aa3683",
    "german": "296eba3a9ba417a3133d3cb427dcc3b9504b6c1cafa748f8ad50ba8f4f3f28d8",
    "french": "1063feb2f5b7192609a793a2c8b0bf8453653796995385403077f1d709143c11",
}


def download(folder: Path) -> Path:
    """Download wordfreq's wheel into `folder`; exit if its checksum is another."""
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest"]
    subprocess.run([*command, str(folder), f"wordfreq=={VERSION}"], check=True)
    (wheel,) = folder.glob("wordfreq-*.whl")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != WHEEL:
        sys.exit(f"frequencies.py: {wheel.name} must have the SHA-256 {WHEEL}, got another")
    return wheel


def read_frequencies(packed: bytes) -> dict[str, float]:
    """Return the frequency of each word of one of wordfreq's files.

    They hold a header, then one list of words for each centibel, from 0 downwards.
    """
    header, *centibels = msgpack.unpackb(gzip.decompress(packed), raw=False)
    if header != {"format": "cB", "version": 1}:
        raise ValueError(f"header must be that of wordfreq's format cB, version 1, got {header}")
    return {word: 10 ** (-i / 100) for i, words in enumerate(centibels) for word in words}


def with_capitals(frequencies: dict[str, float]) -> dict[str, float]:
    """Return the letters-only words of a list, as they are, with a capital letter, in capitals.

    Of several that are spelled alike the most frequent counts.
    """
    found: dict[str, float] = {}
    for text, frequency in frequencies.items():
        for word in re.findall(r"[^\W\d_]+", unicodedata.normalize("NFC", text)):
            for form, share in (
                (word, 1.0),
                (word[0].upper() + word[1:], CAPITALISED),
                (word.upper(), CAPITALS),
            ):
                found[form] = max(found.get(form, 0.0), share * frequency)
    return found


def lines_of(frequencies: dict[str, float]) -> list[str]:
    """Return a line a word, sorted, that repeats it as often as it counts, at least once."""
    times = {word: round((one / RAREST) ** 0.5) for word, one in frequencies.items()}
    return [" ".join([word] * max(times[word], 1)) for word in sorted(times)]


def main() -> None:
    """Read the command line, fetch, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write, e.g. out/words")
    output: Path = parser.parse_args().output
    (output / "LICENSES").mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as scratch,
        zipfile.ZipFile(download(Path(scratch))) as wheel,
    ):
        for language, code in LANGUAGES.items():
            packed = wheel.read(f"wordfreq/data/large_{code}.msgpack.gz")
            lines = lines_of(with_capitals(read_frequencies(packed)))
            text = "".join(f"{line}\n" for line in lines)
            name = f"{language}-frequent.txt"
            (output / name).write_text(text, encoding="utf-8", newline="\n")
            checksum = hashlib.sha256(text.encode()).hexdigest()
            print(f"{name}: {len(lines)} words, SHA-256 {checksum}")
            if checksum != CHECKSUMS[language]:
                print(f"{name} differs from README.md's")
        for name in ("LICENSE.txt", "METADATA"):
            licence = wheel.read(f"wordfreq-{VERSION}.dist-info/{name}")
            (output / "LICENSES" / f"wordfreq-{Path(name).stem}.txt").write_bytes(licence)


if __name__ == "__main__":
    main()
