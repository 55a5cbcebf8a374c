"""Model files: what is written comes back, and whatever else is in the file is refused."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import json
import math
import os
import pickle
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from ctckit import Alphabet
from ctckit.errors import InvalidValueError, NotFoundError
from ctckit.recognizer import models
from ctckit.recognizer.models import Model, read_model, save_model, write_whole
from ctckit.recognizer.preprocessing import Preprocessing
from ctckit.recognizer.shape import NetworkShape

TOKENS = {
    "Latin": list("abc é"),
    "Thai": ["ก", "ำ", "กำ", "น้ำ"],
    "Arabic": ["\u0627", "\u0644\u0627", "\ufdf2", "\u200f"],
    "emoji": ["👩\u200d👩\u200d👧", "🏳️\u200d🌈", "e\u0301", "\U0010ffff"],
    "controls": ["\0", "\n", '"', "\\", "\u2028", "\x7f"],
    "words": ["the ", "<b>", " " * 1000],
    "one": ["x"],
    "5,000": [chr(0x4E00 + i) for i in range(5000)],
}


@pytest.fixture
def model(random_model: Callable[..., Any]) -> Model:
    return random_model("abc", blocks=1)


@pytest.fixture
def path(tmp_path: Path, model: Model) -> Path:
    """Return the file of a model."""
    save_model(tmp_path / "m.safetensors", model)
    return tmp_path / "m.safetensors"


def split(data: bytes) -> tuple[dict[str, Any], bytes]:
    end = 8 + int.from_bytes(data[:8], "little")
    return json.loads(data[8:end]), data[end:]


def join(header: Any, values: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + values


def change(path: Path, **metadata: str | None) -> None:
    """Write other metadata into a file (None: leave it out), and no checksum."""
    header, values = split(path.read_bytes())
    known = {**header["__metadata__"], "crc32": None, **metadata}
    header["__metadata__"] = {name: value for name, value in known.items() if value is not None}
    path.write_bytes(join(header, values))


def change_json(path: Path, key: str, **fields: Any) -> None:
    """Set fields of an object in the metadata."""
    header, _ = split(path.read_bytes())
    change(path, **{key: json.dumps({**json.loads(header["__metadata__"][key]), **fields})})


def change_weights(path: Path, change_one: Callable[[dict[str, np.ndarray]], None]) -> None:
    """Write other weights with the same metadata, by the library of safetensors."""
    with safe_open(path, "np") as file:
        metadata = {name: value for name, value in file.metadata().items() if name != "crc32"}
    weights = load_file(path)
    change_one(weights)
    save_file(weights, path, metadata)


def refused(path: Path, message: str) -> None:
    with pytest.raises(InvalidValueError, match=message) as raised:
        read_model(path)
    assert len(str(raised.value)) < 500 + len(str(path))


# Round trips


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_written_comes_back(tmp_path: Path, model: Model, dtype: str) -> None:
    about = {"images": 3, "fonts": ["é", "\ud800"], "best": None, "nested": {"a": [1.5, True]}}
    shape = dataclasses.replace(model.shape, dropout=0.25)
    preprocessing = Preprocessing(spread=4.25, margin=3, max_width=999, mirrored=True)
    written = dataclasses.replace(model, about=about, shape=shape, preprocessing=preprocessing)
    save_model(tmp_path / "m", written, dtype=dtype)
    back = read_model(str(tmp_path / "m"))
    assert (back.alphabet, back.shape, back.preprocessing) == (model.alphabet, shape, preprocessing)
    assert back.about == about
    assert back.weights.keys() == model.weights.keys()
    for name, value in model.weights.items():
        assert back.weights[name].dtype == np.float32
        np.testing.assert_array_equal(back.weights[name], value.astype(dtype))


@pytest.mark.parametrize("tokens", TOKENS.values(), ids=TOKENS)
def test_any_alphabet_comes_back(
    tmp_path: Path, random_model: Callable[..., Any], tokens: list[str]
) -> None:
    model = random_model(tokens)
    save_model(tmp_path / "m", model)
    back = read_model(tmp_path / "m").alphabet
    assert back == model.alphabet
    assert back.fingerprint == model.alphabet.fingerprint
    assert back.tokens[:-1] == tuple(tokens)


def test_the_blank_may_be_called_anything(tmp_path: Path, model: Model) -> None:
    named = dataclasses.replace(model, alphabet=Alphabet(["a", "b", "c", "\ud800a"], 3))
    save_model(tmp_path / "m", named)
    assert read_model(tmp_path / "m").alphabet == model.alphabet


def test_the_same_model_makes_the_same_file(tmp_path: Path, path: Path, model: Model) -> None:
    save_model(tmp_path / "again", model)
    assert (tmp_path / "again").read_bytes() == path.read_bytes()
    shuffled = dict(reversed(list(model.weights.items())))
    save_model(tmp_path / "again", dataclasses.replace(model, weights=shuffled))
    assert (tmp_path / "again").read_bytes() == path.read_bytes()


def test_the_fingerprint_is_that_of_the_bytes(tmp_path: Path, path: Path, model: Model) -> None:
    assert model.fingerprint == ""
    first = read_model(path).fingerprint
    assert len(first) == 32
    (tmp_path / "copy").write_bytes(path.read_bytes())
    assert read_model(tmp_path / "copy").fingerprint == first
    save_model(path, dataclasses.replace(model, about={"x": 1}))
    assert read_model(path).fingerprint != first


def test_other_programs_can_read_it(path: Path, model: Model) -> None:
    weights = load_file(path)
    assert {name: value.shape for name, value in weights.items()} == model.shape.weights()
    assert {value.dtype.name for value in weights.values()} == {"float16"}
    with safe_open(path, "np") as file:
        metadata = file.metadata()
    assert (metadata["format"], metadata["version"]) == ("ctckit-model", "1")
    assert path.read_bytes()[8:9] == b"{"
    assert int.from_bytes(path.read_bytes()[:8], "little") % 8 == 0


def test_a_file_of_another_writer_is_read(path: Path, model: Model) -> None:
    change_weights(path, lambda weights: None)
    back = read_model(path)
    assert back.alphabet == model.alphabet
    assert back.about == {}


def test_what_is_not_known_is_passed_over(path: Path, model: Model) -> None:
    change(path, licence="MIT", about=None)
    assert read_model(path).about == {}
    assert read_model(path).alphabet == model.alphabet


# Writing


def test_what_stood_there_is_replaced_at_once(
    tmp_path: Path, path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = path.read_bytes()

    def fail(number: int) -> None:
        assert [one.name for one in tmp_path.iterdir() if one != path] == [f".{path.name}.partial"]
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(InvalidValueError, match=r"writable, got .* \(No space left on device\); "):
        save_model(path, dataclasses.replace(model, about={"x": 1}))
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_ctrl_c_leaves_nothing_half(
    tmp_path: Path, path: Path, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(number: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        save_model(path, model)
    assert list(tmp_path.iterdir()) == [path]


def test_folders_are_made(tmp_path: Path, model: Model) -> None:
    save_model(tmp_path / "a" / "b" / "m", model)
    assert read_model(tmp_path / "a" / "b" / "m").alphabet == model.alphabet


@pytest.mark.parametrize("name", ["file/m", "folder", ".", "/", "x" * 250, "a\0b", "folder/.."])
def test_a_place_that_cannot_be_written_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("file").write_bytes(b"x")
    Path("folder").mkdir()
    with pytest.raises(InvalidValueError, match=r"^file must be writable, got '.*\); choose"):
        write_whole(Path(name), b"data")
    assert sorted(one.name for one in Path().iterdir()) == ["file", "folder"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"shape": NetworkShape(classes=4, height=30)}, "height must be a multiple of 8, got 30"),
        ({"preprocessing": Preprocessing(height=40)}, "that of the preprocessing, 40, got 32"),
        ({"preprocessing": Preprocessing(spread=math.nan)}, "spread must be 0.1 to 32, got nan"),
        ({"alphabet": Alphabet("ab-", 2)}, "alphabet must have 4 tokens.* got 3"),
        ({"alphabet": Alphabet("-abc", 0)}, "blank must be the last class, 3, got 0; reorder"),
        ({"weights": {}}, r"weights must be those of the network, got \d+ that are missing"),
        ({"about": {"x": math.inf}}, "about must be what JSON can say, got Out of range"),
        ({"about": {"x": {1}}}, "about must be what JSON can say, got Object of type set"),
    ],
)
def test_what_could_not_be_read_is_not_written(
    tmp_path: Path, model: Model, changed: dict[str, Any], message: str
) -> None:
    with pytest.raises(InvalidValueError, match=message):
        save_model(tmp_path / "m", dataclasses.replace(model, **changed))
    assert list(tmp_path.iterdir()) == []


def test_weights_that_float16_cannot_hold_are_not_written(tmp_path: Path, model: Model) -> None:
    large = {**model.weights, "logits/bias": np.full(4, -70000, np.float32)}
    model = dataclasses.replace(model, weights=large)
    with pytest.raises(InvalidValueError, match=r"'logits/bias' must fit float16, got 70000"):
        save_model(tmp_path / "m", model)
    save_model(tmp_path / "m", model, dtype="float32")
    with pytest.raises(
        InvalidValueError, match="dtype must be one of float16, float32, got 'int8'"
    ):
        save_model(tmp_path / "m", model, dtype="int8")


# Files that are not there, or are something else


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"file that exists, got '.*/m'; leave --model out"):
        read_model(tmp_path / "m")
    with pytest.raises(NotFoundError, match=r"must be a file, got the folder '.*'; name the"):
        read_model(tmp_path)


def test_a_missing_bundled_model_is_not_the_users_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(models, "DEFAULT_MODEL", tmp_path / "default")
    with pytest.raises(NotFoundError, match="install ctckit again"):
        read_model()


@pytest.mark.parametrize("name", ["m.safetensors/x", "x" * 300, "a\0b"])
def test_a_path_that_cannot_be_opened_is_named(path: Path, name: str) -> None:
    with pytest.raises((InvalidValueError, NotFoundError), match="model must be"):
        read_model(path.parent / name)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_pipe_or_device_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    refused(tmp_path / "pipe", "model must be a file, got .*pipe'; copy it")
    refused(Path(os.devnull), "model must be a file")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "m").open("wb") as file:
        file.truncate(2 << 30)  # takes no room on the disk
    refused(tmp_path / "m", r"of 2,147,483,648 bytes, more than 268,435,456\b")


class Trap:
    """Ends the tests when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os._exit, (3,)


