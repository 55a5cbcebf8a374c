"""``ctckit validate``: error rates of a model on images with texts."""

from __future__ import annotations

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
        "ctckit: warning: 1 text without an image: '9.png'",
        "ctckit: warning: 1 image without a text: '4.png'",
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
    result = invoke("validate", "--data", "bare", *MODEL)
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: images to validate on must have texts, got none for 1 image in 'bare'; "
        "add a labels.csv (file,text), or NAME.gt.txt beside each image\n"
    )
    (folder / "empty").mkdir()
    for place, message in (
        ("empty", "folder must hold images ("),
        ("gone", "folder must be an existing folder, got 'gone'"),
        ("bare/1.png", "folder must be a folder, got the file 'bare/1.png'"),
    ):
        result = invoke("validate", "--data", place, *MODEL)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr.startswith(f"ctckit: error: {message}")
    result = invoke("validate", *MODEL)
    assert result.exit_code == 2
    assert "data must be given" in result.stderr


def test_no_model(invoke, data):
    result = invoke("validate", "--data", "data", "--model", "none")
    assert result.exit_code == 1
    assert "model must be a file that exists, got 'none'; leave --model out" in result.stderr
