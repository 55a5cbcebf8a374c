"""Saving and loading with ctckit.compat.pyctcdecode, from folders and from the hub's cache."""

from __future__ import annotations

import gzip
import json
import sys
import types
from importlib.util import find_spec
from pathlib import Path

import pytest

from ctckit import InvalidValueError, MissingExtraError, NotFoundError
from ctckit.compat.pyctcdecode import (
    Alphabet,
    BeamSearchDecoderCTC,
    LanguageModel,
    build_ctcdecoder,
    hub,
)
from ctckit.language import NGramModel

load = BeamSearchDecoderCTC.load_from_dir


@pytest.fixture
def saved(labels, arpa, tmp_path):
    """The folder of a decoder."""
    folder = tmp_path / "some" / "decoder"
    build_ctcdecoder(labels, arpa, alpha=0.75).save_to_dir(str(folder))
    return folder


def test_what_is_saved_is_loaded(saved, labels, arpa, lines):
    names = sorted(one.relative_to(saved).as_posix() for one in saved.rglob("*"))
    files = ["attrs.json", "unigrams.txt", "words.arpa"]
    assert names == ["alphabet.json", "language_model", *(f"language_model/{x}" for x in files)]
    assert (saved / "language_model" / "words.arpa").read_bytes() == Path(arpa).read_bytes()
    decoder = load(saved)
    assert decoder._language_model.serializable_attrs["alpha"] == 0.75
    wanted = build_ctcdecoder(labels, arpa, alpha=0.75)
    assert decoder.decode_beams(lines[0]) == wanted.decode_beams(lines[0])


def test_hidden_files_do_not_count(saved, lines):
    text = load(str(saved)).decode(lines[0])
    for folder in (saved, saved / "language_model"):
        (folder / ".DS_Store").touch()
        (folder / "__pycache__").mkdir()
    (saved / "preprocessor_config.json").touch()
    assert load(str(saved)).decode(lines[0]) == text


@pytest.mark.parametrize("name", ["lm.arpa.gz", "lm.gz", "lm", "lm.ctckit"])
def test_models_are_saved_as_plain_arpa_files(labels, arpa, lines, tmp_path, name):
    source = tmp_path / name
    if name == "lm.ctckit":
        NGramModel.load(arpa).save(source)
        name = "lm.ctckit.arpa"
    else:
        content = Path(arpa).read_bytes()
        source.write_bytes(gzip.compress(content) if name.endswith("gz") else content)
        name = "lm.arpa"
    decoder = build_ctcdecoder(labels, source)
    decoder.save_to_dir(str(tmp_path / "saved"))
    written = tmp_path / "saved" / "language_model" / name
    assert written.read_text(encoding="utf-8").startswith("\\data\\")
    assert load(tmp_path / "saved").decode(lines[0]) == decoder.decode(lines[0])


def test_a_model_in_memory_is_saved(labels, arpa, lines, tmp_path):
    model = LanguageModel(NGramModel.load(arpa))
    decoder = BeamSearchDecoderCTC(Alphabet.build_alphabet(labels), model)
    decoder.save_to_dir(str(tmp_path))
    assert (tmp_path / "language_model" / "lm.arpa").is_file()
    assert load(tmp_path).decode(lines[0]) == decoder.decode(lines[0])


def test_words_may_have_any_letters(tmp_path):
    path = tmp_path / "lm.arpa"
    NGramModel.train([["größe", "être"]], order=2).write_arpa(path)
    model = LanguageModel(path)
    for encoding in (None, "utf-16"):
        folder = tmp_path / str(encoding)
        folder.mkdir()
        model.save_to_dir(str(folder), unigram_encoding=encoding)
        loaded = LanguageModel.load_from_dir(str(folder), unigram_encoding=encoding)
        assert loaded.words == ["größe", "être"]
    assert (tmp_path / "None" / "unigrams.txt").read_bytes() == "größe\nêtre\n".encode()
    with pytest.raises(InvalidValueError, match="unigrams must be of the encoding utf-8, got byte"):
        LanguageModel.load_from_dir(str(folder))


def test_nothing_is_written_over(saved, labels, arpa):
    with pytest.raises(
        InvalidValueError, match=r"a folder without a language model, got .*decoder'"
    ):
        build_ctcdecoder(labels, arpa).save_to_dir(str(saved))