def zip_file() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("config.json", '{"class_name": "Lambda"}')
        archive.writestr("data.pkl", pickle.dumps(Trap()))
    return file.getvalue()


OTHERS = {
    "empty": b"",
    "short": b"\x05\0\0",
    "text": b"ctckit-model\n" * 100,
    "pickle": pickle.dumps(Trap()),
    "keras or zip": zip_file(),
    "h5": b"\x89HDF\r\n\x1a\n" + bytes(2000),
    "zeros": bytes(4096),
    "length of 2^63": (1 << 63).to_bytes(8, "little") + b"{}" + bytes(100),
    "length of 2^64 - 1": b"\xff" * 8 + b"{}" + bytes(100),
    "length beyond the end": (1000).to_bytes(8, "little") + b"{}",
    "header of no JSON": join(b"{nothing}", bytes(64)),
    "header of a list": join([1, 2]),
    "header not UTF-8": join(b'{"__metadata__":{"format":"\xff"}}'),
    "deep": join(b"[" * 200_000),
    "deep in an object": join(b'{"__metadata__":' + b'{"a":' * 100_000),
    "metadata of a number": join({"__metadata__": {"format": 1}}),
    "metadata a list": join({"__metadata__": ["format"]}),
    "bytes behind the end": join({"__metadata__": {"format": "ctckit-model"}}, b"12345678"),
    "huge tensor": join({"x": {"dtype": "F32", "shape": [2**63, 2**63], "data_offsets": [0, 8]}}),
    "other numbers": join({"x": {"dtype": "F8_E5M2", "shape": [0], "data_offsets": [0, 0]}}),
    "brain floats": join({"x": {"dtype": "BF16", "shape": [0], "data_offsets": [0, 0]}}),
}


