"""The command `plot`: the picture is that of the API, and nothing is written when it fails."""

from __future__ import annotations

import sys
from importlib.util import find_spec

import pytest

from ctckit import load_decoder, open_dump

pytest.importorskip("matplotlib", reason="needs ctckit[plots]")
from ctckit.plots import plot_alignment, plot_bytes, plot_matrix


def drawn(dump, index, decoder="beamsearch", **options):
    batch = dump.batch[index : index + 1]
    chosen = load_decoder(decoder, batch.alphabet, **options)
    return batch, chosen.decode_batch(batch)[0][0]


def test_the_picture_is_the_apis(invoke, dump, folder):
    result = invoke("plot", "dump", dump.ids[2], "--output", "deep/matrix.png")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "")
    batch, best = drawn(dump, 2)
    picture = plot_bytes(plot_matrix(batch, hypothesis=best))
    assert (folder / "deep" / "matrix.png").read_bytes() == picture


def test_the_alignment_of_another_decoder(invoke, dump, folder):
    arguments = ["--alignment", "--decoder", "bestpath", "--output", "a.SVG"]
    assert invoke("plot", "dump", dump.ids[4], *arguments).exit_code == 0
    batch, best = drawn(dump, 4, "bestpath")
    assert (folder / "a.SVG").read_bytes() == plot_bytes(plot_alignment(batch, best), "svg")


def test_the_decoders_options_are_taken(invoke, dump, folder):
    arguments = ["--beam-width", "0", "--output", "a.png"]
    result = invoke("plot", "dump", dump.ids[4], *arguments)
    assert result.exit_code == 2
    assert "beam_width must be an integer from 1" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "exit_code", "message"),
    [
        (["dump", "nobody", "--output", "a.png"], 1, "id must be in the dump, got 'nobody'"),
        (["dump", "line 2", "--output", "a.gif"], 2, "output must end in .png, .svg, .pdf"),
        (["dump", "line 2"], 2, "output must be given, got nothing"),
        (["other", "line 2", "--output", "a.png"], 1, "dump must be an existing folder"),
        (["dump", "line 2", "--output", "a.png", "--image", "b.png"], 1,
         "image must be of a dump that ctckit dump made, got 'dump'; leave --image out"),
    ],
)  # fmt: skip
def test_what_is_refused(invoke, dump, folder, arguments, exit_code, message):
    result = invoke("plot", *arguments)
    assert (result.exit_code, result.stdout) == (exit_code, "")
    assert message in result.stderr
    assert result.stderr.count("\n") == 1
    assert not (folder / "a.png").exists()


def test_without_matplotlib_the_extra_is_named(invoke, dump, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = invoke("plot", "dump", dump.ids[2], "--output", "a.png")
    assert result.exit_code == 1
    assert "pip install 'ctckit[plots]'" in result.stderr
    assert not (folder / "a.png").exists()


@pytest.mark.xdist_group("keras")
@pytest.mark.skipif(find_spec("cv2") is None, reason="needs ctckit[onnx]")
def test_the_image_above(invoke, folder, sure_model, draw_word):
    from ctckit.recognizer.images import read_image
    from ctckit.recognizer.preprocessing import Preprocessing

    sure_model()
    draw_word(folder / "words" / "w.png", 60, 0)
    draw_word(folder / "words" / "wide.png", 120, 1)
    made = invoke("dump", "--images", "words", "--output", "d", "--model", "m.safetensors")
    assert made.exit_code == 0, made.output
    arguments = ["plot", "d", "w.png", "--output", "a.png", "--image"]
    result = invoke(*arguments, "words/w.png")
    assert (result.exit_code, result.stderr) == (0, "")
    opened = open_dump(folder / "d")
    batch = opened[opened.index("w.png")]
    best = load_decoder("beamsearch", batch.alphabet).decode_batch(batch)[0][0]
    preprocessing = Preprocessing(**opened.source["preprocessing"])
    seen = 255 - preprocessing.apply(read_image(folder / "words" / "w.png"))
    picture = plot_bytes(plot_matrix(batch, hypothesis=best, image=seen))
    assert (folder / "a.png").read_bytes() == picture
    for name, message in (("words/wide.png", "image must be the one that the matrix was made from"),
                          ("words/none.png", "words/none.png")):  # fmt: skip
        result = invoke(*arguments, name)
        assert result.exit_code == 1
        assert message in result.stderr
    assert (folder / "a.png").read_bytes() == picture
