"""The shim under the name pyctcdecode, as Wav2Vec2ProcessorWithLM of transformers takes it."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from ctckit import InvalidValueError
from ctckit.compat import pyctcdecode as shim
from ctckit.compat.pyctcdecode import installing
from ctckit.compat.pyctcdecode import kenlm as stand_in

NAMES = ("pyctcdecode", "kenlm")


@pytest.fixture
def fresh(monkeypatch):
    """Neither package has been imported, nor is any installed."""
    for name in list(sys.modules):
        if name.partition(".")[0] in NAMES:
            monkeypatch.delitem(sys.modules, name)
    find = importlib.util.find_spec

    def without(name, package=None):
        return None if name in NAMES and name not in sys.modules else find(name, package)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    yield
    shim.uninstall()


def test_imports_get_the_shim(fresh):
    shim.install()
    shim.install()
    package = importlib.import_module("pyctcdecode")
    assert package.BeamSearchDecoderCTC is shim.BeamSearchDecoderCTC
    assert package.build_ctcdecoder is shim.build_ctcdecoder
    for name in installing.SUBMODULES:
        module = importlib.import_module(f"pyctcdecode.{name}")
        assert module is importlib.import_module(f"ctckit.compat.pyctcdecode.{name}")
        assert getattr(package, name) is module
    assert (package.__name__, package.__version__) == ("pyctcdecode", "0.5.0")
    assert importlib.util.find_spec("pyctcdecode").name == "pyctcdecode"
    assert importlib.util.find_spec("pyctcdecode").origin == shim.__file__
    assert importlib.import_module("kenlm").Model is stand_in.Model
    shim.uninstall()
    shim.uninstall()
    assert not {name for name in sys.modules if name.partition(".")[0] in NAMES}


def test_metadata_tell_the_versions(fresh, monkeypatch):
    # As where neither is installed: only the shim's finder is asked. What that imports comes first.
    importlib.metadata.metadata("numpy")
    monkeypatch.setattr(sys, "meta_path", [])
    for name in NAMES:
        with pytest.raises(importlib.metadata.PackageNotFoundError):
            importlib.metadata.version(name)
    shim.install()
    assert [importlib.metadata.version(name) for name in NAMES] == ["0.5.0", "0.3.0"]
    found = importlib.metadata.distribution("pyctcdecode")
    assert found.metadata["Name"] == "pyctcdecode"
    assert found.read_text("RECORD") is None
    assert Path(found.locate_file("decoder.py")).is_file()
    assert list(importlib.metadata.distributions()) == []
    shim.uninstall()
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("pyctcdecode")


def test_a_package_that_has_been_imported_is_kept(fresh, monkeypatch):
    import types

    theirs = types.ModuleType("pyctcdecode")
    theirs.__file__ = "/lib/pyctcdecode/__init__.py"
    monkeypatch.setitem(sys.modules, "pyctcdecode", theirs)
    with pytest.raises(InvalidValueError, match=r"before install\(\), got it from '/lib/pyctcde"):
        shim.install()
    shim.uninstall()
    assert sys.modules["pyctcdecode"] is theirs


def test_a_kenlm_that_is_there_is_kept(fresh, monkeypatch):
    import types

    theirs = types.ModuleType("kenlm")
    monkeypatch.setitem(sys.modules, "kenlm", theirs)
    shim.install()
    assert sys.modules["kenlm"] is theirs
    shim.uninstall()
    assert sys.modules["kenlm"] is theirs


def test_what_transformers_does(fresh, labels, arpa, lines, tmp_path):
    """Every access of Wav2Vec2ProcessorWithLM in transformers 5.24, one after the other."""
    shim.install()
    from pyctcdecode import BeamSearchDecoderCTC, build_ctcdecoder
    from pyctcdecode.alphabet import BLANK_TOKEN_PTN, UNK_TOKEN, UNK_TOKEN_PTN
    from pyctcdecode.constants import (
        DEFAULT_BEAM_WIDTH,
        DEFAULT_HOTWORD_WEIGHT,
        DEFAULT_MIN_TOKEN_LOGP,
        DEFAULT_PRUNE_LOGP,
    )

    decoder = build_ctcdecoder(labels, arpa)
    assert isinstance(decoder, BeamSearchDecoderCTC)
    vocabulary = [
        "" if BLANK_TOKEN_PTN.match(one) else UNK_TOKEN if UNK_TOKEN_PTN.match(one) else one
        for one in (" " if label == "|" else label for label in labels)
    ]
    assert set(vocabulary) - set(decoder._alphabet.labels) == set()
    decoder.save_to_dir(tmp_path)
    decoder = BeamSearchDecoderCTC.load_from_dir(tmp_path, "utf-8")
    for attribute, value in (("alpha", 0.6), ("beta", 1.0), ("score_boundary", False)):
        setattr(decoder.model_container[decoder._model_key], attribute, value)
    decoder.reset_params(alpha=None, beta=None, unk_score_offset=-9.0, lm_score_boundary=None)
    model = decoder.model_container[decoder._model_key]
    assert (model.alpha, model.unk_score_offset, model.score_boundary) == (0.6, -9.0, False)
    asked = {
        "beam_width": DEFAULT_BEAM_WIDTH,
        "beam_prune_logp": DEFAULT_PRUNE_LOGP,
        "token_min_logp": DEFAULT_MIN_TOKEN_LOGP,
        "hotwords": ["okafor"],
        "hotword_weight": DEFAULT_HOTWORD_WEIGHT,
    }
    padded = np.full((2, 130, len(labels)), -100.0)
    for row, logits in zip(padded, lines[:2], strict=True):
        row[: len(logits)] = logits
    logits_list = [array[(array != -100.0).all(axis=-1)] for array in padded]
    batch = decoder.decode_beams_batch(pool=None, logits_list=logits_list, **asked)
    assert batch[0][0][0] == "the night train to york"
    assert all(isinstance(start, int) for beam in batch[0] for _, (start, end) in beam[1])
    beam = decoder.decode_beams(padded[0][: len(lines[0])], **asked)[0]
    assert (beam[0], beam[2], beam[-2], beam[-1]) == batch[0][0]


PROCESSOR = """
import json, sys
from pathlib import Path
import numpy as np
from ctckit.compat.pyctcdecode import build_ctcdecoder, install

