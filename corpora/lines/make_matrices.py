"""Draw a CTC matrix for each line of lines.txt, as a recognizer of middling quality might.

python corpora/lines/make_matrices.py OUT

writes them with their texts to the dump OUT, which it replaces if it is there. No recognizer was
run: each character gets one to three frames in which its class shares the probability with
characters that look alike; some get less than one of those, or less than the blank. The seed is
fixed, so that the same dump comes out each time.
"""

from __future__ import annotations

import argparse
import string
import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ctckit import Alphabet, CtckitError, MatrixBatch, write_dump

SEED = 2018
LINES = Path(__file__).parent / "lines.txt"
CHARACTERS = " !\"'(),-.:;?" + string.digits + string.ascii_uppercase + string.ascii_lowercase
ALPHABET = Alphabet([*CHARACTERS, ""], blank=len(CHARACTERS))
LOOK_ALIKE = (
    "aou", "ceo", "eco", "nuhr", "unv", "hbkn", "bhl", "lIt1", "tlf", "ft", "il1", "rnv", "vru",
    "mnw", "wvu", "gqy", "qg", "yg", "sz5", "dcl", "kh", "pP", "O0Q", "B8", "S5", "IlT", "1lI",
    "2Zz", "3B", "5S", "7T", "9g", "0O", ".,", ",.'", "HN", "MN", "NM", "TI", "WM", "CG", "DO",
)  # fmt: skip
"""Each string: a character, then those that it is taken for."""
HARD = 0.12
"""Share of characters that a look-alike outweighs in most frames."""
FAINT = 0.05
"""Share of characters that the blank outweighs in each frame."""


def draw_line(text: str, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Return log-probabilities (T, C) for a line, natural log."""
    alike = {group[0]: group[1:] for group in LOOK_ALIKE}
    blank = ALPHABET.blank
    frames = [_blank_frame(rng) for _ in range(1 + int(2 * rng.random()))]
    for character in text:
        token = int(ALPHABET.encode(character)[0])
        others = ALPHABET.encode(alike.get(character, "")).tolist() or [blank]
        rival = others[int(len(others) * rng.random())]
        luck = rng.random()
        for _ in range(1 + int(rng.random() < 0.8) + int(rng.random() < 0.3)):
            shares = np.full(len(ALPHABET), 2e-4)
            shares[others] = 0.01
            if luck < HARD:
                own = 0.2 + 0.3 * rng.random()
                shares[[rival, blank]] = 0.95 - own, 0.05
            elif luck < HARD + FAINT:
                own = 0.3 + 0.15 * rng.random()
                shares[[rival, blank]] += 0.05, 0.95 - own
            else:
                own = 0.7 + 0.28 * rng.random()
                shares[[rival, blank]] += 0.4 * (1 - own)
            shares[token] = own
            frames.append(shares)
        frames += [_blank_frame(rng) for _ in range(1 + int(rng.random() < 0.3))]
    probs = np.array(frames) * np.exp(rng.random((len(frames), len(ALPHABET))) - 0.5)
    log_probs: npt.NDArray[np.float64] = np.log(probs / probs.sum(axis=1, keepdims=True))
    return log_probs.astype(np.float32)


def _blank_frame(rng: np.random.Generator) -> npt.NDArray[np.float64]:
    shares = np.full(len(ALPHABET), (0.02 + 0.1 * rng.random()) / len(ALPHABET))
    shares[ALPHABET.blank] = 1.0
    return shares


def make_dump(folder: Path) -> int:
    """Write the dump and return its number of lines.

    Raises
    ------
    DumpError : `folder` holds something that is no dump, or cannot be written
    """
    texts = LINES.read_text(encoding="utf-8").splitlines()
    rng = np.random.default_rng(SEED)
    batch = MatrixBatch.from_log_probs([draw_line(text, rng) for text in texts], ALPHABET)
    ids = [f"line-{number:02d}" for number in range(1, len(texts) + 1)]
    source = {"made_by": "corpora/lines/make_matrices.py", "seed": SEED}
    write_dump(folder, batch, ids=ids, references=texts, source=source, overwrite=True)
    return len(texts)


def main() -> None:
    """Read the command line and write the dump."""
    parser = argparse.ArgumentParser(description="Write the demo's CTC matrices to a dump.")
    parser.add_argument("out", metavar="OUT", type=Path, help="folder of the dump")
    out = parser.parse_args().out
    try:
        print(f"{make_dump(out)} lines written to '{out}'")
    except CtckitError as error:
        sys.exit(f"make_matrices.py: {error}")


if __name__ == "__main__":
    main()
