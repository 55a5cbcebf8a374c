"""Fetch the word lists of the synthetic words with apt-get, and write them as UTF-8.

    python corpora/words/fetch.py out/words

writes ``english.txt``, ``german.txt`` and ``french.txt``, one word a line, ``english-text.txt``,
the words of running text, each as often as it occurs there, and each package's copyright file to
``LICENSES/``. Needs Debian's or Ubuntu's apt-get and dpkg-deb; installs nothing
and needs no root. The lists are read when the recognizer is trained, and are not committed.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

LISTS = {
    "english": ("wamerican", "american-english"),
    "german": ("wngerman", "ngerman"),
    "french": ("wfrench", "french"),
}
TEXTS = ("fortunes", "fortunes-min")
"""Packages of short English texts: quotations, jokes, verse."""
TECHNICAL = {
    "ascii-art",
    "computers",
    "debian",
    "knghtbrd",
    "linux",
    "linuxcookie",
    "magic",
    "perl",
    "tao",
    "translate-me",
    "zippy",
}
"""Their files that are not ordinary English."""
WORD = re.compile(
    r"""(?<![^\s"'(\[*_-])[A-Za-z]+(?:['-][A-Za-z]+)*(?=[\s.,;:!?"')\]_-]|$)""", re.ASCII
)

# Of the files written, with the packages of Debian 12; README.md names their versions.
CHECKSUMS = {
    "english": "9f513f1ceadb6a01c5485b7dbdfd5118dc66cd70b59cae2851292112d4066a32",
    "german": "4864ca7300aae638c611114092ed566ba232b35e42280fcfb5509c5d121b307d",
    "french": "33b3a15b7c47c4b85aaafa7c8b41d3fee9c7ca1383381bb8f710372ce7474f06",
    "english-text": "54b30ee38f5ecb7698ef46d7cba715ad24e0cd8cc77541e9c8a77bc3ff2c5769",
}


def unpack(package: str, folder: Path) -> Path:
    """Download `package` into `folder` and unpack it there; return the root of its files."""
    subprocess.run(["apt-get", "download", "--quiet", package], cwd=folder, check=True)
    (archive,) = folder.glob(f"{package}_*.deb")
    root = folder / package
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(root)], check=True)
    print(archive.name)
    return root


def words_of_texts(roots: list[Path]) -> list[str]:
    """Return the words of the packages of texts, in the order in which they stand there."""
    folders = [root / "share" / "games" / "fortunes" for root in roots]
    files = sorted(
        (file.name, file)
        for folder in folders
        for file in folder.iterdir()
        if "." not in file.name and file.name not in TECHNICAL
    )
    texts = (file.read_text(encoding="utf-8", errors="replace") for _, file in files)
    return [word for text in texts for word in WORD.findall(text)]


def write(output: Path, name: str, words: list[str]) -> None:
    """Write a list, and say whether it is the one that README.md names."""
    text = "".join(f"{word.strip()}\n" for word in words if word.strip())
    (output / f"{name}.txt").write_text(text, encoding="utf-8", newline="\n")
    checksum = hashlib.sha256(text.encode()).hexdigest()
    print(f"{name}.txt: {len(text.splitlines())} words, SHA-256 {checksum}")
    if checksum != CHECKSUMS[name]:
        print(f"{name}.txt differs from README.md's: another version of its package")


def main() -> None:
    """Read the command line, fetch, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write, e.g. out/words")
    output: Path = parser.parse_args().output
    (output / "LICENSES").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        packages = [*(package for package, _ in LISTS.values()), *TEXTS]
        roots = {package: unpack(package, Path(scratch)) / "usr" for package in packages}
        for language, (package, name) in LISTS.items():
            words = (roots[package] / "share" / "dict" / name).read_text(encoding="utf-8")
            write(output, language, words.splitlines())
        write(output, "english-text", words_of_texts([roots[package] for package in TEXTS]))
        for package, root in roots.items():
            licence = output / "LICENSES" / f"{package}.txt"
            shutil.copy(root / "share" / "doc" / package / "copyright", licence)


if __name__ == "__main__":
    main()