@pytest.mark.parametrize("content", OTHERS.values(), ids=OTHERS)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.safetensors").write_bytes(content)
    refused(tmp_path / "m.safetensors", r"written by ctckit train, got '.*no model file or is cut")


@pytest.mark.parametrize(
    ("header", "found"),
    [({}, "''"), ({"__metadata__": None}, "''"), ({"__metadata__": {"format": "pt"}}, "'pt'")],
)
def test_safetensors_of_others_are_refused(tmp_path: Path, header: Any, found: str) -> None:
    (tmp_path / "m").write_bytes(join(header))
    refused(tmp_path / "m", rf"of format {found}, not 'ctckit-model'; get it again")


# Damage


def test_a_file_that_is_cut_off_is_refused_at_every_length(path: Path) -> None:
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    lengths = {*range(20), *range(0, len(data), 97), header - 1, header, header + 1, len(data) - 1}
    for length in lengths:
        path.write_bytes(data[:length])
        refused(path, "no model file or is cut off")
    path.write_bytes(data + b"\0")
    refused(path, "no model file or is cut off")


@pytest.mark.parametrize("checked", [True, False], ids=["checksum", "no checksum"])
def test_flipped_bits_are_found_or_harmless(path: Path, model: Model, checked: bool) -> None:
    if not checked:
        change(path)
    data = path.read_bytes()
    header = 8 + int.from_bytes(data[:8], "little")
    rng = np.random.default_rng(0)
    places = [*range(0, header * 8, 37), *rng.integers(header * 8, len(data) * 8, 300).tolist()]
    taken = 0
    for place in places:
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            back = read_model(path)
        except InvalidValueError:
            continue
        taken += 1
        assert all(np.isfinite(value).all() for value in back.weights.values())
        assert {name: v.shape for name, v in back.weights.items()} == back.shape.weights()
        if checked:
            # A flipped bit in the checksum's name makes it one that nobody knows.
            assert back.alphabet == model.alphabet
            assert place < header * 8
    assert taken < (20 if checked else len(places))


