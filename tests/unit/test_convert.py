"""Converters: every format comes back as it went out, and every wrong input gets one clear line."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from click.testing import CliRunner

from ctckit import Alphabet, CtckitError, MatrixBatch, open_dump, write_dump
from ctckit.cli.convert import convert as command
from ctckit.dumps import matrix_csv, read_references
from ctckit.dumps.convert import Conversion, convert

Array = npt.NDArray[Any]
IDS = ["a/b", "a_b", "CON", "x", "X", "日本"]
REFERENCES = ["NA", None, "", "null", "1.0", "=1"]


@pytest.fixture
def small(alphabet: Alphabet) -> MatrixBatch:
    """Six matrices, one without frames, -inf among their values."""
    rng = np.random.default_rng(7)
    logits = [rng.normal(size=(n, 4)) for n in (4, 0, 7, 1, 5, 2)]
    logits[0][1, 2] = -np.inf
    return MatrixBatch.from_logits(logits, alphabet, ids=IDS)


@pytest.fixture
def dump(tmp_path: Path, small: MatrixBatch) -> Path:
    write_dump(tmp_path / "dump", small, references=REFERENCES, source={"made": "here"})
    return tmp_path / "dump"


@pytest.fixture
def chars(tmp_path: Path) -> Path:
    """The three characters of `alphabet`, without the blank; a space is one of them."""
    (tmp_path / "chars.txt").write_bytes(b"ab \n")
    return tmp_path / "chars.txt"


@pytest.fixture
def logits() -> Array:
    """Return logits (3, 5, 4)."""
    return np.random.default_rng(3).normal(size=(3, 5, 4)).astype(np.float32)


def probs_of(logits: Array) -> Array:
    exps = np.exp(logits.astype(np.float64))
    return exps / exps.sum(-1, keepdims=True)


def matrices(path: Path) -> list[Array]:
    return [matrix for part in open_dump(path).batches() for matrix in part.batch]


def assert_same(path: Path, wanted: Any, atol: float = 2e-6) -> None:
    for found, matrix in zip(matrices(path), wanted, strict=True):
        np.testing.assert_allclose(found, matrix, rtol=0, atol=atol)


# Round trips


def test_dump_to_npz_and_back(tmp_path: Path, dump: Path, small: MatrixBatch) -> None:
    done = convert(dump, tmp_path / "x.npz")
    assert done == Conversion("npz", count=6, with_reference=5)
    with np.load(tmp_path / "x.npz") as arrays:
        assert arrays["log_probs"].shape == (6, 7, 4)
        assert arrays["log_probs"].dtype == np.float32
        np.testing.assert_allclose(np.exp(arrays["log_probs"]).sum(2), 1, atol=1e-5)
        assert arrays["log_probs"][1, 0].tolist() == [-np.inf, -np.inf, -np.inf, 0]
    convert(tmp_path / "x.npz", tmp_path / "back")
    back = open_dump(tmp_path / "back")
    assert (back.ids, back.references, back.alphabet) == (IDS, REFERENCES, small.alphabet)
    assert_same(tmp_path / "back", small, atol=0)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["back", "dump", "x.npz"]


def test_dump_to_csv_and_back(tmp_path: Path, dump: Path, small: MatrixBatch) -> None:
    convert(dump, tmp_path / "csv", to="csv")
    names = sorted(p.stem for p in (tmp_path / "csv").glob("*.csv"))
    assert names == ["X-2", "_CON", "a_b", "a_b-2", "x", "日本"]
    assert len({name.casefold() for name in names}) == 6
    convert(tmp_path / "csv", tmp_path / "back")
    back = open_dump(tmp_path / "back")
    assert back.alphabet == small.alphabet
    assert (back.ids, back.references) == (IDS, REFERENCES)
    assert_same(tmp_path / "back", small)


def test_csv_has_the_blank_last_and_float32_precision(tmp_path: Path) -> None:
    row = np.log(np.array([[0.1, 0.2, 0.7]], dtype=np.float32))
    batch = MatrixBatch.from_log_probs([row], Alphabet(["", "p", "q"], blank=0), ids=["m"])
    write_dump(tmp_path / "d", batch)
    convert(tmp_path / "d", tmp_path / "c", to="csv")
    line = (tmp_path / "c" / "m.csv").read_text()
    assert line.endswith(";\n")
    written = np.array(line.strip(";\n").split(";"), dtype=np.float32)
    assert written.tolist() == row[0, [1, 2, 0]].tolist()
    convert(tmp_path / "c", tmp_path / "back")
    assert open_dump(tmp_path / "back").alphabet == Alphabet(["p", "q", ""], blank=2)
    convert(tmp_path / "c", tmp_path / "c", to="csv", overwrite=True)
    assert len(list((tmp_path / "c").iterdir())) == 3


@pytest.mark.parametrize(
    "name", ["aux", "com1.x", "..", "", "a" * 300, "é" * 200, "a:b*c?", "x. ", "-", "tab\t"]
)
def test_file_names_are_safe_everywhere(name: str) -> None:
    taken: set[str] = set()
    safe = [matrix_csv._safe_name(name, taken) for _ in range(3)]
    assert len({one.casefold() for one in safe}) == 3
    for one in safe:
        assert 0 < len(one.encode()) <= matrix_csv.LONGEST_NAME + 4
        assert not set(one) & set('<>:"/\\|?*\t ')
        assert one[0] != "."
        assert one[-1] not in ". "
        assert one.split(".")[0].lower() not in {"con", "aux", "nul", "prn", "com1"}


def test_dump_to_dump_changes_the_store(tmp_path: Path, dump: Path, small: MatrixBatch) -> None:
    convert(dump, tmp_path / "half", store="float16")
    half = open_dump(tmp_path / "half")
    assert (half.store, half.ids, half.references) == ("float16", IDS, REFERENCES)
    assert half.source == {"made": "here", "converted_from": str(dump)}
    assert_same(tmp_path / "half", small, atol=4e-3)
    convert(tmp_path / "half", tmp_path / "again")
    assert open_dump(tmp_path / "again").store == "float16"


@pytest.mark.parametrize("kind", ["log-probs", "probs", "logits"])
@pytest.mark.parametrize("layout", ["NTC", "TNC"])
def test_npy(tmp_path: Path, chars: Path, logits: Array, kind: Any, layout: Any) -> None:
    values = {"logits": logits, "probs": probs_of(logits), "log-probs": np.log(probs_of(logits))}
    array = values[kind] if layout == "NTC" else values[kind].transpose(1, 0, 2)
    np.save(tmp_path / "x.npy", array)
    convert(tmp_path / "x.npy", tmp_path / "d", alphabet=chars, blank=3, kind=kind, layout=layout)
    assert open_dump(tmp_path / "d").ids == ["0", "1", "2"]
    assert_same(tmp_path / "d", np.log(probs_of(logits)))


def test_npy_of_one_line_is_called_as_the_file(tmp_path: Path, chars: Path, logits: Array) -> None:
    np.save(tmp_path / "line7.npy", logits[0])
    convert(tmp_path / "line7.npy", tmp_path / "d", alphabet=chars, blank=3, kind="logits")
    assert open_dump(tmp_path / "d").ids == ["line7"]


def test_large_arrays_go_through_in_parts(
    tmp_path: Path, chars: Path, logits: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ctckit.dumps.declared.BATCH_BYTES", 5 * 4 * 4)
    np.savez(tmp_path / "x.npz", logits=logits, lengths=[5, 0, 2])
    convert(tmp_path / "x.npz", tmp_path / "d", alphabet=chars, blank=3)
    assert open_dump(tmp_path / "d").ids == ["0", "1", "2"]
    assert [len(m) for m in matrices(tmp_path / "d")] == [5, 0, 2]
    np.savez_compressed(tmp_path / "y.npz", p=logits[0], q=logits[1, :3], r=logits[2])
    convert(tmp_path / "y.npz", tmp_path / "e", alphabet=chars, blank=3, kind="logits")
    assert open_dump(tmp_path / "e").ids == ["p", "q", "r"]
    assert_same(
        tmp_path / "e", [np.log(probs_of(m)) for m in (logits[0], logits[1, :3], logits[2])]
    )


def test_npz_arrays_that_say_what_they_are(tmp_path: Path, chars: Path, logits: Array) -> None:
    np.savez(
        tmp_path / "x.npz",
        probs=probs_of(logits),
        ids=["p", "q", "r"],
        references=["", "NA", "x"],
        blank=3,
    )
    convert(tmp_path / "x.npz", tmp_path / "d", alphabet=chars)
    dump = open_dump(tmp_path / "d")
    assert (dump.ids, dump.references) == (["p", "q", "r"], ["", "NA", "x"])
    np.savez(tmp_path / "y.npz", logits=logits, probs=probs_of(logits), ids=[7, 8, 9])
    convert(tmp_path / "y.npz", tmp_path / "e", alphabet=chars, blank=3, kind="logits")
    assert open_dump(tmp_path / "e").ids == ["7", "8", "9"]
    np.savez(tmp_path / "z.npz", logits)
    convert(tmp_path / "z.npz", tmp_path / "f", alphabet=chars, blank=3, kind="logits")
    for name in "def":
        assert_same(tmp_path / name, np.log(probs_of(logits)))


@pytest.mark.parametrize(
    ("file", "content", "blank", "tokens"),
    [
        ("a.txt", b"ab \r\n", 0, ("", "a", "b", " ")),
        ("a.txt", b"ab ", 1, ("a", "", "b", " ")),
        ("a.txt", "\ufeffñé\u3000".encode(), 3, ("ñ", "é", "\u3000", "")),
        ("a.txt", b"ab#c", 2, ("a", "b", "", "c")),
        ("a.json", b'["sch", "a", "\\n"]', 3, ("sch", "a", "\n", "")),
        ("a.JSON", b'["<b>", "a", "b", "c"]', 0, ("<b>", "a", "b", "c")),
    ],
)
def test_alphabet_files(
    tmp_path: Path, logits: Array, file: str, content: bytes, blank: int, tokens: tuple[str, ...]
) -> None:
    (tmp_path / file).write_bytes(content)
    np.save(tmp_path / "x.npy", logits)
    convert(
        tmp_path / "x.npy", tmp_path / "d", alphabet=tmp_path / file, blank=blank, kind="logits"
    )
    assert open_dump(tmp_path / "d").alphabet == Alphabet(tokens, blank)


@pytest.mark.parametrize(
    "text", ["1;2;3;4;\n5;6;7;8;\n", "1;2;3;4\r\n5;6;7;8", "1;2;3;4\n5;6;7;8\n\n"]
)
def test_csv_with_and_without_the_last_separator(tmp_path: Path, chars: Path, text: str) -> None:
    (tmp_path / "m.csv").write_bytes(text.encode())
    convert(tmp_path / "m.csv", tmp_path / "d", alphabet=chars)
    dump = open_dump(tmp_path / "d")
    assert (dump.ids, dump.alphabet.blank) == (["m"], 3)
    assert_same(tmp_path / "d", [np.log(probs_of(np.array([[1.0, 2, 3, 4], [5, 6, 7, 8]])))])


def test_csv_folder_without_any_frame(tmp_path: Path, chars: Path) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "m.csv").write_text("")
    convert(tmp_path / "c", tmp_path / "d", alphabet=chars)
    assert [m.shape for m in matrices(tmp_path / "d")] == [(0, 4)]


def test_references_take_the_place_of_those_in_the_source(tmp_path: Path, dump: Path) -> None:
    (tmp_path / "r.csv").write_text("id,text\nX,new\na_b,\n")
    done = convert(dump, tmp_path / "d", references=tmp_path / "r.csv")
    assert open_dump(tmp_path / "d").references == ["NA", "", "", "null", "new", "=1"]
    assert done.with_reference == 6


def test_a_damaged_dump_converts_what_is_left(tmp_path: Path, dump: Path) -> None:
    with (dump / "shard-00000.arrow").open("r+b") as file:
        file.truncate((dump / "shard-00000.arrow").stat().st_size - 20)
    done = convert(dump, tmp_path / "d")
    assert (done.count, len(done.damaged)) == (6, 1)
    result = CliRunner().invoke(command, [str(dump), str(tmp_path / "e")])
    assert result.exit_code == 1
    assert "6 matrices written" in result.stderr
    assert "shard-00000.arrow is damaged: its end is cut off" in result.stderr


# Wrong input


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        ({"x": "L"}, {}, "kind must be given for '.*x.npz', got none; add --kind"),
        ({"logits": "L"}, {"alphabet": None}, "alphabet must be given for .* got none; add --alph"),
        ({"logits": "L"}, {"blank": None}, r"blank must be given for .* got none; add --blank"),
        ({"logits": "L"}, {"blank": 4}, "blank must be 0 to 3, got 4"),
        ({"logits": "L"}, {"kind": "probs"}, "kind must be 'logits' as '.*' says, got 'probs'"),
        ({"logits": "L"}, {"kind": "scores"}, "kind must be 'log-probs', 'probs' or 'logits', got"),
        ({"logits": "L"}, {"layout": "CTN"}, "layout must be 'NTC' or 'TNC', got 'CTN'"),
        ({"probs": "L"}, {}, r"probs must be 0 to 1, got .* in '.*x.npz'; use --kind logits if"),
        ({"logits": "L", "probs": "L"}, {}, r"one 3-D array .* got logits \(3, 5, 4\), probs"),
        ({"lengths": [1]}, {}, "one 3-D array of matrices, or 2-D arrays .* got none in"),
        ({"a": "L", "b": "L"}, {"kind": "logits"}, "npz file must hold one 3-D array"),
        ({"logits": [[[1, 2, 3, 4]]]}, {}, "logits must be float16, float32 or float64, got int64"),
        ({"logits": [0.0]}, {}, r"logits must have shape .* got \(1,\) in"),
        ({"logits": "L", "lengths": [5, 6, 1]}, {}, "lengths must be 0 to 5, got 6 for matrix 1"),
        ({"logits": "L", "lengths": [5]}, {}, r"lengths must be 3 integers, .* shape \(1,\)"),
        ({"logits": "L", "ids": ["a"]}, {}, "ids must be 3 strings, one a matrix, got <U1"),
        (
            {"logits": "L", "ids": ["a", "b", "a"]},
            {},
            "ids must be unique, got 'a' twice in .*x.npz",
        ),
        ({"logits": "L", "references": ["a"]}, {}, "references must be 3 strings, one a matrix"),
        (
            {"logits": "L", "references": ["a"] * 3, "has_reference": [True]},
            {},
            r"has_reference must be 3 truth values, got shape \(1,\)",
        ),
        (
            {"logits": "L", "alphabet": [1], "blank": 0},
            {},
            "alphabet and blank must be an array of",
        ),
        ({"logits": "L", "alphabet": ["a", "a", "b", ""], "blank": 3}, {}, "tokens must be unique"),
        (
            {"logits": "L", "alphabet": ["x", "y", "z", ""], "blank": 3},
            {},
            "alphabet must be that of .* got another; leave out --alphabet",
        ),
        (
            {"x": np.array([None, 1])},
            {},
            "array 'x' must be plain numbers .* got pickled Python ob",
        ),
    ],
)
def test_wrong_npz(
    tmp_path: Path,
    chars: Path,
    logits: Array,
    arrays: dict[str, Any],
    options: dict[str, Any],
    message: str,
) -> None:
    given = {k: logits if isinstance(v, str) and v == "L" else v for k, v in arrays.items()}
    np.savez(tmp_path / "x.npz", **given)
    before = sorted(tmp_path.iterdir())
    with pytest.raises(CtckitError, match=message) as caught:
        convert(tmp_path / "x.npz", tmp_path / "d", **({"alphabet": chars, "blank": 3} | options))
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == before


def test_npz_cut_at_any_byte(tmp_path: Path, chars: Path, logits: Array) -> None:
    np.savez(tmp_path / "x.npz", logits=logits)
    whole = (tmp_path / "x.npz").read_bytes()
    for size in range(0, len(whole), 23):
        (tmp_path / "x.npz").write_bytes(whole[:size])
        with pytest.raises(CtckitError, match=r".npz file must be complete, got damaged '.*x.npz'"):
            convert(tmp_path / "x.npz", tmp_path / "d", alphabet=chars, blank=3)
    broken = whole.replace(logits[0].tobytes(), b"\0" * logits[0].nbytes)
    (tmp_path / "x.npz").write_bytes(broken)
    with pytest.raises(CtckitError, match=r"got damaged '.*x.npz' \(Bad CRC-32"):
        convert(tmp_path / "x.npz", tmp_path / "d", alphabet=chars, blank=3)


def test_npz_with_other_members(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.npz", "w") as archive:
        archive.writestr("readme.txt", "hello, this is not an array")
    with pytest.raises(CtckitError, match=r".npz file must be complete, got damaged"):
        convert(tmp_path / "x.npz", tmp_path / "d")


def test_wrong_npy(tmp_path: Path, chars: Path, logits: Array) -> None:
    path, options = tmp_path / "x.npy", {"alphabet": chars, "blank": 3}
    np.save(path, logits)
    whole = path.read_bytes()
    for size in (0, 5, 50, 200, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CtckitError, match=r".npy file must be complete, got damaged '.*x.npy'"):
            convert(path, tmp_path / "d", kind="logits", **options)  # type: ignore[arg-type]
    np.save(path, np.array([{}, []], dtype=object))
    with pytest.raises(CtckitError, match=r"array 'x' must be plain numbers .* got pickled"):
        convert(path, tmp_path / "d", kind="logits", **options)  # type: ignore[arg-type]
    np.save(path, logits[0, 0])
    with pytest.raises(CtckitError, match=r"array must have shape .* got \(4,\) in"):
        convert(path, tmp_path / "d", kind="logits", **options)  # type: ignore[arg-type]
    logits[1, 2, 3] = np.nan
    np.save(path, logits)
    with pytest.raises(CtckitError, match=r"not hold NaN, .* matrix '1', frame 2, class 3.*x.npy"):
        convert(path, tmp_path / "d", kind="logits", **options)  # type: ignore[arg-type]
    assert not (tmp_path / "d").exists()


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        (
            "a.txt",
            b"ab",
            r"alphabet must have 4 tokens, or 3 without the blank, .* got 2 in '.*a.t",
        ),
        ("a.txt", b"a\xffb", r"alphabet must be UTF-8 text, got byte 0xff in '.*a.txt', line 1"),
        ("a.txt", b"a\nb\nc\n", "alphabet must be characters on one line, got 3 lines in"),
        ("a.txt", b"aab", "tokens must be unique, got 'a' at index 0 and 1; .*a.txt"),
        ("a.json", b'["a", "b"', r"alphabet must be a JSON list of tokens, got '.*a.json' \("),
        ("a.json", b'{"a": 1}', "alphabet must be a JSON list of tokens, got other values in"),
        ("a.json", b'["a", 1, "c"]', "alphabet must be a JSON list of tokens, got other values in"),
        ("a.json", b'["a", "", "c"]', "tokens must not be empty, got '' at index 1"),
        (None, b"", r"alphabet must be an existing file, got '.*none.txt'"),
        ("folder", b"", r"alphabet must be a readable file, got '.*' \(Is a directory\)"),
    ],
)
def test_wrong_alphabet_files(
    tmp_path: Path, logits: Array, file: str | None, content: bytes, message: str
) -> None:
    np.save(tmp_path / "x.npy", logits)
    path = tmp_path / (file or "none.txt")
    if file == "folder":
        path.mkdir()
    elif file:
        path.write_bytes(content)
    with pytest.raises(CtckitError, match=message):
        convert(tmp_path / "x.npy", tmp_path / "d", alphabet=path, blank=3, kind="logits")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"1;2;3;4;\n1;2;3;\n", r"matrix must have 4 values a line, got 3 in '.*m.csv', line 2"),
        (b"1;2;3;4;\n\n1;2;3;4\n", r"matrix must have 4 values a line, got 1 in '.*m.csv', line 2"),
        (b"1;2;3;4;\n1;2;x;4;\n", r"matrix must hold numbers, got 'x' in '.*m.csv', line 2"),
        (b"1;2;3,5;4\n", "matrix must hold numbers, got '3,5' in '.*', line 1"),
        (b"1;2;;4\n", "matrix must hold numbers, got '' in '.*', line 1"),
        (b"1;2;nan;4\n", r"not hold NaN, got nan at matrix 'm', frame 0, class 2 in '.*c'; "),
        (b"1;2;\xff;4\n", r"matrix must be UTF-8 text, got byte 0xff in '.*m.csv', line 1"),
        (b"1;2;3;4;5;6\n", "alphabet must have 6 tokens, or 5 without the blank, .* got 3 in"),
    ],
)
def test_wrong_csv(tmp_path: Path, chars: Path, content: bytes, message: str) -> None:
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "m.csv").write_bytes(content)
    with pytest.raises(CtckitError, match=message):
        convert(tmp_path / "c", tmp_path / "d", alphabet=chars)
    assert not (tmp_path / "d").exists()


def test_csv_names_that_differ_in_the_ending_only(tmp_path: Path, chars: Path) -> None:
    (tmp_path / "c").mkdir()
    for name in ("m.csv", "m.CSV"):
        (tmp_path / "c" / name).write_text("1;2;3;4\n")
    if len(list((tmp_path / "c").iterdir())) < 2:
        pytest.skip("this file system does not tell capitals apart")
    with pytest.raises(CtckitError, match=r"ids must be unique, got 'm' twice in '.*c'"):
        convert(tmp_path / "c", tmp_path / "d", alphabet=chars)


def test_wrong_paths_and_options(tmp_path: Path, dump: Path, chars: Path) -> None:
    (tmp_path / "x.h5").write_text("x")
    (tmp_path / "empty").mkdir()
    (tmp_path / "lost").mkdir()
    (tmp_path / "lost" / "shard-00000.arrow").write_text("x")
    (tmp_path / "there.npz").write_text("old")
    (tmp_path / "m.csv").write_text("1;2;3;4")
    (tmp_path / "r.csv").write_text("id,text\nnobody,x\n")
    cases: list[tuple[str, str, dict[str, Any], str]] = [
        ("none", "d", {}, "source must be an existing file or folder, got '.*none'"),
        ("x.h5", "d", {}, r"source must be a .npy, .npz or .csv file, .* got '.*x.h5'"),
        ("empty", "d", {}, r"source must be a .npy, .npz or .csv file, .* got '.*empty'"),
        ("lost", "d", {}, r"dump must be a folder with a manifest.json, got '.*lost' without"),
        ("dump", "d.csv", {}, r"destination must end in .npz or be a folder, got '.*d.csv'; add"),
        ("dump", "d", {"to": "parquet"}, "to must be 'dump', 'npz' or 'csv', got 'parquet'"),
        ("dump", "d", {"blank": 0}, "blank must be left out for a dump, got '0'"),
        ("dump", "d", {"alphabet": chars}, "alphabet must be left out for a dump, got '.*chars"),
        ("dump", "d", {"kind": "logits"}, "kind must be left out for a dump, got 'logits'"),
        ("dump", "d.npz", {"store": "float16"}, "store must be left out for npz, got 'float16'"),
        ("m.csv", "d", {"layout": "TNC"}, "layout must be left out for CSV files, got 'TNC'"),
        ("dump", "there.npz", {}, r"destination must be new, got the existing file '.*there.npz'"),
        ("dump", "empty", {"to": "npz"}, "destination must be a file, got the folder '.*empty'"),
        ("dump", "dump", {}, "output folder must be new or empty, got '.*dump' with 2 files"),
        ("dump", "lost", {"to": "csv", "overwrite": True}, "must hold nothing else, got 'shard-00"),
        ("dump", "x.h5/d.npz", {}, r"output path must be writable, got '.*d.npz' \("),
        ("dump", "x.h5/d", {}, "destination must be a folder, got '.*d'"),
        ("dump", "x.h5", {"to": "csv"}, "destination must be a folder, got '.*x.h5'"),
        ("dump", "d", {"references": tmp_path / "r.csv"}, "must name matrices of .* none of its 6"),
        ("dump", "d", {"store": "int8"}, "store must be 'float16' or 'float32', got 'int8'"),
    ]
    before = sorted(tmp_path.iterdir())
    for source, destination, options, message in cases:
        with pytest.raises(CtckitError, match=message):
            convert(tmp_path / source, tmp_path / destination, **options)
        assert sorted(tmp_path.iterdir()) == before
    assert (tmp_path / "there.npz").read_text() == "old"
    convert(dump, tmp_path / "there.npz", overwrite=True)
    with np.load(tmp_path / "there.npz") as arrays:
        assert arrays["ids"].tolist() == IDS


def test_a_full_disk(tmp_path: Path, dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import errno
    import os

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    before = sorted(tmp_path.iterdir())
    monkeypatch.setattr(os, "fsync", full)
    for name, to in [("x.npz", "npz"), ("c", "csv"), ("d", "dump")]:
        with pytest.raises(
            CtckitError, match=f"disk must have room for '[^']*/{name}', got 'No space"
        ):
            convert(dump, tmp_path / name, to=to)
        assert sorted(tmp_path.iterdir()) == before


def test_ids_that_npz_cannot_hold(tmp_path: Path, small: MatrixBatch) -> None:
    write_dump(tmp_path / "d", small, ids=["x\0", *"abcde"])
    with pytest.raises(CtckitError, match=r"ids must not end in NUL in a .npz file, got 'x.x00'"):
        convert(tmp_path / "d", tmp_path / "x.npz")


# References


def test_references_stay_as_they_are(tmp_path: Path) -> None:
    texts = ["NA", "null", "", "1.0", "=1", " x ", 'say "hi", now', "two\nlines", "a\u2028b", "é"]
    rows = "".join(
        f'{i},"{text.replace(chr(34), 2 * chr(34))}"\r\n' for i, text in enumerate(texts)
    )
    (tmp_path / "r.csv").write_bytes(b"\xef\xbb\xbffile,text\r\n" + rows.encode() + b"\r\n")
    expected = {str(i): text for i, text in enumerate(texts)}
    assert read_references(tmp_path / "r.csv") == expected
    (tmp_path / "plain.CSV").write_text("text,other,id\nNA,1,x\na\u2028b,2,y\n", encoding="utf-8")
    assert read_references(str(tmp_path / "plain.CSV")) == {"x": "NA", "y": "a\u2028b"}
    lines = [json.dumps({"id": str(i), "text": text}) for i, text in enumerate(texts)]
    lines += ["", '{"file": "f", "reference": "g"}', '{"id": "unknown", "text": null}']
    (tmp_path / "r.jsonl").write_text("\n".join(lines))
    assert read_references(tmp_path / "r.jsonl") == expected | {"f": "g"}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("r.txt", b"", r"references must be a .csv or .jsonl file, got '.*r.txt'"),
        ("r.csv", b"", r"must have a column 'id' or 'file', got \[\] in '.*r.csv', line 1"),
        ("r.csv", b"id,words\n", r"must have a column 'text' or 'reference', got \['id', 'words'"),
        (
            "r.csv",
            b"file;text\na;b\n",
            r"must have columns separated by commas, got 'file;text' with ';' between them in "
            r"'.*r.csv', line 1; save it as CSV with commas",
        ),
        ("r.csv", b"ID\tTEXT\n", r"by commas, got 'ID\\tTEXT' with '\\t' between them"),
        ("r.csv", b"id,text\na,b,c\n", r"must have 2 cells a row, .* got 3 in '.*r.csv', line 2"),
        ("r.csv", b"id,text\na,b\na,c\n", r"ids must be unique .* 'a' again in '.*r.csv', line 3"),
        ("r.csv", b'id,text\na,"b\n', r"references must be sound CSV, got '.*r.csv', line 2 \("),
        ("r.csv", b"id,text\na,\xff\n", r"references must be UTF-8 text, got byte 0xff .* line 2"),
        ("r.jsonl", b'{"id": "a"', r"one JSON object a line, got '.*r.jsonl', line 1 \("),
        (
            "r.jsonl",
            b"\n[1]\n",
            r"must be one JSON object a line, got \[1\] in '.*r.jsonl', line 2",
        ),
        ("r.jsonl", b'{"id": 1, "text": "x"}', "must have strings 'id' and 'text', got {'id': 1,"),
        ("r.jsonl", b'{"id": "1"}', "must have strings 'id' and 'text', got {'id': '1'} in"),
    ],
)
def test_wrong_references(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CtckitError, match=message):
        read_references(tmp_path / name)


def test_missing_references(tmp_path: Path) -> None:
    with pytest.raises(CtckitError, match=r"references must be an existing file, got '.*none.csv'"):
        read_references(tmp_path / "none.csv")


# The command


def test_command(tmp_path: Path, chars: Path, logits: Array) -> None:
    np.save(tmp_path / "x.npy", logits.transpose(1, 0, 2))
    (tmp_path / "r.csv").write_text("id,text\n1,ab\n")
    options = ["--alphabet", str(chars), "--blank", "3", "--kind", "logits", "--layout", "TNC"]
    options += ["--references", str(tmp_path / "r.csv"), "--store", "float16"]
    paths = [str(tmp_path / "x.npy"), str(tmp_path / "d")]
    result = CliRunner().invoke(command, paths + options, catch_exceptions=False)
    assert (result.exit_code, result.stdout) == (0, "")
    assert "3 matrices written to" in result.stderr
    assert "1 with a reference" in result.stderr
    dump = open_dump(tmp_path / "d")
    assert (dump.store, dump.references) == ("float16", [None, "ab", None])
    assert_same(tmp_path / "d", np.log(probs_of(logits)), atol=4e-3)
    result = CliRunner().invoke(command, paths + options)
    assert isinstance(result.exception, CtckitError)
    result = CliRunner().invoke(command, [*paths, *options, "--overwrite"])
    assert result.exit_code == 0
    result = CliRunner().invoke(command, [paths[1], str(tmp_path / "c"), "--to", "csv"])
    assert result.exit_code == 0
    assert len(list((tmp_path / "c").glob("*.csv"))) == 3
    assert CliRunner().invoke(command, [*paths, "--kind", "guess"]).exit_code == 2
