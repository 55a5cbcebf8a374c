"""``ctckit validate``: error rates of a model on images with texts."""

from __future__ import annotations

import signal
from importlib.util import find_spec

import pytest

pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.skipif(find_spec("cv2") is None, reason="needs ctckit[onnx]"),
]

MODEL = ("--model", "m.safetensors")


@pytest.fixture
def data(folder, sure_model, draw_word):
    """Five images in `folder`/data, four with a text; a model that knows abc, and reads a."""
    sure_model()
    for i in range(5):
        draw_word(folder / "data" / f"{i}.png", 60 + 20 * i, i)
    rows = ["file,text\n", "0.png,a\n", "1.png,ab\n", "2.png,c c\n", "9.png,gone\n"]
    (folder / "data" / "labels.csv").write_text("".join(rows))
    (folder / "data" / "3.gt.txt").write_text("a\n")
    return folder / "data"


def test_the_rates(invoke, data):
    result = invoke("validate", "--data", "data", *MODEL)
    assert result.exit_code == 0
    # 0, 1, 3 and 0 edits of 7 characters; 0, 1, 2 and 0 of 5 words
    assert result.stdout == (
        "decoder\timages\tCER\tWER\texact\nbeamsearch\t4\t0.5714\t0.6000\t0.5000\n"
    )
    assert result.stderr.splitlines() == [
        "ctckit: warning: left out 1 image without a text",
        "ctckit: warning: 1 text has no image: 9.png",
        "ctckit: warning: the model's alphabet lacks 1 character of the texts, found 1 time: "
        "' ' (1)",
    ]


def test_the_decoder_its_options_and_the_batch(invoke, data, folder):
    (folder / "corpus.txt").write_text("a")
    for options in (
        ["--decoder", "bestpath", "--batch-size", "1"],
        ["--decoder", "wordbeamsearch", "--corpus", "corpus.txt"],
        ["--beam-width", "3", "--device", "cpu"],
    ):
        result = invoke("validate", "--data", "data", *MODEL, *options)
        assert result.exit_code == 0
        assert result.stdout.endswith("\t4\t0.5714\t0.6000\t0.5000\n")
    for options, message in (
        (["--batch-size", "0"], "batch_size must be an integer of at least 1, got 0"),
        (["--decoder", "bestpath", "--corpus", "x"], "got '--corpus'; it is an option of"),
        (["--device", "tpu"], "device must be one of auto, cpu, gpu, got 'tpu'"),
    ):
        result = invoke("validate", "--data", "data", *MODEL, *options)
        assert result.exit_code == 2
        assert message in result.stderr


def test_characters_that_the_model_lacks_are_counted_and_named(invoke, data):
    letters = [chr(0xE0 + i) for i in range(12)]
    text = "".join(letter * (20 - i) for i, letter in enumerate(letters)) + "n\u0303" * 30
    (data / "3.gt.txt").write_text(text, encoding="utf-8")
    result = invoke("validate", "--data", "data", *MODEL)
    assert result.exit_code == 0
    named = ", ".join(f"'{letter}' ({20 - i})" for i, letter in enumerate(letters[:9]))
    assert result.stderr.splitlines()[-1] == (
        "ctckit: warning: the model's alphabet lacks 14 characters of the texts, found 205 times: "
        f"'\xf1' (30), {named}, ..."
    )


def test_broken_images_are_left_out(invoke, data):
    (data / "1.png").write_bytes(b"")
    (data / "2.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    result = invoke("validate", "--data", "data", *MODEL)
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == "beamsearch\t2\t0.0000\t0.0000\t1.0000"
    errors = [line for line in result.stderr.splitlines() if "error: " in line]
    assert [error.partition(" got ")[2].split("'")[1] for error in errors] == [
        "data/1.png",
        "data/2.png",
    ]
    for i in (0, 3):
        (data / f"{i}.png").write_bytes(b"")
    result = invoke("validate", "--data", "data", *MODEL)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: images must be readable, got 4 broken ones and no other; check the files"
    )


def test_nothing_to_validate_on(invoke, data, folder, draw_word):
    draw_word(folder / "bare" / "1.png")
    draw_word(folder / "unlabelled" / "1.png")
    (folder / "unlabelled" / "labels.csv").write_text("file,text\n1.png, \n")
    (folder / "empty").mkdir()
    for place, message in (
        ("empty", "folder must hold images ("),
        ("gone", "folder must be an existing folder, got 'gone'"),
        ("bare/1.png", "folder must be a folder, got the file 'bare/1.png'"),
        ("bare", "data must have a layout that ctckit knows, got 'bare' with none of "),
        ("unlabelled", "data must hold images with texts, got none in 'unlabelled'; check the "),
        ("gone.arrow", "data must be a folder or packed file that exists, got 'gone.arrow'; "),
    ):
        result = invoke("validate", "--data", place, *MODEL)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.splitlines()[-1].startswith(f"ctckit: error: {message}")
    result = invoke("validate", "--data", "", *MODEL)
    assert result.exit_code == 2
    assert result.stderr.startswith("ctckit: error: data must be a path, got ''; write . for the ")
    result = invoke("validate", *MODEL)
    assert result.exit_code == 2
    assert "data must be given" in result.stderr


def test_no_model(invoke, data):
    result = invoke("validate", "--data", "data", "--model", "none")
    assert result.exit_code == 1
    assert "model must be a file that exists, got 'none'; leave --model out" in result.stderr


