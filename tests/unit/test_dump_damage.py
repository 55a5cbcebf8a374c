"""Damaged dumps: nothing is replaced by what is left of one, and no changed byte goes unnoticed."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from ctckit import (
    Alphabet,
    CtckitError,
    DumpError,
    InvalidValueError,
    MatrixBatch,
    open_dump,
    write_dump,
)
from ctckit.cli.convert import convert as command
from ctckit.dumps import DumpWriter, shards, writer
from ctckit.dumps.convert import convert

ALPHABET = Alphabet(["a", "b", "c", ""], blank=3)
NAMES = [f"line-{i}" for i in range(6)]


def make_batch(ids: list[str] = NAMES) -> MatrixBatch:
    logits = np.random.default_rng(1).normal(size=(len(ids), 3, 4)).astype(np.float32)
    return MatrixBatch.from_logits(logits, ALPHABET, ids=ids)


@pytest.fixture
def dump(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a dump of six matrices: one shard of three record batches of two."""
    monkeypatch.setattr(writer, "BATCH_BYTES", 6 * 4 * 4)
    write_dump(tmp_path / "dump", make_batch(), references=list("abcdef"))
    return tmp_path / "dump"


def swap(dump: Path, old: bytes, new: bytes) -> None:
    shard = dump / "shard-00000.arrow"
    content = shard.read_bytes()
    assert content.count(old) == 1
    shard.write_bytes(content.replace(old, new))


def swap_values(dump: Path, i: int) -> None:
    """Change values such that every frame still sums to 1: turn two frames of a matrix round."""
    matrix = make_batch()[i]
    swap(dump, matrix.tobytes(), np.ascontiguousarray(matrix[::-1]).tobytes())


def contents(folder: Path) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in folder.iterdir()}


def run(*arguments: object) -> Result:
    """Call the command as the group does: CtckitErrors come out of it."""
    return CliRunner().invoke(command, [str(one) for one in arguments])


# Checksums


def test_changed_values_cost_their_record_batch(dump: Path) -> None:
    swap_values(dump, 2)
    opened = open_dump(dump)
    assert opened.damaged == []
    for _ in range(2):
        parts = list(opened.batches(max_frames=3))
        assert [i for part in parts for i in part.batch.ids] == NAMES[:2] + NAMES[4:]
        [message] = opened.damaged
        assert message == (
            "shard-00000.arrow is damaged: invalid matrices, 2 left out, the first: the checksum "
            "of record batch 1 does not fit, its values have changed"
        )
    with pytest.raises(DumpError, match=r"damaged ones for 'line-3' in .* checksum of record bat"):
        open_dump(dump)[3]
    np.testing.assert_array_equal(open_dump(dump)[4][0], make_batch()[4])


def test_changed_ids_cost_their_record_batch(dump: Path) -> None:
    swap(dump, b"line-2line-3", b"line-2line-9")
    opened = open_dump(dump)
    assert opened.ids == NAMES[:2] + NAMES[4:]
    [message] = opened.damaged
    assert (
        "a record batch has ids, references or lengths other than were written, 4 of 6" in message
    )


def test_no_changed_byte_of_a_record_batch_goes_unnoticed(dump: Path) -> None:
    shard = dump / "shard-00000.arrow"
    whole = shard.read_bytes()
    first, batch = whole.index(make_batch()[2].tobytes()), make_batch()
    for place in range(first, first + 2 * batch[2].nbytes):
        shard.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        opened = open_dump(dump)
        kept = [i for part in opened.batches() for i in part.batch.ids]
        assert (kept, len(opened.damaged)) == (NAMES[:2] + NAMES[4:], 1)


