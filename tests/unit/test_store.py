"""Dumps: what is written comes back, and damage or a killed writer costs next to nothing."""

from __future__ import annotations

import errno
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import ctckit
from ctckit import Alphabet, DumpError, InvalidValueError, MatrixBatch, open_dump, write_dump
from ctckit.dumps import Dump, DumpWriter, shards, writer
from ctckit.errors import AlphabetMismatchError, NotFoundError

ALPHABET = Alphabet(["a", "b", "ﬁ", ""], blank=3)
STRANGE_IDS = ["", "a/b\\c", "日本語", "\U0001f600", "new\nline", "e\u0301", "NUL\0"]


def make_batch(lengths: list[int], ids: list[str] | None = None, seed: int = 0) -> MatrixBatch:
    rng = np.random.default_rng(seed)
    logits = [rng.normal(size=(n, len(ALPHABET))).astype(np.float32) for n in lengths]
    return MatrixBatch.from_logits(logits, ALPHABET, ids=ids)


def names(count: int, start: int = 0) -> list[str]:
    return [f"line-{i}" for i in range(start, start + count)]


def same_matrices(dump: Dump, batch: MatrixBatch) -> bool:
    return all(
        np.array_equal(dump[dump.index(i)][0], m) for i, m in zip(batch.ids, batch, strict=True)
    )


def append_one_by_one(out: DumpWriter, count: int) -> None:
    for name in names(count):
        out.append(make_batch([3], [name]))


