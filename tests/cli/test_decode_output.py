"""Where `decode` writes: the formats, and that nothing is lost."""

from __future__ import annotations

import csv
import json
import math
import stat
import weakref

import numpy as np
import pyarrow.parquet as pq
import pytest

from ctckit import Alphabet, MatrixBatch, load_decoder, write_dump
from ctckit.cli import output
from ctckit.dumps import Dump, DumpBatch

TEXTS = [
    "NA",
    "null",
    "1.0",
    "=1",
    "",
    " ",
    "nan",
    "TRUE",
    'say "x"',
    "a,b",
    "\\n",
    "é",
    "\u2028",
    "-",
]


@pytest.fixture
def odd(write_texts):
    """A dump of the texts in `ODD`."""
    write_texts(ODD, ids=[f"id {i}" for i in range(len(ODD))])


ODD = [text for text in TEXTS if text]


def read_csv(path):
    with path.open(newline="", encoding="utf-8") as handle:
        return list(csv.reader(handle))


def test_odd_texts_in_txt(invoke, odd, folder):
    assert invoke("decode", "--output", "x.txt").exit_code == 0
    assert (folder / "x.txt").read_bytes().decode() == "".join(f"{text}\n" for text in ODD)


def test_odd_texts_in_csv(invoke, odd, folder):
    assert invoke("decode", "--output", "x.csv").exit_code == 0
    rows = read_csv(folder / "x.csv")
    assert rows[0] == ["id", "text", "log_prob", "score"]
    assert [row[:2] for row in rows[1:]] == [[f"id {i}", text] for i, text in enumerate(ODD)]
    assert (folder / "x.csv").read_bytes().count(b"\r\n") == len(ODD) + 1


def test_odd_texts_in_jsonl(invoke, odd, folder):
    assert invoke("decode", "--output", "x.jsonl").exit_code == 0
    lines = (folder / "x.jsonl").read_text(encoding="utf-8").split("\n")[:-1]
    assert [json.loads(line)["text"] for line in lines] == ODD
    assert '"text": "é"' in lines[ODD.index("é")]


def test_odd_texts_in_parquet(invoke, odd, folder):
    assert invoke("decode", "--output", "x.parquet").exit_code == 0
    table = pq.read_table(folder / "x.parquet")
    assert table.schema.names == ["id", "text", "log_prob", "score"]
    assert [str(kind) for kind in table.schema.types] == ["string", "string", "double", "double"]
    assert table["text"].to_pylist() == ODD


def test_odd_texts_on_the_screen(invoke, odd):
    cells = [line.split("\t")[1] for line in invoke("decode").stdout.split("\n")[:-1]]
    shown = [text.replace("\\", "\\\\") for text in ODD]
    assert cells == shown


def test_control_characters(invoke, write_texts, folder):
    texts = ["a\tb", "a\nb", "a\r\nb", "\x1b[31m", "a\\b"]
    write_texts(texts, ids=["x\ty", "1", "2", "3", "4"])
    cells = [line.split("\t")[:2] for line in invoke("decode").stdout.split("\n")[:-1]]
    assert cells == [
        [r"x\ty", r"a\tb"],
        ["1", r"a\nb"],
        ["2", r"a\r\nb"],
        ["3", r"\x1b[31m"],
        ["4", r"a\\b"],
    ]
    for name in ("x.txt", "x.csv"):
        assert invoke("decode", "--output", name).exit_code == 0
    lines = (folder / "x.txt").read_bytes().decode().split("\n")
    assert lines == ["a\tb", "a b", "a b", "\x1b[31m", "a\\b", ""]
    assert [row[1] for row in read_csv(folder / "x.csv")[1:]] == texts


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_files_hold_numbers_in_full(invoke, dump, folder, ending):
    assert invoke("decode", "--output", f"x.{ending}", "--n-best", "2").exit_code == 0
    decoder = load_decoder("beamsearch", dump.batch.alphabet)
    expected = [
        {"id": name, "rank": rank, "text": one.text, "log_prob": one.log_prob, "score": one.score}
        for name, line in zip(dump.ids, decoder.decode_batch(dump.batch, n_best=2), strict=True)
        for rank, one in enumerate(line, start=1)
    ]
    path = folder / f"x.{ending}"
    if ending == "csv":
        header, *rows = read_csv(path)
        read = [
            {"id": row[0], "rank": int(row[1]), "text": row[2]}
            | {"log_prob": float(row[3]), "score": float(row[4])}
            for row in rows
        ]
        assert header == list(expected[0])
    elif ending == "jsonl":
        read = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    else:
        read = pq.read_table(path).to_pylist()
    assert read == expected