def test_labels_that_are_damaged_or_in_another_encoding(invoke, folder, sure_model, draw_word):
    sure_model()
    words = folder / "iam" / "gt" / "words.txt"
    rows = ""
    for i in range(2):
        id = f"a01-000u-00-0{i}"
        draw_word(folder / "iam" / "img" / "a01" / "a01-000u" / f"{id}.png", 60)
        rows += f"{id} ok 154 408 768 27 51 AT a\n"
    words.parent.mkdir()
    words.write_text(rows + "a01-000u-00-02 ok 154\n")
    result = invoke("validate", "--data", "iam", *MODEL)
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: warning: left out 1 damaged label: line 3 of words.txt (3 columns, fewer than "
        "9): 'a01-000u-00-02 ok 154'\n"
    )
    assert result.stdout.endswith("\t2\t0.0000\t0.0000\t1.0000\n")
    words.write_bytes(rows.replace(" a\n", " \xe9\n").encode("cp1252"))
    result = invoke("validate", "--data", "iam", *MODEL)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith(
        "ctckit: error: labels must be UTF-8 text, got byte 0xe9 in 'iam/gt/words.txt', line 1"
    )


@pytest.fixture
def parts(folder, sure_model, draw_word):
    """Three lines in the layout of Bentham, in `folder`/bentham: two to train on, one to test."""
    sure_model()
    root = folder / "bentham"
    (root / "Transcriptions").mkdir(parents=True)
    (root / "Partitions").mkdir()
    for name, text in (("p_1_1_1", "a"), ("p_1_1_2", "bb"), ("q_1_1_1", "cc")):
        draw_word(root / "Images" / "Lines" / f"{name}.png")
        (root / "Transcriptions" / f"{name}.txt").write_text(text)
    (root / "Partitions" / "TrainLines.lst").write_text("p_1_1_1\np_1_1_2\n")
    (root / "Partitions" / "TestLines.lst").write_text("q_1_1_1\n")
    return root


@pytest.mark.parametrize("packed", [False, True])
def test_the_parts_of_a_data_set(invoke, parts, packed):
    if packed:
        assert invoke("pack", "bentham").exit_code == 0
    for options, rates in (
        ([], "3\t0.8000\t0.6667\t0.3333\n"),
        (["--part", "train"], "2\t0.6667\t0.5000\t0.5000\n"),
        (["--part", "test"], "1\t1.0000\t1.0000\t0.0000\n"),
    ):
        result = invoke("validate", "--data", "bentham", *MODEL, *options)
        assert result.exit_code == 0
        assert result.stdout.endswith(f"\t{rates}")
        assert ("reading 'bentham/packed.arrow' instead of the images" in result.stderr) == packed
    result = invoke("validate", "--data", "bentham", *MODEL, "--part", "validation")
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: part must be one that the data has, got 'validation' for 'bentham' with "
        "train, test; leave it out for all images"
    )
    result = invoke("validate", "--data", "bentham", *MODEL, "--part", "valid")
    assert result.exit_code == 2
    assert "part must be one of train, validation, test, got 'valid'" in result.stderr


def test_data_without_parts(invoke, data):
    result = invoke("validate", "--data", "data", *MODEL, "--part", "test")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: part must be one that the data has, got 'test' for 'data' with no parts; "
        "leave it out for all images"
    )


def test_a_packed_file_reads_as_its_folder_does(invoke, data):
    (data / "2.png").write_bytes(b"no image")
    before = invoke("validate", "--data", "data", *MODEL)
    assert invoke("pack", "data", "--output", "p.arrow").exit_code == 1
    result = invoke("validate", "--data", "p.arrow", *MODEL)
    assert (result.exit_code, result.stdout) == (1, before.stdout)
    assert "left out 1 image that cannot be read: image must be PNG" in result.stderr


def test_lines_of_pages(invoke, folder, sure_model, draw_word):
    sure_model()
    for name in ("page1", "page2"):
        draw_word(folder / "rimes" / f"{name}.png", 200)
    (folder / "rimes" / "page2.png").write_bytes(b"")
    box = 'Left="{}" Top="0" Right="{}" Bottom="39"'
    line = '<Line Value="{}" ' + box + "/>"
    first = line.format("a", 0, 99) + line.format("ab", 100, 199) + line.format("b", 900, 999)
    pages = f'<SinglePage FileName="page1.png">{first}</SinglePage>'
    pages += f'<SinglePage FileName="page2.png">{line.format("a", 0, 99) * 2}</SinglePage>'
    (folder / "rimes" / "eval_2011_annotated.xml").write_text(f"<Pages>{pages}</Pages>")
    result = invoke("validate", "--data", "rimes", *MODEL)
    assert result.exit_code == 1
    assert result.stdout.endswith("\t2\t0.3333\t0.5000\t0.5000\n")
    assert [line[:58] for line in result.stderr.splitlines()] == [
        "ctckit: error: line must lie on its page, got 'page1-2' at",
        "ctckit: error: image must be PNG, JPEG or TIFF, got 'rimes",
    ]
    result = invoke("validate", "--data", "rimes", *MODEL, "--part", "test")
    assert result.stdout.endswith("\t2\t0.3333\t0.5000\t0.5000\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(invoke, data, monkeypatch, number):
    class Callback:
        def __del__(self):
            signal.raise_signal(number)

    from ctckit.recognizer import reading

    def recognize(*args):
        Callback()  # what is raised in there is lost
        return real(*args)

    real = reading.recognize_window
    monkeypatch.setattr(reading, "recognize_window", recognize)
    result = invoke("validate", "--data", "data", *MODEL)
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr.splitlines()[-1] == "ctckit: interrupted"