def test_checksums_are_zlibs_and_checked_once(dump: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import pyarrow.ipc

    reader = pyarrow.ipc.open_file(str(dump / "shard-00000.arrow"))
    told = reader.get_batch_with_custom_metadata(1).custom_metadata
    values = zlib.crc32(make_batch()[2:4].log_probs.tobytes())
    assert told[b"ctckit_crc32_values"] == str(values).encode()
    calls: list[int] = []
    real = shards.values_fit

    def counted(*arguments: Any) -> bool:
        calls.append(1)
        return real(*arguments)

    monkeypatch.setattr(shards, "values_fit", counted)
    opened = open_dump(dump)
    assert calls == []
    for i in (0, 1, 0, 5):
        assert opened[i].ids == [NAMES[i]]
    assert len(calls) == 2
    assert len(list(opened.batches())) == 3
    assert len(calls) == 3


def test_dumps_without_checksums_stay_readable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "checksums_of", lambda record: {})
    write_dump(tmp_path / "old", make_batch())
    swap_values(tmp_path / "old", 2)
    opened = open_dump(tmp_path / "old")
    assert sum(len(part) for part in opened.batches()) == 6
    assert opened.damaged == []


def test_a_salvaged_shard_keeps_its_checksums(dump: Path) -> None:
    swap_values(dump, 2)
    (dump / "shard-00000.arrow").rename(dump / "shard-00000.arrow.partial")
    manifest = json.loads((dump / "manifest.json").read_text("utf-8"))
    (dump / "manifest.json").write_text(json.dumps(manifest | {"shards": {}}))
    opened = open_dump(dump)
    assert [i for part in opened.batches() for i in part.batch.ids] == NAMES[:2] + NAMES[4:]
    with DumpWriter(dump, ALPHABET, resume=True):
        pass
    opened = open_dump(dump)
    assert opened.damaged == []
    assert [i for part in opened.batches() for i in part.batch.ids] == NAMES[:2] + NAMES[4:]
    assert "checksum of record batch 1" in opened.damaged[0]


def test_changed_digests_are_seen_and_cost_no_matrix(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "BATCH_BYTES", 6 * 4 * 4)
    with DumpWriter(tmp_path / "dump", ALPHABET) as out:
        out.append(make_batch(), digests=[f"digest-{i}" for i in range(6)])
    shard = tmp_path / "dump" / "shard-00000.arrow"
    whole = shard.read_bytes()
    swaps = {
        b'"digest-2"': b'"digest-9"',
        b'["digest-2","digest-3"]': b'["digest-2","digest-3"}',
    }
    for old, new in swaps.items():
        swap(tmp_path / "dump", old, new)
        opened = open_dump(tmp_path / "dump")
        assert opened.digests == ["digest-0", "digest-1", None, None, "digest-4", "digest-5"]
        assert [i for part in opened.batches() for i in part.batch.ids] == NAMES
        assert opened.damaged == [
            "shard-00000.arrow is damaged: a record batch has digests other than were written, "
            "6 of 6 matrices can be read"
        ]
        shard.write_bytes(whole)
    # The name of a key: the digests seem not to be there, or to have no checksum.
    for key in (b"ctckit_digests", b"ctckit_crc32_digests"):
        shard.write_bytes(whole.replace(key, b"x" + key[1:], 1))
        opened = open_dump(tmp_path / "dump")
        assert (opened.digests.count(None), len(opened.damaged)) == (2, 1)
    shard.write_bytes(whole)
    assert open_dump(tmp_path / "dump").damaged == []


@pytest.mark.parametrize(
    ("digests", "message"),
    [
        ('["a"]', "more or fewer digests than"),
        ('["a",1]', "are no strings"),
        ("{}", "more or fewer"),
    ],
)
def test_digests_that_another_writer_got_wrong(digests: str, message: str) -> None:
    from ctckit.dumps.checksums import DIGESTS_CRC_KEY, DIGESTS_KEY, unpack_digests

    text = digests.encode()
    told = {DIGESTS_KEY: text, DIGESTS_CRC_KEY: str(zlib.crc32(text)).encode()}
    with pytest.raises(ValueError, match=message):
        unpack_digests(told, 2)


# Converting


