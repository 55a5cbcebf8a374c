"""``ctckit read``: texts and probabilities of images, at once."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from importlib.util import find_spec

import click
import pytest

from ctckit import load_decoder
from ctckit.errors import MissingExtraError

pytestmark = [
    pytest.mark.xdist_group("keras"),
    pytest.mark.skipif(find_spec("cv2") is None, reason="needs ctckit[onnx]"),
]


@pytest.fixture
def words(folder, sure_model, draw_word):
    """Three images in `folder`/words, one of them in a folder of its own; a model that reads a."""
    sure_model()
    for i, name in enumerate(("w2.png", "w10.png", "deep/w1.png")):
        draw_word(folder / "words" / name, 60 + 20 * i, i)
    return folder / "words"


def test_one_image(invoke, words):
    result = invoke("read", "words/w2.png", "--model", "m.safetensors")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "words/w2.png\ta\t1\n"


def test_files_and_folders_in_the_order_that_is_given(invoke, words, draw_word):
    draw_word(words.parent / "one.jpg")
    arguments = ["one.jpg", "words", "words/w10.png", "one.jpg"]
    result = invoke("read", *arguments, "--model", "m.safetensors")
    assert result.exit_code == 0
    files = ["one.jpg", "words/deep/w1.png", "words/w2.png", "words/w10.png", "words/w10.png"]
    assert result.stdout == "".join(f"{file}\ta\t1\n" for file in [*files, "one.jpg"])


def test_json(invoke, words, folder, random_model):
    from ctckit.recognizer.images import read_image
    from ctckit.recognizer.models import read_model, save_model
    from ctckit.recognizer.recognizer import Recognizer

    save_model(folder / "r", random_model("abcdé", seed=3))
    result = invoke("read", "words", "--json", "--model", "r", "--beam-width", "7")
    assert (result.exit_code, result.stderr) == (0, "")
    told = [json.loads(line) for line in result.stdout.splitlines()]
    recognizer = Recognizer(read_model(folder / "r"), "cpu")
    files = ["words/deep/w1.png", "words/w2.png", "words/w10.png"]
    batch = recognizer.recognize([recognizer.prepare(read_image(file)) for file in files])
    decoded = load_decoder("beamsearch", recognizer.alphabet, beam_width=7).decode_batch(batch)
    assert [one["file"] for one in told] == files
    assert [one["text"] for one in told] == decoded.texts()
    for one, (best,) in zip(told, decoded, strict=True):
        assert list(one) == ["file", "text", "probability", "score"]
        assert one["score"] == pytest.approx(best.score, rel=1e-5)
        assert 0 < one["probability"] < 1


def test_the_decoder_and_its_options(invoke, words, folder, decoders_with):
    (folder / "corpus.txt").write_text("a")
    arguments = ["words/w2.png", "--model", "m.safetensors"]
    for options in (["bestpath"], ["wordbeamsearch", "--corpus", "corpus.txt"]):
        result = invoke("read", *arguments, "--decoder", *options, "--json")
        assert json.loads(result.stdout)["text"] == "a"
    result = invoke("read", *arguments, "--decoder", "bestpath", "--beam-width", "3")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: option must be one of ctckit read's, got '--beam-width'; it is an option "
        f"of --decoder {decoders_with('beam_width')}\n"
    )
    result = invoke("read", *arguments, "--decoder", "wordbeamsearch", "--corpus", "none.txt")
    assert result.exit_code == 1
    assert "corpus must be a text file, got 'none.txt', which does not exist" in result.stderr
    result = invoke("read", *arguments, "--decoder", "best")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)


def test_broken_images_are_named_and_the_others_read(invoke, words, folder):
    (words / "w3.png").write_bytes(b"GIF89a")
    (folder / "empty").mkdir()
    arguments = ["gone.png", "words", "empty", "--model", "m.safetensors"]
    result = invoke("read", *arguments)
    assert result.exit_code == 1
    files = ["words/deep/w1.png", "words/w2.png", "words/w10.png"]
    assert result.stdout == "".join(f"{file}\ta\t1\n" for file in files)
    first, second, third = result.stderr.splitlines()
    assert first.startswith("ctckit: error: folder must hold images (")
    assert second == (
        "ctckit: error: image must be a readable file, got 'gone.png' (No such file or directory); "
        "check the file"
    )
    assert third.startswith("ctckit: error: image must be PNG, JPEG or TIFF, got 'words/w3.png' (a")
    result = invoke("read", "gone.png", "--model", "m.safetensors")
    assert (result.exit_code, result.stdout) == (1, "")


def test_names_and_texts_stay_on_their_line(invoke, folder, sure_model, draw_word):
    sure_model("a\t", 1)
    draw_word(folder / "a\tb.png")
    result = invoke("read", "a\tb.png", "--model", "m.safetensors")
    assert result.stdout == "a\\tb.png\t\\t\t1\n"
    result = invoke("read", "a\tb.png", "--model", "m.safetensors", "--json")
    told = json.loads(result.stdout)
    assert (told["file"], told["text"]) == ("a\tb.png", "\t")


def test_no_image_no_model_no_extra(invoke, words, monkeypatch):
    result = invoke("read")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: IMAGE... must be given, got nothing; see 'ctckit read --help'\n"
    )
    result = invoke("read", "words", "")
    assert result.exit_code == 2
    assert result.stderr.startswith("ctckit: error: images must be a path, got ''; write . for ")
    result = invoke("read", "words", "--model", "none")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: model must be a file that exists, got 'none'; leave --model out for the "
        "bundled one, or make one with ctckit train\n"
    )

    def missing(device):
        raise MissingExtraError("the recognizer needs onnxruntime, which is missing; pip it")

    monkeypatch.setattr("ctckit.recognizer.engines.choose", missing)
    result = invoke("read", "words")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: the recognizer needs onnxruntime, which is missing; pip it\n"
    )


def test_a_word_needs_nothing_that_is_slow_to_load(ctckit, words):
    if find_spec("onnxruntime") is None:
        pytest.skip("onnxruntime is not installed here")
    code = (
        "import sys\nfrom ctckit.cli.main import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "slow = ('pandas', 'pyarrow', 'keras', 'tensorflow', 'jax', 'onnx', 'rich', 'fontTools')\n"
        "print(*[name for name in slow if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, "read", "words/w2.png", "--model", "m.safetensors"],
        cwd=words.parent,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "words/w2.png\ta\t1\n\n"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(invoke, words, monkeypatch, number):
    """What is read is written, whole; then no more is begun."""
    from ctckit.recognizer import windows

    def echo(*args, **kwargs):
        if not kwargs:
            signal.raise_signal(number)
        real(*args, **kwargs)

    real = click.echo
    monkeypatch.setattr(windows, "WINDOW_IMAGES", 2)
    monkeypatch.setattr(click, "echo", echo)
    result = invoke("read", "words", "--model", "m.safetensors")
    assert result.exit_code == 130
    assert result.stdout == "words/deep/w1.png\ta\t1\nwords/w2.png\ta\t1\n"
    assert result.stderr == "ctckit: interrupted\n"
