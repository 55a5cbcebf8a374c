"""IAM words and lines, laid out as SimpleHTR has them: ``img/`` and ``gt/words.txt``.

A line of ``words.txt`` is ``a01-000u-00-00 ok 154 408 768 27 51 AT A``: its id, whether it is cut
out well, gray level, box, grammar, text. A line of ``lines.txt`` has the number of components
before the box and no grammar, so that the text is in the ninth place too.
"""

from __future__ import annotations

from pathlib import Path

from ctckit.recognizer.datasets.layout import DataSet, LabelledImage, Layout, damage, numbered_lines
from ctckit.recognizer.folders import find_images

KNOWN_BAD = frozenset({"a01-117-05-02", "r06-022-03-05"})
"""Two image files of IAM words that are damaged."""
LABELS = ("words.txt", "lines.txt")
FORMS = "forms.txt"

_COLUMNS = 9
_WORD_PARTS = 4


def _matches(folder: Path) -> bool:
    return (folder / "img").is_dir() and any((folder / "gt" / one).is_file() for one in LABELS)


def _read(folder: Path) -> DataSet:
    """Read words.txt and lines.txt, whichever are there.

    Words that IAM calls badly cut out (``err``) are kept, as SimpleHTR does.
    """
    images = {image.id: image.path for image in find_images(folder / "img")}
    writers = _writers(folder / "gt" / FORMS)
    found = DataSet("iam")
    used: set[str] = set()
    for name in LABELS:
        path = folder / "gt" / name
        if path.is_file():
            _read_labels(path, images, writers, used, found)
    found.without_text = len(images.keys() - used)
    return found


def _read_labels(
    path: Path, images: dict[str, Path], writers: dict[str, str], used: set[str], found: DataSet
) -> None:
    for number, line in numbered_lines(path):
        if line.startswith("#"):
            continue
        columns = line.split(" ")
        id, parts = columns[0], columns[0].split("-")
        if len(columns) < _COLUMNS:
            what = f"{len(columns)} columns, fewer than {_COLUMNS}"
            found.damaged.append(damage(path, number, what, line))
            continue
        if len(parts) < 2:
            found.damaged.append(damage(path, number, "no id such as a01-000u-00", line))
            continue
        form = f"{parts[0]}-{parts[1]}"
        image = f"{parts[0]}/{form}/{id}.png"
        if image in used:
            found.damaged.append(damage(path, number, "an id that came before", line))
        elif id in KNOWN_BAD:
            used.add(image)
            found.known_bad.append(id)
        elif image not in images:
            found.without_image.append(id)
        else:
            used.add(image)
            text = " ".join(columns[_COLUMNS - 1 :])
            if path.name != LABELS[0] or len(parts) < _WORD_PARTS:
                text = text.replace("|", " ")
            group = writers.get(form, form)
            found.items.append(LabelledImage(id, images[image], text, group))


def _writers(path: Path) -> dict[str, str]:
    """Return the writer of each form, where IAM's forms.txt lies beside the labels."""
    if not path.is_file():
        return {}
    rows = [line.split() for _, line in numbered_lines(path) if not line.startswith("#")]
    return {row[0]: f"writer {row[1]}" for row in rows if len(row) > 1}


LAYOUT = Layout("iam", "img/ with gt/words.txt or gt/lines.txt", _matches, _read)