def test_random_bytes_in_the_header_are_found(path: Path) -> None:
    change(path)
    header, values = split(path.read_bytes())
    text = json.dumps(header).encode()
    rng = np.random.default_rng(1)
    for _ in range(300):
        broken = bytearray(text)
        for place in rng.integers(0, len(text), 3):
            broken[place] = int(rng.choice(list(b'{}[]",:0123456789-.eEnult \\')))
        path.write_bytes(join(bytes(broken), values))
        with contextlib.suppress(InvalidValueError):
            read_model(path)


def test_a_wrong_checksum_is_named(path: Path) -> None:
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    refused(path, r"which has changed since \(its checksum is another\)")
    path.write_bytes(data)
    change(path, crc32="12")
    refused(path, "which has changed since")


# Versions


def test_a_later_version_says_so(path: Path) -> None:
    for version in ("2", "10", "999999999"):
        change(path, version=version, tokens="in another form", network=None)
        refused(path, f"of version 1 to 1, got version {version} in '.*'; install a later ctckit")


@pytest.mark.parametrize(
    "version", ["0", "", "x", "-1", "1.0", "01", " 1", "1\n", "²", "\u0661", "9" * 5000, None]
)
def test_no_version_is_refused(path: Path, version: str | None) -> None:
    change(path, version=version)
    refused(path, "model file|of version '")


# Metadata


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"tokens": None}, "no 'tokens'"),
        ({"tokens": '"abc"'}, "tokens are no list"),
        ({"tokens": '{"a": 1, "b": 2, "c": 3, "": 4}'}, "tokens are no list"),
        ({"tokens": "[1, 2, 3, 4]"}, "tokens must be strings"),
        ({"tokens": '["a", "a", "b", ""]'}, "tokens must be unique"),
        ({"tokens": '["a", "b", ""]'}, "blank must be 0 to 2"),
        ({"tokens": '["a", "b", "c", "d", ""]', "blank": "4"}, "alphabet must have 4 tokens"),
        ({"tokens": "[]"}, "tokens must hold at least the blank"),
        ({"tokens": "[" * 100_000}, "recursion"),
        ({"tokens": "no JSON"}, "Expecting value"),
        ({"blank": None}, "no 'blank'"),
        ({"blank": "0"}, "tokens must not be empty"),
        ({"blank": "0", "tokens": '["", "a", "b", "c"]'}, "blank must be the last class, 3, got 0"),
        ({"blank": "4"}, "blank must be 0 to 3"),
        ({"blank": "-1"}, "blank must be 0 to 3"),
        ({"blank": "x"}, "invalid literal"),
        ({"blank": "9" * 5000}, "Exceeds the limit"),
        ({"network": None}, "no 'network'"),
        ({"network": "[]"}, "no attribute 'get'|network"),
        ({"network": "{}"}, "alphabet must have 96 tokens"),
        ({"network": '{"classes": 4, "width": 3}'}, "unexpected keyword"),
        ({"preprocessing": None}, "no 'preprocessing'"),
        ({"preprocessing": "3"}, "must be a mapping"),
        ({"preprocessing": '{"height": 40}'}, "that of the preprocessing, 40, got 32"),
        ({"preprocessing": '{"zoom": 4}'}, "unexpected keyword"),
        ({"preprocessing": '{"spread": NaN}'}, "spread must be"),
        ({"preprocessing": '{"spread": true}'}, "spread must be"),
        ({"preprocessing": '{"max_width": 1e9}'}, "max_width must be"),
        ({"preprocessing": '{"mirrored": 1}'}, "mirrored must be"),
        ({"about": "[]"}, "about are no dict"),
        ({"about": "x"}, "Expecting value"),
    ],
)
def test_wrong_metadata_are_refused(
    path: Path, changed: dict[str, str | None], message: str
) -> None:
    change(path, **changed)
    refused(path, f"which is damaged \\(.*({message})")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("height", 31),
        ("height", 0),
        ("height", "32"),
        ("height", 32.0),
        ("height", True),
        ("height", 10**4000),
        ("classes", 1),
        ("classes", 10**9),
        ("classes", None),
        ("channels", 10**6),
        ("channels", -16),
        ("blocks", 10**6),
        ("kernel", 0),
        ("stem", 3),
        ("stem", [4, 6]),
        ("stem", [4, 6, 8, 8]),
        ("stem", [4, 6, "8"]),
        ("stem", [4, 6, 10**9]),
        ("stem", {"0": 1}),
        ("dropout", 1),
        ("dropout", -0.1),
        ("dropout", "0"),
        ("dropout", False),
        ("dropout", math.nan),
    ],
)
def test_wrong_sizes_are_refused(path: Path, name: str, value: Any) -> None:
    change_json(path, "network", **{name: value})
    refused(path, rf"which is damaged \({name} must be")