@pytest.fixture
def small_records(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a record batch of every six frames (float32)."""
    monkeypatch.setattr(writer, "BATCH_BYTES", 6 * len(ALPHABET) * 4)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Write record batches without checksums, as before there were any."""
    monkeypatch.setattr(shards, "checksums_of", lambda record: {})


@pytest.fixture
def dump_path(tmp_path: Path, small_records: None) -> Path:
    """Return a dump of 20 matrices of 3 frames: four shards, at least two record batches each."""
    with DumpWriter(tmp_path / "dump", ALPHABET, shard_bytes=280) as out:
        out.append(make_batch([3] * 20, names(20)), references=dict.fromkeys(names(20), "ab"))
    assert len(list((tmp_path / "dump").glob("*.arrow"))) == 5
    return tmp_path / "dump"


# Round trips


@pytest.mark.parametrize("store", ["float32", "float16"])
def test_what_is_written_comes_back(tmp_path: Path, store: str) -> None:
    batch = make_batch([5, 0, 7, 1, 2, 3, 4], STRANGE_IDS)
    references = ["", "NA", None, "null", "1.0", "=1", " tail\n"]
    write_dump(tmp_path / "d", batch, references=references, store=store, source={"n": [1, None]})
    dump = open_dump(str(tmp_path / "d"))
    assert (dump.ids, dump.references) == (STRANGE_IDS, references)
    assert (dump.alphabet, dump.store, dump.source) == (ALPHABET, store, {"n": [1, None]})
    assert (dump.damaged, len(dump), dump.path) == ([], 7, tmp_path / "d")
    parts = list(dump.batches())
    assert [i for part in parts for i in part.batch.ids] == STRANGE_IDS
    assert [t for part in parts for t in part.references] == references
    read = MatrixBatch.concatenate([part.batch for part in parts])
    assert read.lengths.tolist() == [5, 0, 7, 1, 2, 3, 4]
    tolerance = 0 if store == "float32" else 4e-3
    np.testing.assert_allclose(read.log_probs, batch.log_probs, rtol=0, atol=tolerance)
    np.testing.assert_allclose(np.exp(read.log_probs).sum(1), 1, atol=1e-5)


def test_random_access(dump_path: Path) -> None:
    dump, batch = open_dump(dump_path), make_batch([3] * 20, names(20))
    for i in (0, 1, 7, 19, -1, -20):
        assert dump[i].ids == [names(20)[i]]
        np.testing.assert_array_equal(dump[i][0], batch[i])
    assert dump.index("line-13") == 13
    with pytest.raises(IndexError, match=r"matrix must be 0 to 19, got 20"):
        dump[20]
    with pytest.raises(NotFoundError, match=r"id must be in the dump, got 'line-20'; .* 20 others"):
        dump.index("line-20")


def test_streaming_keeps_the_order_and_max_frames(dump_path: Path) -> None:
    dump = open_dump(dump_path)
    for max_frames, largest in [(1, 3), (3, 3), (5, 3), (6, 6), (None, 6)]:
        parts = list(dump.batches(max_frames=max_frames))
        assert [i for part in parts for i in part.batch.ids] == names(20)
        assert max(part.batch.offsets[-1] for part in parts) == largest
        assert [len(part) for part in parts] == [len(part.references) for part in parts]
    with pytest.raises(InvalidValueError, match="max_frames must be at least 1, got 0"):
        dump.batches(max_frames=0)


def test_float32_is_not_copied(dump_path: Path) -> None:
    part = next(iter(open_dump(dump_path).batches()))
    blocks, _ = shards.read_shard(dump_path / "shard-00000.arrow", open_dump(dump_path)._manifest)
    assert not part.batch.log_probs.flags.writeable
    assert not part.batch.log_probs.flags.owndata
    base = part.batch.log_probs
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert not base.flags.owndata, "a copy would end in an array that owns its data"
    assert np.array_equal(blocks[0].rows, part.batch.log_probs)


def test_empty_dump_and_empty_matrices(tmp_path: Path) -> None:
    write_dump(tmp_path / "none", make_batch([]))
    assert list(open_dump(tmp_path / "none").batches()) == []
    write_dump(tmp_path / "zero", make_batch([0, 0]))
    [part] = open_dump(tmp_path / "zero").batches(max_frames=1)
    assert part.batch.lengths.tolist() == [0, 0]


def test_float16_keeps_impossible_and_tiny_apart(tmp_path: Path) -> None:
    row = np.array([[0.0, -np.inf, -1e30, -100.0]], dtype=np.float32)
    write_dump(tmp_path / "d", MatrixBatch.from_log_probs([row], ALPHABET), store="float16")
    assert open_dump(tmp_path / "d")[0][0].tolist() == [[0.0, -np.inf, -65504.0, -100.0]]


def test_ids_and_references_given_to_write_dump(tmp_path: Path) -> None:
    write_dump(tmp_path / "d", make_batch([1, 1]), ids=["x", "y"], references={"y": "b"})
    dump = open_dump(tmp_path / "d")
    assert (dump.ids, dump.references) == (["x", "y"], [None, "b"])


def test_digests_come_back(tmp_path: Path, small_records: None) -> None:
    digests = ["00ff", None, "", "é", *["x"] * 16]
    with DumpWriter(tmp_path / "d", ALPHABET, shard_bytes=280) as out:
        out.append(make_batch([3] * 4, names(4)), digests=digests[:4])
        out.append(make_batch([3], ["none"]))
        assert dict(out.known_digests) == {
            **dict(zip(names(4), digests, strict=False)),
            "none": None,
        }
        out.append(make_batch([3] * 16, names(16, 4)), digests=digests[4:])
    assert len(list((tmp_path / "d").glob("*.arrow"))) > 1
    dump = open_dump(tmp_path / "d")
    assert dump.digests == [*digests[:4], None, *digests[4:]]
    assert json.loads((tmp_path / "d" / "manifest.json").read_text())["version"] == 1
    with DumpWriter(tmp_path / "d", ALPHABET, resume=True) as out:
        assert list(out.known_digests.values()) == dump.digests
        assert list(out.known_digests) == list(out.known_ids) == dump.ids


def test_a_batch_of_no_digests_says_nothing(tmp_path: Path) -> None:
    import pyarrow.ipc

    write_dump(tmp_path / "d", make_batch([1]))
    reader = pyarrow.ipc.open_file(str(tmp_path / "d" / "shard-00000.arrow"))
    told = reader.get_batch_with_custom_metadata(0).custom_metadata
    assert sorted(told) == [b"ctckit_crc32_lines", b"ctckit_crc32_values"]
    assert open_dump(tmp_path / "d").digests == [None]


def test_wrong_digests_take_nothing_of_their_batch(tmp_path: Path) -> None:
    wrong: list[tuple[object, str]] = [
        (["a"], "digests must be 2, one a matrix, got 1"),
        ("ab", "digests must be 2, one a matrix, got 2"),
        (["a", 1], "digests must be strings, got 1"),
        (["a", "\ud800"], "digests must be valid Unicode"),
    ]
    with DumpWriter(tmp_path / "d", ALPHABET) as out:
        for digests, message in wrong:
            with pytest.raises(InvalidValueError, match=message):
                out.append(make_batch([1, 1]), digests=digests)  # type: ignore[arg-type]
        assert dict(out.known_digests) == {}


def test_a_dump_can_be_pickled(dump_path: Path) -> None:
    assert pickle.loads(pickle.dumps(open_dump(dump_path)))[4].ids == ["line-4"]


def test_shards_explain_themselves_and_are_plain_arrow(dump_path: Path) -> None:
    import pyarrow.ipc

    table = pyarrow.ipc.open_file(str(dump_path / "shard-00001.arrow")).read_all()
    assert table.column_names == ["id", "reference", "T", "log_probs"]
    told = json.loads(table.schema.metadata[b"ctckit"])
    assert (told["tokens"], told["blank"], told["version"]) == (["a", "b", "ﬁ", ""], 3, 1)
    assert (told["kind"], told["store"]) == ("log-probs", "float32")
    assert table["log_probs"][0].as_py() == make_batch([3] * 20)[4].ravel().tolist()


def test_import_is_light(tmp_path: Path) -> None:
    write_dump(tmp_path / "d", make_batch([1]))
    code = (
        "import sys, ctckit; print({'pyarrow', 'pandas'} & set(sys.modules));"
        "d = ctckit.open_dump(sys.argv[1]); b = d[0]; ctckit.write_dump(sys.argv[1] + '2', b);"
        "print('pyarrow' in sys.modules, 'pandas' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "d")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split("\n")[:2] == ["set()", "True False"]


# Damage


def test_a_shard_cut_at_any_byte_costs_only_itself(dump_path: Path) -> None:
    victim = dump_path / "shard-00001.arrow"
    whole, batch = victim.read_bytes(), make_batch([3] * 20, names(20))
    left = set()
    for size in range(0, len(whole), 13):
        victim.write_bytes(whole[:size])
        dump = open_dump(dump_path)
        assert len(dump.damaged) == 1
        assert f"{len(dump) - 16} of 4 matrices can be read" in dump.damaged[0]
        assert dump.ids == [f"line-{i}" for i in range(20) if not 4 + len(dump) - 16 <= i < 8]
        parts = [part.batch for part in dump.batches()]
        assert [i for part in parts for i in part.ids] == dump.ids
        assert same_matrices(dump, MatrixBatch.concatenate([batch[:4], batch[8:]]))
        left.add(len(dump) - 16)
    assert left == {0, 2, 4}


@pytest.mark.parametrize(
    ("content", "reason"), [(b"", "it is empty"), (b"garbage" * 400, "cut off or overwritten")]
)
def test_garbage_costs_only_itself(dump_path: Path, content: bytes, reason: str) -> None:
    (dump_path / "shard-00002.arrow").write_bytes(content)
    dump = open_dump(dump_path)
    assert dump.ids == names(8) + names(8, 12)
    [message] = dump.damaged
    assert message.startswith("shard-00002.arrow is damaged: ")
    assert reason in message
    assert "0 of 4 matrices can be read" in message


def test_garbage_in_the_middle(dump_path: Path) -> None:
    victim = dump_path / "shard-00002.arrow"
    whole = victim.read_bytes()
    for start in range(8, len(whole) - 64, 97):
        victim.write_bytes(whole[:start] + b"\xa5" * 64 + whole[start + 64 :])
        dump = open_dump(dump_path)
        kept = [i for part in dump.batches() for i in part.batch.ids]
        assert set(names(8) + names(8, 12)) <= set(kept)


def test_a_missing_shard_is_said(dump_path: Path) -> None:
    (dump_path / "shard-00004.arrow").unlink()
    dump = open_dump(dump_path)
    assert dump.ids == names(16)
    assert dump.damaged == [
        "shard-00004.arrow is damaged: the file is missing, 0 of 4 matrices can be read"
    ]


def test_invalid_values_cost_their_matrix(unchecked: None, dump_path: Path) -> None:
    victim = dump_path / "shard-00001.arrow"
    target = make_batch([3] * 20)[5].tobytes()
    content = victim.read_bytes()
    assert content.count(target) == 1
    victim.write_bytes(content.replace(target, np.full(12, np.nan, np.float32).tobytes()))
    dump = open_dump(dump_path)
    assert dump.damaged == []
    for _ in range(2):
        parts = list(dump.batches())
        assert [i for part in parts for i in part.batch.ids] == names(5) + names(14, 6)
        assert all(len(part.references) == len(part) for part in parts)
        [message] = dump.damaged
        assert message.startswith("shard-00001.arrow is damaged: invalid matrices, 1 left out, ")
        assert "NaN, got nan at matrix 'line-5', frame 0" in message
    with pytest.raises(DumpError, match=r"damaged ones for 'line-5' in shard-00001.arrow"):
        dump[5]
    np.testing.assert_array_equal(dump[6][0], make_batch([3] * 20)[6])


def test_a_foreign_shard_is_left_out(dump_path: Path, tmp_path: Path) -> None:
    other = Alphabet(["a", "b", "c", ""], blank=3)
    row = np.log(np.full((1, 4), 0.25, dtype=np.float32))
    for name, alphabet, store, reason in [
        ("x", other, "float32", "another alphabet"),
        ("y", ALPHABET, "float16", "not those of a float32 dump"),
    ]:
        batch = MatrixBatch.from_log_probs([row], alphabet, ids=["new"])
        write_dump(tmp_path / name, batch, store=store)
        (tmp_path / name / "shard-00000.arrow").replace(dump_path / "shard-00009.arrow")
        assert len(open_dump(dump_path)) == 20
        assert reason in open_dump(dump_path).damaged[0]


def test_a_copied_shard_does_not_double_ids(dump_path: Path) -> None:
    (dump_path / "shard-00007.arrow").write_bytes((dump_path / "shard-00003.arrow").read_bytes())
    dump = open_dump(dump_path)
    assert dump.ids == names(20)
    assert "shard-00007.arrow is damaged: it repeats the id 'line-12'," in dump.damaged[0]


def test_a_shard_that_changes_while_open(dump_path: Path) -> None:
    dump = open_dump(dump_path)
    (dump_path / "shard-00000.arrow").unlink()
    with pytest.raises(DumpError, match="shard must stay as it was when the dump was opened"):
        list(dump.batches())


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        ({"version": 2}, "dump version must be at most 1, got 2; upgrade ctckit"),
        ({"version": "1"}, "version in the manifest must be an integer"),
        ({"format": "other"}, "manifest must have the format 'ctckit-dump', got another"),
        ({"kind": "probs"}, "kind in the manifest must be 'log-probs', got 'probs'"),
        ({"store": "int8"}, "store in the manifest must be 'float16' or 'float32', got 'int8'"),
        ({"source": []}, "source in the manifest must be an object, got"),
        ({"tokens": "abc"}, "tokens in the manifest must be an array of strings, got 'abc'"),
        ({"blank": True}, "blank in the manifest must be an integer of at least 0, got True"),
        ({"blank": 9}, "blank must be 0 to 3, got 9"),
        ({"tokens": ["a", "a", "b", ""]}, "tokens must be unique, got 'a'"),
        ({"shards": {"../x": 1}}, "shards in the manifest must be an object"),
    ],
)
def test_wrong_manifests(dump_path: Path, edit: dict[str, object], message: str) -> None:
    values = json.loads((dump_path / "manifest.json").read_text("utf-8"))
    (dump_path / "manifest.json").write_text(json.dumps(values | edit))
    with pytest.raises(DumpError, match=message) as caught:
        open_dump(dump_path)
    assert "\n" not in str(caught.value)