@pytest.mark.parametrize("damage", ["manifest", "values"])
@pytest.mark.parametrize("to", ["dump", "npz", "csv", "itself"])
def test_nothing_is_replaced_by_what_is_left(
    tmp_path: Path, dump: Path, damage: str, to: str
) -> None:
    write_dump(tmp_path / "good", make_batch(["x"]))
    place = dump if to == "itself" else tmp_path / "there"
    if to != "itself":
        convert(tmp_path / "good", place, to=to)
    if damage == "manifest":
        text = (dump / "manifest.json").read_text("utf-8")
        (dump / "manifest.json").write_text(text.replace("float32", "float16"))
    else:
        swap_values(dump, 5)
    before = contents(place) if place.is_dir() else place.read_bytes()
    to = "dump" if to == "itself" else to
    result = run(dump, place, "--to", to, "--overwrite")
    assert isinstance(result.exception, DumpError)
    message = str(result.exception)
    assert message.startswith(f"source must be undamaged to replace '{place}', got '{dump}' (shard")
    assert message.endswith("; convert to a new place, which gets what can be read")
    assert (contents(place) if place.is_dir() else place.read_bytes()) == before
    assert not [one for one in tmp_path.iterdir() if "partial" in one.name]
    result = run(dump, tmp_path / "new", "--to", to, "--overwrite")
    assert result.exit_code == 1
    assert f"{0 if damage == 'manifest' else 4} matrices written" in result.stderr
    assert "error: shard-00000.arrow is damaged" in result.stderr


def test_a_sound_dump_replaces_itself(dump: Path) -> None:
    assert run(dump, dump, "--store", "float16", "--overwrite").exit_code == 0
    assert (open_dump(dump).store, open_dump(dump).ids) == ("float16", NAMES)


@pytest.mark.parametrize("inner", ["sub", "sub/deeper", "m.npz", "../dump/sub"])
def test_nothing_is_put_into_the_source(dump: Path, inner: str) -> None:
    result = run(dump, dump / inner)
    assert result.exit_code == 2
    assert "destination must be apart from the source, got '" in result.stderr
    assert len(contents(dump)) == 2
    with pytest.raises(CtckitError, match=r"apart from the source, .*; choose a place that is nei"):
        convert(dump, dump.parent)