def test_impossible_texts(invoke, plugins, dump, folder):
    for name in ("x.csv", "x.jsonl", "x.parquet"):
        assert invoke("decode", "--decoder", "impossible", "--output", name).exit_code == 0
    assert read_csv(folder / "x.csv")[1][2:] == ["-inf", "-inf"]
    first = (folder / "x.jsonl").read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith('"log_prob": null, "score": null}')
    assert pq.read_table(folder / "x.parquet")["log_prob"].to_pylist()[0] == -math.inf
    line = invoke("decode", "--decoder", "impossible").stdout.splitlines()[0]
    assert line.split("\t")[2:] == ["-inf", "-inf"]


def test_parquet_is_written_by_row_groups(invoke, dump, folder, monkeypatch):
    def one_by_one(dump):
        for i in range(len(dump)):
            yield DumpBatch(dump[i], [dump.references[i]])

    monkeypatch.setattr(output, "ROW_GROUP", 4)
    monkeypatch.setattr(Dump, "batches", one_by_one)
    assert invoke("decode", "--output", "x.parquet").exit_code == 0
    read = pq.ParquetFile(folder / "x.parquet")
    assert read.metadata.num_row_groups == 3
    assert read.read()["id"].to_pylist() == dump.ids


@pytest.mark.parametrize("command", [["decode", "--output", "x.parquet"], ["bench"]])
def test_matrices_that_are_done_are_let_go(invoke, dump, monkeypatch, command):
    kept = []

    def watched(dump):
        batches = []
        for i in range(len(dump)):
            part = DumpBatch(dump[i], [dump.references[i]])
            batches.append(weakref.ref(part))
            yield part
            del part
            kept.append(sum(one() is not None for one in batches))

    monkeypatch.setattr(Dump, "batches", watched)
    assert invoke(*command, "--decoder", "bestpath").exit_code == 0
    assert len(kept) == 10
    assert max(kept) == 1


@pytest.mark.parametrize("ending", ["txt", "csv", "jsonl", "parquet"])
def test_empty_dump(invoke, folder, ending):
    write_dump("dump", MatrixBatch.from_probs(np.zeros((0, 5, 2)), Alphabet("a-", blank=1)))
    assert invoke("decode", "--output", f"x.{ending}").exit_code == 0
    path = folder / f"x.{ending}"
    if ending == "parquet":
        assert pq.read_table(path).num_rows == 0
    else:
        expected = {"txt": b"", "csv": b"id,text,log_prob,score\r\n", "jsonl": b""}[ending]
        assert path.read_bytes() == expected


def test_missing_folders_are_made_and_nothing_else_is_left(invoke, dump, folder):
    assert invoke("decode", "--output", "a/b/x.csv").exit_code == 0
    assert [path.name for path in (folder / "a" / "b").iterdir()] == ["x.csv"]


def test_an_existing_file_keeps_its_mode_and_a_link_stays_a_link(invoke, dump, folder):
    (folder / "x.csv").write_text("old")
    (folder / "x.csv").chmod(0o640)
    (folder / "link.csv").symlink_to("x.csv")
    assert invoke("decode", "--output", "link.csv").exit_code == 0
    assert (folder / "link.csv").is_symlink()
    assert (folder / "x.csv").read_text(encoding="utf-8").startswith("id,")
    assert stat.S_IMODE((folder / "x.csv").stat().st_mode) == 0o640


def test_an_error_keeps_the_old_file(invoke, plugins, dump, folder):
    (folder / "x.csv").write_text("old")
    assert invoke("decode", "--decoder", "crasher", "--output", "x.csv").exit_code == 1
    assert (folder / "x.csv").read_text() == "old"
    assert sorted(path.name for path in folder.iterdir()) == ["dump", "x.csv"]


@pytest.mark.parametrize("ending", ["", ".txt", ".csv", ".jsonl", ".parquet"])
def test_full_disk(invoke, dump, folder, ending):
    (folder / f"full{ending}").symlink_to("/dev/full")
    result = invoke("decode", "--decoder", "bestpath", "--output", f"full{ending}")
    assert result.exit_code == 1
    assert result.stderr == (
        f"ctckit: error: output must be writable, got 'full{ending}' (No space left on device); "
        "free some space or choose another --output\n"
    )


def test_output_path_that_cannot_be_made(invoke, dump, folder):
    (folder / "file").write_text("")
    result = invoke("decode", "--output", "file/x.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith("ctckit: error: output must be writable, got 'file/x.csv' (")
    result = invoke("decode", "--output", "x" * 300 + ".csv")
    assert result.exit_code == 1
    assert "(File name too long)" in result.stderr


def test_output_that_is_a_folder(invoke, dump, folder):
    (folder / "x.csv").mkdir()
    result = invoke("decode", "--output", "x.csv")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: output must be a file, got the folder 'x.csv'; give a file's name\n"
    )


def test_a_device_without_an_ending_gets_what_the_screen_gets(ctckit, dump):
    screen = ctckit("decode", "--decoder", "bestpath").stdout
    assert ctckit("decode", "--decoder", "bestpath", "--output", "/dev/stdout").stdout == screen
    assert screen.count("\n") == 10