def test_a_manifest_cut_at_any_byte(dump_path: Path) -> None:
    whole = (dump_path / "manifest.json").read_bytes()
    for size in range(0, len(whole) - 2, 5):
        (dump_path / "manifest.json").write_bytes(whole[:size])
        with pytest.raises(DumpError, match="manifest must be complete JSON, got damaged text"):
            open_dump(dump_path)


def test_paths_that_are_no_dump(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder").mkdir()
    for name, message in [
        ("nothing", "dump must be an existing folder, got '.*nothing'; check the path"),
        ("file", "dump must be a folder, got the file '.*file'; turn other formats"),
        ("folder", r"dump must be a folder with a manifest.json, got '.*folder' without one"),
    ]:
        with pytest.raises(DumpError, match=message):
            open_dump(tmp_path / name)


# Writing


def test_wrong_arguments_write_nothing(tmp_path: Path) -> None:
    batch = make_batch([1, 1])
    cases: list[tuple[dict[str, object], str]] = [
        ({"ids": ["x", "x"]}, "ids must be unique in a dump, got 'x' twice"),
        ({"ids": ["x"]}, "ids must be 2, one a matrix, got 1"),
        ({"ids": "xy"}, "ids must be 2, one a matrix"),
        ({"ids": ["x", 1]}, "ids must be strings, got 1"),
        ({"ids": ["x", "\ud800"]}, "ids must be valid Unicode, got '.ud800'"),
        ({"references": ["a"]}, "references must be 2, one a matrix, got 1"),
        ({"references": ["a", float("nan")]}, "references must be strings, got nan"),
        ({"references": ["a", "\udfff"]}, "references must be valid Unicode"),
        ({"store": "float64"}, "store must be 'float16' or 'float32', got 'float64'"),
        ({"source": {"x": object()}}, "source must be a dict of JSON values, got"),
        ({"source": {"x": float("nan")}}, "source must be a dict of JSON values, got"),
    ]
    for options, message in cases:
        with pytest.raises(InvalidValueError, match=message):
            write_dump(tmp_path / "d", batch, **options)  # type: ignore[arg-type]
        assert list(tmp_path.iterdir()) == []


def test_a_duplicate_id_takes_nothing_of_its_batch(tmp_path: Path) -> None:
    with DumpWriter(tmp_path / "d", ALPHABET) as out:
        out.append(make_batch([1, 1], ["a", "b"]))
        with pytest.raises(InvalidValueError, match="got 'b' twice"):
            out.append(make_batch([1, 1, 1], ["c", "b", "d"]))
        assert set(out.known_ids) == {"a", "b"}
        out.append(make_batch([1], ["c"]))
    assert open_dump(tmp_path / "d").ids == ["a", "b", "c"]
    with pytest.raises(DumpError, match=r"dump must be open, got '.*d' closed"):
        out.append(make_batch([1], ["e"]))


def test_another_alphabet(tmp_path: Path) -> None:
    with (
        DumpWriter(tmp_path / "d", Alphabet("ab-", blank=2)) as out,
        pytest.raises(AlphabetMismatchError, match="batch must have the alphabet of the dump"),
    ):
        out.append(make_batch([1]))


def test_what_is_there_is_not_overwritten(tmp_path: Path) -> None:
    write_dump(tmp_path / "d", make_batch([1], ["old"]))
    with pytest.raises(DumpError, match=r"output folder must be new or empty, got '.*d' with 2"):
        write_dump(tmp_path / "d", make_batch([1]))
    write_dump(tmp_path / "d", make_batch([1], ["new"]), overwrite=True)
    assert open_dump(tmp_path / "d").ids == ["new"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d"]
    (tmp_path / "d" / "thesis.tex").write_text("years of work")
    with pytest.raises(DumpError, match=r"output folder must hold nothing else, got 'thesis.tex'"):
        write_dump(tmp_path / "d", make_batch([1]), overwrite=True)
    assert (tmp_path / "d" / "thesis.tex").read_text() == "years of work"
    (tmp_path / "e").mkdir()
    write_dump(tmp_path / "e", make_batch([1]))
    assert len(open_dump(tmp_path / "e")) == 1


def test_a_failed_overwrite_leaves_the_old_dump(tmp_path: Path) -> None:
    write_dump(tmp_path / "d", make_batch([1], ["old"]))
    with pytest.raises(InvalidValueError, match="twice"):
        write_dump(tmp_path / "d", make_batch([1, 1], ["x", "x"]), overwrite=True)
    assert open_dump(tmp_path / "d").ids == ["old"]
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["d"]


def test_a_path_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file", tmp_path / "file" / "d"):
        with pytest.raises(DumpError, match=r"destination must be a folder, got '.*file"):
            write_dump(path, make_batch([1]))
    with pytest.raises(DumpError, match=r"destination must be a folder, got '.*/x{300}' .*long"):
        write_dump(tmp_path / ("x" * 300), make_batch([1]))
    assert (tmp_path / "file").read_text() == "x"


def test_a_full_disk(tmp_path: Path, small_records: None, monkeypatch: pytest.MonkeyPatch) -> None:
    synced, real = [], os.fsync

    def full(descriptor: int) -> None:
        synced.append(descriptor)
        if len(synced) > 5:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(descriptor)

    monkeypatch.setattr(os, "fsync", full)
    with (
        pytest.raises(DumpError, match=r"disk must have room for '.*d', got 'No space left on dev"),
        DumpWriter(tmp_path / "d", ALPHABET) as out,
    ):
        append_one_by_one(out, 20)
    monkeypatch.undo()
    assert out.written >= 2
    assert open_dump(tmp_path / "d").ids[: out.written] == names(out.written)
    with pytest.raises(DumpError, match="closed"):
        out.append(make_batch([1]))
    with DumpWriter(tmp_path / "d", ALPHABET, resume=True) as again:
        assert set(names(out.written)) <= set(again.known_ids)


def test_a_full_disk_while_arrow_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full(shards.ShardWriter):
        def _sync(self) -> None:
            with open("/dev/full", "wb", buffering=0) as file:  # noqa: PTH123
                file.write(b"x")

    if not Path("/dev/full").exists():
        pytest.skip("this system has no /dev/full")
    monkeypatch.setattr(writer, "ShardWriter", Full)
    with pytest.raises(DumpError, match="disk must have room for"):
        write_dump(tmp_path / "d", make_batch([1]))
    assert list(tmp_path.iterdir()) == []


# Killed writers, and going on


KILLED = """
import os, sys
import numpy as np
import ctckit.dumps.writer as writer
from ctckit import Alphabet, MatrixBatch
alphabet = Alphabet(["a", "b", "ﬁ", ""], blank=3)
writer.BATCH_BYTES = 6 * 4 * 4
out = writer.DumpWriter(sys.argv[1], alphabet, shard_bytes=280)
x = np.log(np.full((1, 3, 4), 0.25, dtype=np.float32))
for i in range(11):
    out.append(MatrixBatch.from_log_probs(x, alphabet, ids=[f"line-{i}"]), digests=[f"{i:x}"])
print(out.written, flush=True)
os.kill(os.getpid(), 9)
"""


def test_a_killed_writer_loses_nothing_that_it_reported(tmp_path: Path) -> None:
    path = tmp_path / "d"
    done = subprocess.run(
        [sys.executable, "-c", KILLED, str(path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (-9, "10\n"), done.stderr
    assert (path / "shard-00002.arrow.partial").exists()
    before = open_dump(path)
    assert before.ids == names(10)
    [message] = before.damaged
    assert message.startswith("shard-00002.arrow.partial is damaged: unfinished, its writer was")
    with DumpWriter(path, ALPHABET, resume=True) as out:
        assert list(out.known_ids) == names(10)
        assert dict(out.known_digests) == {f"line-{i}": f"{i:x}" for i in range(10)}
        out.append(make_batch([3] * 2, names(2, 10)), digests=["a", None])
    dump = open_dump(path)
    assert (dump.ids, dump.damaged) == (names(12), [])
    assert dump.digests == [*(f"{i:x}" for i in range(11)), None]
    assert [len(part.batch) for part in dump.batches()] == [2, 2, 2, 2, 2, 2]
    assert not list(path.glob("*.partial"))


def test_leftovers_of_a_killed_resume_are_not_doubled(dump_path: Path) -> None:
    shard = dump_path / "shard-00004.arrow"
    leftover = dump_path / "shard-00004.arrow.partial"
    leftover.write_bytes(shard.read_bytes()[:-30])
    (dump_path / "shard-00005.arrow.tmp").write_bytes(b"half")
    (dump_path / "manifest.json.tmp").write_bytes(b"{")
    (dump_path / "shard-00006.arrow.partial").write_bytes(b"")
    assert open_dump(dump_path).ids == names(20)
    with DumpWriter(dump_path, ALPHABET, resume=True) as out:
        out.append(make_batch([1], ["more"]))
    dump = open_dump(dump_path)
    assert (dump.ids, dump.damaged) == ([*names(20), "more"], [])
    assert {p.suffix for p in dump_path.iterdir()} == {".json", ".arrow"}


def test_a_writer_that_was_killed_while_it_salvaged(dump_path: Path) -> None:
    shard = dump_path / "shard-00004.arrow"
    whole = shard.read_bytes()
    shard.rename(dump_path / "shard-00004.arrow.partial")
    (dump_path / "shard-00004.arrow.tmp").write_bytes(whole[:100])
    with DumpWriter(dump_path, ALPHABET, resume=True):
        pass
    dump = open_dump(dump_path)
    assert (dump.ids, dump.damaged) == (names(20), [])
    assert {p.suffix for p in dump_path.iterdir()} == {".json", ".arrow"}


def test_resume_beside_a_missing_shard_takes_a_new_number(dump_path: Path) -> None:
    (dump_path / "shard-00004.arrow").unlink()
    with DumpWriter(dump_path, ALPHABET, resume=True) as out:
        out.append(make_batch([3] * 4, names(4, 16)))
    dump = open_dump(dump_path)
    assert dump.ids == names(20)
    assert "shard-00004.arrow is damaged: the file is missing" in dump.damaged[0]


def test_resume_starts_where_there_is_nothing(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "manifest.json.tmp").write_text("{")
    with DumpWriter(tmp_path / "d", ALPHABET, resume=True) as out:
        out.append(make_batch([1], ["x"]))
    assert open_dump(tmp_path / "d").ids == ["x"]


def test_an_error_in_the_middle_keeps_what_was_appended(tmp_path: Path) -> None:
    def fails() -> None:
        with DumpWriter(tmp_path / "d", ALPHABET) as out:
            out.append(make_batch([1], ["x"]))
            raise KeyError("the caller's")

    with pytest.raises(KeyError, match="the caller's"):
        fails()
    assert open_dump(tmp_path / "d").ids == ["x"]


def test_resume_refuses_another_dump(tmp_path: Path) -> None:
    write_dump(tmp_path / "d", make_batch([1]), source={"model": "a", "n": (1, 2)})
    with DumpWriter(tmp_path / "d", ALPHABET, source={"model": "a", "n": (1, 2)}, resume=True):
        pass
    source = {"model": "a", "n": [1, 2]}
    rule = "dump to resume must have the same alphabet, store and source, got "
    advice = r".*; choose a new folder, or overwrite it \(--overwrite\)$"
    for alphabet, options, difference in [
        (Alphabet("ab-", blank=2), {"source": source}, r"Alphabet\(4 .* instead of Alphabet\(3"),
        (ALPHABET, {"source": source, "store": "float16"}, "store 'float32' instead of 'float16'"),
        (ALPHABET, {"source": source | {"model": "b"}}, r"source\['model'\] = 'a' instead of 'b'"),
    ]:
        with pytest.raises(DumpError, match=rule + difference + advice):
            DumpWriter(tmp_path / "d", alphabet, resume=True, **options)
    with pytest.raises(InvalidValueError, match="resume must be the only mode"):
        DumpWriter(tmp_path / "d", ALPHABET, resume=True, overwrite=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("x")
    with pytest.raises(DumpError, match=r"must be a folder with a manifest.json"):
        DumpWriter(tmp_path / "other", ALPHABET, resume=True)


def test_public_names() -> None:
    assert ctckit.open_dump is open_dump
    assert ctckit.write_dump is write_dump
