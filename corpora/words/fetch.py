"""Fetch the word lists of the synthetic words with apt-get, and write them as UTF-8.

    python corpora/words/fetch.py out/words

writes ``english.txt``, ``german.txt`` and ``french.txt``, one word a line, and each package's
copyright file to ``LICENSES/``. Needs Debian's or Ubuntu's apt-get and dpkg-deb; installs nothing
and needs no root. The lists are read when the recognizer is trained, and are not committed.
"""

from __future__ import annotations

import argparse
import hashlib
import shutil
import subprocess
import tempfile
from pathlib import Path

LISTS = {
    "english": ("wamerican", "american-english"),
    "german": ("wngerman", "ngerman"),
    "french": ("wfrench", "french"),
}

# Of the files written, with the packages of Debian 12; README.md names their versions.
CHECKSUMS = {
    "english": "9f513f1ceadb6a01c5485b7dbdfd5118dc66cd70b59cae2851292112d4066a32",
    "german": "4864ca7300aae638c611114092ed566ba232b35e42280fcfb5509c5d121b307d",
    "french": "33b3a15b7c47c4b85aaafa7c8b41d3fee9c7ca1383381bb8f710372ce7474f06",
}


def unpack(package: str, folder: Path) -> Path:
    """Download `package` into `folder` and unpack it there; return the root of its files."""
    subprocess.run(["apt-get", "download", "--quiet", package], cwd=folder, check=True)
    (archive,) = folder.glob(f"{package}_*.deb")
    root = folder / package
    subprocess.run(["dpkg-deb", "--extract", str(archive), str(root)], check=True)
    print(archive.name)
    return root


def main() -> None:
    """Read the command line, fetch, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write, e.g. out/words")
    output: Path = parser.parse_args().output
    (output / "LICENSES").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        for language, (package, name) in LISTS.items():
            root = unpack(package, Path(scratch)) / "usr" / "share"
            words = (root / "dict" / name).read_text(encoding="utf-8").splitlines()
            text = "".join(f"{word.strip()}\n" for word in words if word.strip())
            (output / f"{language}.txt").write_text(text, encoding="utf-8", newline="\n")
            licence = output / "LICENSES" / f"{package}.txt"
            shutil.copy(root / "doc" / package / "copyright", licence)
            checksum = hashlib.sha256(text.encode()).hexdigest()
            print(f"{language}.txt: {len(text.splitlines())} words, SHA-256 {checksum}")
            if checksum != CHECKSUMS[language]:
                print(f"{language}.txt differs from README.md's: another version of {package}")


if __name__ == "__main__":
    main()
