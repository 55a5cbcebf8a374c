"""Data sets of every layout: what is read, what is left out, and what is said of damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer.datasets.decoding import ImageReader
from ctckit.recognizer.datasets.detect import LAYOUTS, detect, read_dataset
from ctckit.recognizer.datasets.histdb import spelled
from ctckit.recognizer.datasets.layout import DataSet

cv2 = pytest.importorskip("cv2", reason="needs ctckit[images]")


def draw(*paths: Path, width: int = 60) -> None:
    for i, path in enumerate(paths):
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((40, width), 200 + i, np.uint8))


def write(root: Path, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def texts(found: DataSet) -> dict[str, str]:
    return {item.id: item.text for item in found.items}


def groups(found: DataSet) -> set[str | None]:
    return {item.group for item in found.items}


def parts(found: DataSet) -> dict[str, str | None]:
    return {item.id: item.part for item in found.items}


IAM = """\
#--- words.txt ---#
# format: a01-000u-00-00 ok 154 1 408 768 27 51 AT A

a01-000u-00-00 ok 154 408 768 27 51 AT A
a01-000u-00-01 err 154 507 766 213 48 NN MO VE
b01-001-00-00 ok 154 1 2 3 4 XX |
a01-117-05-02 ok 1 2 3 4 5 VB Powell
r06-022-03-05 ok 1 2 3 4 5 VB over
"""


@pytest.fixture
def iam(tmp_path: Path) -> Path:
    """Three words, and the two whose images are known to be damaged."""
    ids = ("a01-000u-00-00", "a01-000u-00-01", "b01-001-00-00", "a01-117-05-02", "r06-022-03-05")
    for id in ids:
        form = "-".join(id.split("-")[:2])
        draw(tmp_path / "iam" / "img" / id[:3] / form / f"{id}.png")
    write(tmp_path / "iam", {"gt/words.txt": IAM})
    for id in ids[3:]:
        path = next((tmp_path / "iam" / "img").rglob(f"{id}.png"))
        path.write_bytes(b"")
    return tmp_path / "iam"


def test_iam_words(iam: Path) -> None:
    found = read_dataset(iam)
    assert found.layout == "iam"
    # Those that IAM calls badly cut out are kept; a text may have blanks.
    assert texts(found) == {"a01-000u-00-00": "A", "a01-000u-00-01": "MO VE", "b01-001-00-00": "|"}
    assert groups(found) == {"a01-000u", "b01-001"}
    assert found.known_bad == ["a01-117-05-02", "r06-022-03-05"]
    assert (found.damaged, found.without_image, found.without_text) == ([], [], 0)
    write(iam, {"gt/forms.txt": "# forms\na01-000u 000 2 prt 7 5 52 36\n"})
    assert groups(read_dataset(iam)) == {"writer 000", "b01-001"}


def test_iam_lines(tmp_path: Path) -> None:
    row = "a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE|to|stop|Mr.|Gaitskell|from\n"
    draw(tmp_path / "img/a01/a01-000u/a01-000u-00.png")
    for name in ("lines.txt", "words.txt"):
        write(tmp_path, {f"gt/{name}": row})
        assert texts(read_dataset(tmp_path)) == {"a01-000u-00": "A MOVE to stop Mr. Gaitskell from"}
        (tmp_path / "gt" / name).unlink()


def test_iam_words_and_lines_of_one_form_are_one_group(iam: Path) -> None:
    draw(iam / "img/a01/a01-000u/a01-000u-00.png")
    write(iam, {"gt/lines.txt": "a01-000u-00 ok 154 19 408 746 1661 89 A|MOVE\n"})
    found = read_dataset(iam)
    assert len(found.items) == 4
    assert groups(found) == {"a01-000u", "b01-001"}


def test_iam_damaged_lines_cost_only_themselves(iam: Path) -> None:
    write(
        iam,
        {
            "gt/words.txt": IAM + "a01-000u-00-02 ok 154 796\nnonsense ok 1 2 3 4 5 VB x\n"
            "a01-000u-00-00 ok 1 2 3 4 5 VB again\nc01-001-00-00 ok 1 2 3 4 5 VB gone\n"
        },
    )
    found = read_dataset(iam)
    assert len(found.items) == 3
    assert found.damaged == [
        "line 9 of words.txt (4 columns, fewer than 9): 'a01-000u-00-02 ok 154 796'",
        "line 10 of words.txt (no id such as a01-000u-00): 'nonsense ok 1 2 3 4 5 VB x'",
        "line 11 of words.txt (an id that came before): 'a01-000u-00-00 ok 1 2 3 4 5 VB again'",
    ]
    assert found.without_image == ["c01-001-00-00"]


@pytest.mark.parametrize(
    ("content", "looks"),
    [
        ("été".encode("cp1252"), r"byte 0xe9 in '.*words.txt', line 1 \(it looks like Windows-1"),
        ("\ufeffa".encode("utf-16"), r"byte 0xff in '.*words.txt', line 1 \(it looks like UTF-16"),
    ],
)
def test_labels_in_another_encoding(iam: Path, content: bytes, looks: str) -> None:
    (iam / "gt" / "words.txt").write_bytes(content)
    with pytest.raises(
        InvalidValueError, match=f"labels must be UTF-8.*{looks}.*; save the file as UTF-8"
    ):
        read_dataset(iam)


@pytest.fixture
def bentham(tmp_path: Path) -> Path:
    root = tmp_path / "BenthamDatasetR0-GT"
    ids = [f"002_080_001_01_0{i}" for i in (1, 2, 3)] + ["071_001_002_01_01"]
    draw(*(root / f"Images/Lines/{id}.png" for id in ids))
    write(
        root,
        {f"Transcriptions/{id}.txt": f"text {i} &amp; <gap/> more\n" for i, id in enumerate(ids)},
    )
    lists = {"TrainLines": ids[:2], "ValidationLines": ids[2:3], "TestLines": ids[3:]}
    write(root, {f"Partitions/{name}.lst": "\n".join(some) for name, some in lists.items()})
    return root


def test_bentham(bentham: Path) -> None:
    found = read_dataset(bentham)
    assert found.layout == "bentham"
    assert texts(found)["002_080_001_01_02"] == "text 1 & more"
    assert list(parts(found).values()) == ["train", "train", "valid", "test"]
    assert groups(found) == {"002_080_001", "071_001_002"}
    (bentham / "Transcriptions/002_080_001_01_01.txt").rename(bentham / "Transcriptions/x.txt")
    found = read_dataset(bentham)
    assert (found.without_text, found.without_image) == (1, ["x"])


def test_two_images_of_one_name(bentham: Path) -> None:
    draw(bentham / "Images/Lines/more/002_080_001_01_01.png")
    with pytest.raises(InvalidValueError, match="must have names of their own, got '002_080_001_0"):
        read_dataset(bentham)


def test_rimes_lines(tmp_path: Path) -> None:
    for name, text in {"train2011-0_000000": "Été", "eval2011-3_000001": "Bonjour,"}.items():
        draw(tmp_path / f"Images/{name}.jpg")
        write(tmp_path, {f"Transcriptions/{name}.txt": text})
    write(
        tmp_path,
        {"Sets/TrainLines.txt": "train2011-0_000000\n", "Sets/TestLines.txt": "eval2011-3_000001"},
    )
    found = read_dataset(tmp_path)
    assert found.layout == "rimes lines"
    assert texts(found) == {"train2011-0_000000": "Été", "eval2011-3_000001": "Bonjour,"}
    assert parts(found) == {"train2011-0_000000": "train", "eval2011-3_000001": "test"}
    assert groups(found) == {"train2011-0", "eval2011-3"}


RIMES = """\
<?xml version="1.0" encoding="iso-8859-1"?>
<RootElement>
 <SinglePage FileName="images_gray/{name}-0.png">
  <Paragraph Left="0" Top="0" Right="59" Bottom="39">
   <Line Left="2" Top="-1" Right="31" Bottom="10" Value="Je vous &amp;quot;\xe9cris&amp;quot; ¤"/>
   <Line Left="0" Top="20" Right="59" Bottom="39" Value="deux"/>
   <Line Left="40" Top="5" Right="20" Bottom="9" Value="no room"/>
   <Line Left="900" Top="900" Right="950" Bottom="950" Value="off the page"/>
  </Paragraph>
 </SinglePage>
 <SinglePage FileName="images_gray/gone.png"/>