install()
from transformers import Wav2Vec2CTCTokenizer, Wav2Vec2FeatureExtractor, Wav2Vec2ProcessorWithLM
from transformers.utils import is_pyctcdecode_available

assert is_pyctcdecode_available()
folder = Path(sys.argv[1])
with np.load(folder / "lines.npz") as arrays:
    lines, labels = arrays["lines"], arrays["labels"].tolist()
(folder / "vocab.json").write_text(json.dumps({one: i for i, one in enumerate(labels)}))
processor = Wav2Vec2ProcessorWithLM(
    feature_extractor=Wav2Vec2FeatureExtractor(),
    tokenizer=Wav2Vec2CTCTokenizer(folder / "vocab.json", bos_token="<s>", eos_token="<s>"),
    decoder=build_ctcdecoder(labels, sys.argv[2]),
)
found = processor.decode(lines[0], output_word_offsets=True)
assert found.text == "the night train to york", found
assert found.word_offsets[0] == {"word": "the", "start_offset": 3, "end_offset": 13}, found
assert processor.language_model.alpha == 0.5
hot = processor.batch_decode(lines, hotwords=["okafor"], hotword_weight=20.0, alpha=0.6, n_best=2)
assert hot.text[1][0] == "call mister okafor at noon", hot
assert processor.language_model.alpha == 0.6
processor.save_pretrained(folder / "saved")
again = Wav2Vec2ProcessorWithLM.from_pretrained(str(folder / "saved"), beta=1.25)
assert again.language_model.beta == 1.25
assert again.decode(lines[0]).text == found.text
assert len(processor.decode(lines[0], n_best=2).text) <= 2
print("done")
"""


@pytest.mark.skipif(
    importlib.util.find_spec("transformers") is None, reason="transformers is not installed"
)
def test_the_processor_of_transformers(labels, arpa, lines, tmp_path):
    if importlib.metadata.version("transformers").split(".")[0] != "5":
        pytest.skip("written for transformers 5")
    longest = max(map(len, lines[:2]))
    padded = np.full((2, longest, len(labels)), -100.0, dtype=np.float32)
    for row, logits in zip(padded, lines[:2], strict=True):
        row[: len(logits)] = logits
    padded[0, len(lines[0]) :, 0] = 9.0  # decode() takes all frames: these are blanks
    np.savez(tmp_path / "lines.npz", lines=padded, labels=labels)
    script = tmp_path / "script.py"
    script.write_text(PROCESSOR, encoding="utf-8")
    run = subprocess.run(
        [sys.executable, str(script), str(tmp_path), arpa],
        capture_output=True,
        encoding="utf-8",
        check=False,
        cwd=tmp_path,
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith("done\n")