def test_what_is_no_folder(labels, tmp_path):
    (tmp_path / "file").write_text("")
    decoder = build_ctcdecoder(labels)
    with pytest.raises(InvalidValueError, match=r"filepath must be a folder, got .*file': File ex"):
        decoder.save_to_dir(str(tmp_path / "file"))
    with pytest.raises(InvalidValueError, match="filepath must be a path, got NoneType; give that"):
        decoder.save_to_dir(None)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda f: (f / "alphabet.json").unlink(),
            r"must hold alphabet\.json, .* got language_mod",
        ),
        (
            lambda f: (f / "language_model").rename(f / "lm"),
            r"must hold alphabet\.json, and language_model if it holds anything else, got .* lm in",
        ),
        (lambda f: (f / "alphabet.json").write_text("no"), "an alphabet must be JSON"),
        (
            lambda f: (f / "language_model" / "words.arpa").unlink(),
            r"must hold attrs\.json, unigrams\.txt and one ARPA file, got attrs\.json, unigrams",
        ),
        (lambda f: (f / "language_model" / "x.arpa").touch(), "got .*x.arpa in .*take out"),
        (
            lambda f: (f / "language_model" / "unigrams.txt").unlink(),
            "and one ARPA file, got attrs",
        ),
        (
            lambda f: (f / "language_model" / "attrs.json").write_text("{}"),
            r"attrs\.json must have the keys alpha, beta, .* got none in",
        ),
        (
            lambda f: (f / "language_model" / "attrs.json").write_text("["),
            r"attrs\.json must be JS",
        ),
        (lambda f: (f / "language_model" / "attrs.json").write_text("[]"), r"the keys .* got list"),
        (
            lambda f: (f / "language_model" / "words.arpa").write_bytes(b"mmap lm http"),
            "got KenLM's binary format",
        ),
    ],
)
def test_folders_that_are_refused(saved, spoil, message):
    spoil(saved)
    with pytest.raises(InvalidValueError, match=message):
        load(saved)


def test_folders_that_are_not_there(saved, tmp_path):
    for call in (load, BeamSearchDecoderCTC.parse_directory_contents, LanguageModel.load_from_dir):
        with pytest.raises(
            NotFoundError, match=r"filepath must be a folder, got .*nowhere': No such"
        ):
            call(str(tmp_path / "nowhere"))
    with pytest.raises(NotFoundError, match="Not a directory"):
        load(saved / "alphabet.json")


class Hub(types.ModuleType):
    """A huggingface_hub with one model in one cache."""

    def __init__(self, cache, folder):
        super().__init__("huggingface_hub")
        self.cache, self.folder = cache, folder
        self.asked = []

    def snapshot_download(self, model_id, **options):
        self.asked.append(options)
        if model_id == "user/model" and options["cache_dir"] == self.cache:
            return str(self.folder)
        raise FileNotFoundError(model_id)  # its LocalEntryNotFoundError is one


def test_models_of_the_hub_come_from_its_cache(saved, lines, monkeypatch):
    ours = str(hub.CACHE.expanduser())
    for where, asked, caches in (
        (ours, None, [ours]),
        (None, None, [ours, None]),
        ("/here", "/here", ["/here"]),
    ):
        fake = Hub(where, saved)
        monkeypatch.setitem(sys.modules, "huggingface_hub", fake)
        options = {"allow_patterns": ["language_model/*"], "local_files_only": False}
        decoder = BeamSearchDecoderCTC.load_from_hf_hub("user/model", cache_dir=asked, **options)
        assert decoder.decode(lines[3]) == "late"
        assert [one.pop("cache_dir") for one in fake.asked] == caches
        wanted = {"allow_patterns": ["language_model/*"], "local_files_only": True}
        assert fake.asked == [wanted] * len(caches)
        with pytest.raises(
            NotFoundError, match=r"got 'user/other', which is not in .*: get it with"
        ):
            BeamSearchDecoderCTC.load_from_hf_hub("user/other", cache_dir=asked)


def test_without_huggingface_hub_it_is_said(monkeypatch):
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(MissingExtraError, match="load_from_hf_hub needs huggingface_hub"):
        BeamSearchDecoderCTC.load_from_hf_hub("user/model")


@pytest.mark.skipif(find_spec("huggingface_hub") is None, reason="huggingface_hub is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_installed_huggingface_hub_is_asked(saved, lines, tmp_path):
    cache = tmp_path / "cache"
    model = cache / "models--user--model"
    (model / "refs").mkdir(parents=True)
    (model / "refs" / "main").write_text("abc123")
    (model / "snapshots").mkdir()
    saved.rename(model / "snapshots" / "abc123")
    decoder = BeamSearchDecoderCTC.load_from_hf_hub("user/model", cache_dir=str(cache))
    assert decoder.decode(lines[3]) == "late"
    with pytest.raises(NotFoundError, match="nothing is downloaded here"):
        BeamSearchDecoderCTC.load_from_hf_hub("user/none", cache_dir=str(cache))


def test_the_alphabet_is_plain_json(saved, labels):
    fields = json.loads((saved / "alphabet.json").read_text(encoding="utf-8"))
    assert fields == {"labels": Alphabet.build_alphabet(labels).labels, "is_bpe": False}