</RootElement>
"""


@pytest.fixture
def rimes(tmp_path: Path) -> Path:
    for name, table in {"train": "training_2011", "eval": "eval_2011_annotated"}.items():
        content = RIMES.replace("{name}", f"{name}2011").encode("iso-8859-1")
        write(tmp_path, {f"{table}.xml": content})
        draw(tmp_path / f"images_gray/{name}2011-0.png")
    return tmp_path


def test_rimes_pages(rimes: Path) -> None:
    found = read_dataset(rimes)
    assert found.layout == "rimes pages"
    assert texts(found)["train2011-0-0"] == 'Je vous "écris"'
    assert parts(found)["train2011-0-1"] == "train"
    assert parts(found)["eval2011-0-1"] == "test"
    assert groups(found) == {"train2011-0", "eval2011-0"}
    assert found.items[-3].box == (2, 1, 32, 11)
    assert found.without_image == ["images_gray/gone.png"] * 2
    assert found.damaged[0] == (
        "line 'eval2011-0-2' of eval_2011_annotated.xml (no box with room in it)"
    )


def test_lines_are_cut_out_of_their_pages(rimes: Path) -> None:
    found = read_dataset(rimes)
    reader = ImageReader()
    read = dict(reader.read(found.items))
    assert {item.id: image.shape for item, image in read.items()} == {
        "eval2011-0-0": (10, 30), "eval2011-0-1": (20, 60),
        "train2011-0-0": (10, 30), "train2011-0-1": (20, 60),
    }  # fmt: skip
    assert len(reader.broken) == 2
    assert reader.broken[0] == (
        "line must lie on its page, got 'eval2011-0-3' at (900, 900, 951, 951) of 60 x 40 pixels; "
        "correct its box"
    )


def test_rimes_elsewhere_and_damaged(rimes: Path) -> None:
    (rimes / "images_gray").rename(rimes / "training_2011")
    assert len(read_dataset(rimes).items) == 6
    content = (rimes / "training_2011.xml").read_bytes()
    (rimes / "training_2011.patched.xml").write_bytes(content.replace(b"deux", b"patched"))
    found = read_dataset(rimes)
    assert len(found.items) == 6
    assert texts(found)["train2011-0-1"] == "patched"
    (rimes / "training_2011.patched.xml").unlink()
    (rimes / "training_2011.xml").write_text("<RootElement>")
    with pytest.raises(InvalidValueError, match=r"labels must be sound XML, got '.*_2011.xml' \("):
        read_dataset(rimes)


@pytest.fixture
def washington(tmp_path: Path) -> Path:
    ids = ("270-01", "270-02", "271-01")
    draw(*(tmp_path / f"data/line_images_normalized/{id}.png" for id in ids))
    rows = ["270-01 s_2-s_7-s_0-s_pt|L-e-t-t-e-r-s-s_cm", "270-02 s_1st|p-o-s-s_s-e-s-s-s_mi",
            "271-01 G-o-v-e-r-n-o-r|s_et|s_lb-s_5|s_GW"]  # fmt: skip
    write(
        tmp_path,
        {
            "ground_truth/transcription.txt": "\n".join(rows),
            "sets/cv1/train.txt": "270-01\n",
            "sets/cv1/test.txt": "271-01\n",
        },
    )
    return tmp_path


def test_washington(washington: Path) -> None:
    found = read_dataset(washington)
    assert found.layout == "histdb"
    assert texts(found) == {
        "270-01": "270. Letters,", "270-02": "1st possess-", "271-01": "Governor & £5 G.W.",
    }  # fmt: skip
    assert parts(found) == {"270-01": "train", "270-02": None, "271-01": "test"}
    assert groups(found) == {"270", "271"}


def test_saint_gall(tmp_path: Path) -> None:
    draw(*(tmp_path / f"data/line_images_normalized/csg562-00{i}-01.png" for i in (3, 4)))
    rows = "csg562-003-01 d-e|c-a-r-n-et-pt de|carnet\ncsg562-004-01 I-n in\n"
    write(tmp_path, {"ground_truth/transcription.txt": rows, "sets/test.txt": "csg562-004\n"})
    found = read_dataset(tmp_path)
    assert texts(found) == {"csg562-003-01": "de carn&.", "csg562-004-01": "In"}
    # The lists of Saint Gall name pages.
    assert parts(found) == {"csg562-003-01": None, "csg562-004-01": "test"}
    assert groups(found) == {"csg562-003", "csg562-004"}


def test_histdb_damage(washington: Path) -> None:
    rows = "270-01 a-b\n270-01 a-b\n270-02 a-s_xyz\n999-01 a\n271-01\n"
    write(washington, {"ground_truth/transcription.txt": rows})
    found = read_dataset(washington)
    assert texts(found) == {"270-01": "ab"}
    assert found.damaged == [
        "line 2 of transcription.txt (an id that came before): '270-01 a-b'",
        "line 3 of transcription.txt (the unknown code 's_xyz'): '270-02 a-s_xyz'",
    ]
    assert found.without_image == ["999-01"]
    assert found.without_text == 2


def test_every_code_of_histdb() -> None:
    assert spelled("s_pt-s_cm-s_mi-s_qo-s_sq-s_qt-s_bl-s_br-s_sl-s_4th") == ".,-:;'()/4th"


def test_folders(tmp_path: Path) -> None:
    draw(*(tmp_path / f"s/{i}.png" for i in range(4)))
    write(
        tmp_path,
        {
            "s/labels.csv": "file,text,writer\n0.png, e\u0301t ,ann\n1.png,שלום,\n2.png, ,bob\n",
            "s/3.gt.txt": "x\u0323\u0301",
        },
    )
    found = read_dataset(tmp_path)
    assert found.layout == "folder"
    # NFC; right to left as it is read; what NFC cannot compose stays code points.
    assert texts(found) == {"s/0.png": "ét", "s/1.png": "שלום", "s/3.png": "x\u0323\u0301"}
    assert [item.group for item in found.items] == ["ann", None, None]
    assert found.without_text == 1
    write(tmp_path, {"s/labels.csv": "file,text,page\n0.png,a,p1\n1.png,b,p1\n"})
    assert [item.group for item in read_dataset(tmp_path).items] == ["p1", "p1", None]


def test_unknown_layouts(tmp_path: Path, iam: Path) -> None:
    with pytest.raises(NotFoundError, match=r"folder must be an existing folder, got '.*none'"):
        detect(tmp_path / "none")
    (tmp_path / "empty").mkdir()
    with pytest.raises(InvalidValueError, match="folder must hold images"):
        detect(tmp_path / "empty")
    with pytest.raises(InvalidValueError) as error:
        detect(tmp_path)
    for layout in LAYOUTS:
        assert f"{layout.sign} ({layout.name})" in str(error.value)
    assert str(error.value).endswith("or write a labels.csv with the columns file and text")
    write(iam, {"labels.csv": "file,text\n"})
    with pytest.raises(InvalidValueError, match=r"one layout, got '.*' with iam \(img/ .*\) and f"):
        detect(iam)