def test_wrong_usage_ends_with_2(tmp_path: Path, dump: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    np.save(tmp_path / "x.npy", np.zeros((1, 2, 4), dtype=np.float32))
    (tmp_path / "m.csv").write_text("1;2;3;4\n")
    alphabet, blank, kind = ["--alphabet", tmp_path / "a.txt"], ["--blank", 3], ["--kind", "logits"]
    cases: list[tuple[str, str, list[Any], str]] = [
        ("x.npy", "y", [*alphabet, *blank], "kind must be given for"),
        ("x.npy", "y", [*alphabet, *kind], "blank must be given for"),
        ("x.npy", "y", [*blank, *kind], "alphabet must be given for"),
        ("m.csv", "y", [], "alphabet must be given for"),
        ("m.csv", "y", [*alphabet, "--layout", "TNC"], "layout must be left out for CSV files"),
        ("dump", "y", alphabet, "alphabet must be left out for a dump"),
        (
            "dump",
            "y.npz",
            ["--store", "float16"],
            "store must be left out for npz, got 'float16'; ",
        ),
        ("dump", "y.csv", [], "destination must end in .npz or be a folder"),
    ]
    for source, destination, options, message in cases:
        result = run(tmp_path / source, tmp_path / destination, *options)
        assert result.exit_code == 2, result.output
        assert message in result.stderr
    assert run(tmp_path / "x.npy", tmp_path / "y", *alphabet, *blank, *kind).exit_code == 0


def test_messages_name_options_and_what_to_do(tmp_path: Path, dump: Path) -> None:
    (tmp_path / "a.txt").write_text("abc")
    (tmp_path / "a.json").write_text("[" * 200_000)
    (tmp_path / "file").write_text("x")
    np.save(tmp_path / "x.npy", np.log(np.full((1, 2, 4), 0.25, dtype=np.float32)))
    told = ["--blank", 3, "--kind", "probs"]
    cases: list[tuple[list[Any], str]] = [
        (["x.npy", "y", "--alphabet", tmp_path / "a.txt", *told],
         r"in '.*x.npy'; use --kind log-probs if these are log-probs$"),
        (["x.npy", "y", "--alphabet", tmp_path / "none.txt", *told], "none.txt'; check the path"),
        (["x.npy", "y", "--alphabet", tmp_path / "a.json", *told], r"list .*\); correct it, or"),
        (["dump", "y", "--references", tmp_path / "n.csv"], "existing file, .*; check the path"),
        (["none", "y"], "source must be an existing file or folder, .*; check the path"),
        (["file", "y"], "source must be a .npy, .* got '.*file'; save the matrices as one of"),
        (["dump", "file"], "destination must be a folder, got '.*file' .*; choose another"),
        (["dump", "dump"], r"got '.*dump' with 2 files; .* overwrite it \(--overwrite\)"),
        (["dump", "file", "--to", "npz"], r"choose another, or overwrite it \(--overwrite\)"),
    ]  # fmt: skip
    for (source, destination, *options), message in cases:
        result = run(tmp_path / source, tmp_path / destination, *options)
        assert isinstance(result.exception, CtckitError)
        with pytest.raises(CtckitError, match=message):
            raise result.exception


def test_a_device_is_not_replaced(tmp_path: Path, dump: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DumpError, match=r"must be a plain file, got the device or pipe '.*pipe'"):
        convert(dump, tmp_path / "pipe", to="npz", overwrite=True)
    assert (tmp_path / "pipe").is_fifo()


def test_references_that_fit_no_matrix_are_said(tmp_path: Path, dump: Path) -> None:
    rows = "".join(f"{i},x\n" for i in ["line-1", *range(12)])
    (tmp_path / "r.csv").write_text("id,text\n" + rows)
    result = run(dump, tmp_path / "d", "--references", tmp_path / "r.csv")
    assert result.exit_code == 0
    assert "warning: 12 references have an id that no matrix has: '0', '1', " in result.stderr
    assert "'9', ..." in result.stderr
    assert "'10'" not in result.stderr
    assert open_dump(tmp_path / "d").references[1] == "x"


def test_a_csv_folder_keeps_ids_and_order(tmp_path: Path) -> None:
    ids = ["b", "a\tb", "a_b", "", "A"]
    write_dump(tmp_path / "d", make_batch(ids), references=["x", None, "", "NA", None])
    convert(tmp_path / "d", tmp_path / "c", to="csv")
    (tmp_path / "c" / "added.csv").write_text("0;0;0;0\n")
    convert(tmp_path / "c", tmp_path / "back")
    back = open_dump(tmp_path / "back")
    assert back.ids == [*ids, "added"]
    assert back.references == ["x", None, "", "NA", None, None]
    for i in range(5):
        np.testing.assert_allclose(back[i][0], make_batch(ids)[i], rtol=0, atol=2e-6)
    for line, message in [
        (
            '{"file": "b", "id": "x"}',
            r"files must be unique in references, got 'b' again .* line 6",
        ),
        ('{"file": 1}', r"must have strings 'file', 'id' and 'text', got .*; write null for"),
    ]:
        index = tmp_path / "c" / "references.jsonl"
        whole = index.read_text("utf-8")
        index.write_text(whole + line, "utf-8")
        with pytest.raises(InvalidValueError, match=message):
            convert(tmp_path / "c", tmp_path / "e")
        index.write_text(whole, "utf-8")
    index.write_text('{"id": "b", "text": "by hand"}\n', "utf-8")
    convert(tmp_path / "c", tmp_path / "f")
    assert open_dump(tmp_path / "f").references[0] == "by hand"


# Writing and opening


def test_write_dump_refuses_what_it_would_drop(tmp_path: Path) -> None:
    with pytest.raises(
        InvalidValueError, match="for ids of the batch, got one for 'line1'; it has"
    ):
        write_dump(tmp_path / "d", make_batch(["0", "1"]), references={"0": "b", "line1": "a"})
    wrong: Any = np.zeros((1, 2, 4))
    with pytest.raises(
        InvalidValueError, match=r"batch must be a ctckit.MatrixBatch, got ndarray; "
    ):
        write_dump(tmp_path / "d", wrong)
    assert list(tmp_path.iterdir()) == []
    with DumpWriter(tmp_path / "d", ALPHABET) as out:
        with pytest.raises(InvalidValueError, match=r"batch must be a .*, got list; make one with"):
            out.append([wrong])  # type: ignore[arg-type]
        out.append(make_batch())
    assert len(open_dump(tmp_path / "d")) == 6


def test_a_manifest_of_brackets(dump: Path) -> None:
    (dump / "manifest.json").write_text("[" * 200_000)
    with pytest.raises(DumpError, match="manifest must be complete JSON, got damaged text"):
        open_dump(dump)
