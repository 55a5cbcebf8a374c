"""Fetch the open fonts of the synthetic words with npm, and write them as TTF.

    python corpora/fonts/fetch.py out/fonts

writes ``train/*.ttf`` and ``demo/*.ttf``, and each package's licence to ``LICENSES/``. They
are replaced. Needs npm, fonttools, brotli and Pillow. package.json pins the versions, and
package-lock.json the checksum of each package: npm refuses another. The fonts are used when the
recognizer is trained, never when it runs, and are not committed.

A character that a font cannot draw is not in its cmap: drop words that hold one.
"""

from __future__ import annotations

import argparse
import json
import logging
import shutil
import string
import subprocess
import tempfile
from pathlib import Path

from fontTools.merge import Merger
from fontTools.pens.boundsPen import ControlBoundsPen
from fontTools.ttLib import TTFont
from PIL import Image, ImageDraw, ImageFont

HERE = Path(__file__).resolve().parent
SCOPE = "@fontsource"
PARTS = ("train", "demo", "LICENSES")

# Kept out of training: the demo's words are drawn with these.
DEMO = (
    "coming-soon",
    "cookie",
    "mansalva",
    "sacramento",
    "satisfy",
    "schoolbell",
    "short-stack",
    "sue-ellen-francisco",
)

# Their lower case is drawn as capitals, so it is taken out of the cmap.
CAPITALS_ONLY = ("amatic-sc", "permanent-marker", "rock-salt")

# Weight 700 too, for variety.
BOLD = ("amatic-sc", "caveat", "dancing-script", "kalam")

EXPECTED = string.printable[:95] + "ÄÖÜäöüß" + "àâæçéèêëîïôœùûÿ"
SAMPLE = "Hamburgefonstiv quick jumpy wizard, 0123456789 AVOTY fjord"


def install(folder: Path) -> Path:
    """Install the pinned packages into `folder`; return where they lie."""
    npm = shutil.which("npm")
    if npm is None:
        raise SystemExit("npm must be installed, got none; install Node.js")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, folder / name)
    options = ["--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run([npm, "ci", "--prefix", str(folder), *options], check=True)
    return folder / "node_modules" / SCOPE


def blank_characters(font: TTFont) -> list[int]:
    """Return the printing characters of `font` whose glyph draws nothing."""
    glyphs = font.getGlyphSet()
    blank = []
    for code, glyph in font.getBestCmap().items():
        if chr(code).isprintable() and not chr(code).isspace():
            pen = ControlBoundsPen(glyphs)
            glyphs[glyph].draw(pen)
            if pen.bounds is None:
                blank.append(code)
    return blank


def forget(font: TTFont, codes: set[int]) -> None:
    """Take `codes` out of every cmap of `font`."""
    for table in font["cmap"].tables:
        for code in codes & set(table.cmap):
            del table.cmap[code]


def draw(path: Path) -> bytes:
    """Return the pixels of SAMPLE, drawn with the font at `path`."""
    image = Image.new("L", (1600, 120))
    ImageDraw.Draw(image).text((40, 40), SAMPLE, fill=255, font=ImageFont.truetype(path, 32))
    return image.tobytes()


def merge(latin: Path, extended: Path, target: Path) -> bool:
    """Write the two subsets as one font to `target`; False if that changes how Latin looks."""
    before = draw(latin)
    try:
        merged = Merger().merge([str(latin), str(extended)])
        merged.save(target)
        return draw(target) == before
    except Exception as error:  # fontTools has no one class for what two tables cannot share
        print(f"  {latin.stem}: {type(error).__name__}: {error}")
        return False


def convert(package: Path, weight: int, folder: Path, work: Path) -> str:
    """Write one weight of `package` as one TTF into `folder`; return what to say about it."""
    name = package.name if weight < 700 else f"{package.name}-bold"
    subsets = []
    for subset in ("latin", "latin-ext"):
        source = package / "files" / f"{package.name}-{subset}-{weight}-normal.woff2"
        if source.exists():
            font = TTFont(source)
            font.flavor = None
            subsets.append(work / f"{name}-{subset}.ttf")
            font.save(subsets[-1])
    target = folder / f"{name}.ttf"
    joined = len(subsets) == 2 and merge(subsets[0], subsets[1], target)
    font = TTFont(target if joined else subsets[0])
    codes = set(blank_characters(font))
    if package.name in CAPITALS_ONLY:
        codes |= {code for code in font.getBestCmap() if chr(code).islower()}
    forget(font, codes)
    target.unlink(missing_ok=True)
    font.save(target)
    draw(target)
    kind = "latin + latin-ext" if joined else f"latin, of {len(subsets)}"
    covered = set(font.getBestCmap())
    lacking = "".join(character for character in EXPECTED if ord(character) not in covered)
    return f"{folder.name}/{target.name}: {kind}; lacks {lacking or 'nothing'}"


def main() -> None:
    """Read the command line, fetch, convert."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", type=Path, help="folder to write, e.g. out/fonts; replaced")
    output: Path = parser.parse_args().output
    logging.getLogger("fontTools").setLevel(logging.ERROR)
    manifest = json.loads((HERE / "package.json").read_text(encoding="utf-8"))
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        packages = install(work)
        for part in PARTS:
            (work / part).mkdir()
        for full_name in manifest["dependencies"]:
            package = packages / full_name.removeprefix(f"{SCOPE}/")
            folder = work / ("demo" if package.name in DEMO else "train")
            weights = json.loads((package / "metadata.json").read_text(encoding="utf-8"))["weights"]
            wanted = [400 if 400 in weights else weights[0]]
            wanted += [700] * (package.name in BOLD)
            for weight in wanted:
                print(convert(package, weight, folder, work))
            shutil.copy(package / "LICENSE", work / "LICENSES" / f"{package.name}.txt")
        for part in PARTS:
            shutil.rmtree(output / part, ignore_errors=True)
            shutil.move(work / part, output / part)
    print(f"{len(list(output.glob('*/*.ttf')))} fonts in {output}")


if __name__ == "__main__":
    main()