def test_a_network_that_would_fill_the_memory_is_refused(path: Path) -> None:
    # 100 blocks of 4,096 channels: 3.4 thousand million weights, which the file does not hold.
    change_json(path, "network", blocks=100, channels=4096, stem=[4096, 4096, 4096], kernel=101)
    refused(path, "weights must be those of the network, got 594 that are missing")
    change_json(path, "network", blocks=1, channels=4096, stem=[4096, 4096, 4096], kernel=101)
    refused(path, r"weight '.*' must have shape \(.*4096.*\), got \(")


def test_matrices_that_would_fill_the_memory_are_refused(model: Model) -> None:
    def wide(classes: int, width: int) -> Model:
        alphabet = Alphabet([*(chr(0x4E00 + i) for i in range(classes - 1)), ""], blank=classes - 1)
        shape = dataclasses.replace(model.shape, classes=classes)
        preprocessing = dataclasses.replace(model.preprocessing, max_width=width)
        sizes = shape.weights()
        weights = {name: np.ones(size, np.float32) for name, size in sizes.items()}
        return dataclasses.replace(
            model, alphabet=alphabet, shape=shape, preprocessing=preprocessing, weights=weights
        )

    wide(4096, 1 << 20).check()
    with pytest.raises(
        InvalidValueError,
        match="max_width must be at most 1048323 for 4097 classes, got 1048576; choose a smaller",
    ):
        wide(4097, 1 << 20).check()
    wide(4097, 1048323).check()
    with pytest.raises(InvalidValueError, match="at most 1048323"):
        wide(4097, 1048324).check()


# Weights


def test_weights_that_are_missing_too_many_or_renamed_are_refused(path: Path) -> None:
    data = path.read_bytes()
    cases: list[tuple[Callable[[dict[str, Any]], Any], str]] = [
        (lambda w: w.pop("logits/bias"), "1 that are missing or too many, such as 'logits/bias'"),
        (lambda w: w.update(more=np.ones(3)), "float64"),
        (lambda w: w.update(more=np.ones(3, np.float16)), "1 that are .* such as 'more'"),
        (lambda w: w.update(bias=w.pop("logits/bias")), "2 that are missing"),
        (lambda w: w.clear(), r"\d+ that are missing"),
    ]
    for change_one, message in cases:
        path.write_bytes(data)
        change_weights(path, change_one)
        refused(path, message)


@pytest.mark.parametrize("shape", [(), (3,), (1, 4), (4, 1), (0,), (2, 2)])
def test_weights_of_another_shape_are_refused(path: Path, shape: tuple[int, ...]) -> None:
    change_weights(path, lambda w: w.update({"logits/bias": np.zeros(shape, np.float16)}))
    refused(path, r"weight 'logits/bias' must have shape \(4,\), got \(")


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_weights_that_are_not_finite_are_refused(path: Path, value: float, dtype: type) -> None:
    change_weights(path, lambda w: w.update({"logits/bias": np.array([0, 0, value, 0], dtype)}))
    refused(path, "weight 'logits/bias' must be finite numbers")


@pytest.mark.parametrize("dtype", [np.int8, np.int64, np.uint8, np.bool_, np.float64])
def test_weights_of_other_types_are_refused(path: Path, dtype: type) -> None:
    change_weights(path, lambda w: w.update({"logits/bias": np.zeros(4, dtype)}))
    refused(path, f"weight 'logits/bias' is {np.dtype(dtype)}, not float16 or float32")


def test_variances_below_zero_are_refused(path: Path) -> None:
    name = "stem1_norm/moving_variance"
    change_weights(path, lambda w: w.update({name: -w[name]}))
    refused(path, f"weight '{name}' must be at least 0, got -")


def test_reading_a_model_loads_no_keras() -> None:
    code = (
        "import sys, ctckit.recognizer.models, ctckit.recognizer.recognizer\n"
        "print([name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
