"""The harness without the command line: specs, scores, reports."""

from __future__ import annotations

import csv
import io
import json
import math
import subprocess
import sys
import time

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, NotFoundError, write_dump
from ctckit.bench.harness import BenchResult, Score, run_bench
from ctckit.bench.report import table_rows, to_csv, to_json, to_markdown
from ctckit.bench.specs import DecoderSpec, give_corpus, parse_spec
from ctckit.decoders.beamsearch import BeamSearch
from ctckit.dumps import open_dump
from ctckit.metrics import ErrorCounts, count_errors


@pytest.fixture
def dump(tmp_path, batch):
    references = ["ab", None, "", "b", None]
    write_dump(tmp_path / "dump", batch, references=references)
    return open_dump(tmp_path / "dump")


def test_spec_without_options():
    assert parse_spec("bestpath") == DecoderSpec("bestpath", "bestpath", {})
    assert parse_spec("bestpath:").options == {}


def test_spec_converts_values():
    spec = parse_spec("beamsearch:beam-width=7")
    assert spec == DecoderSpec("beamsearch:beam-width=7", "beamsearch", {"beam_width": 7})


def test_spec_keeps_commas_and_equal_signs_within_a_value():
    spec = parse_spec("wordbeamsearch:word_characters=ab,'=,corpus=x, y=1.txt,beam_width=3")
    assert spec.options["word_characters"] == "ab,'="
    assert str(spec.options["corpus"]) == "x, y=1.txt"
    assert spec.options["beam_width"] == 3


def test_spec_says_none():
    assert parse_spec("wordbeamsearch:word_separator=none").options == {"word_separator": None}
    assert parse_spec("wordbeamsearch:word_characters=none").options == {"word_characters": "none"}


def test_spec_of_an_unknown_decoder():
    with pytest.raises(NotFoundError, match="decoder must be installed, got 'bestpth'; did you "):
        parse_spec("bestpth:x=1")


def test_corpus_goes_only_where_it_is_declared_and_missing():
    specs = [parse_spec("bestpath"), parse_spec("wordbeamsearch")]
    specs.append(parse_spec("wordbeamsearch:corpus=own.txt"))
    given = give_corpus(specs, "all.txt")
    assert [str(spec.options.get("corpus")) for spec in given] == ["None", "all.txt", "own.txt"]


def test_run_bench_scores_the_lines_with_references(dump, batch, alphabet):
    seen = []
    result = run_bench(dump, [parse_spec("beamsearch")], threads=1, on_lines=seen.append)
    texts = BeamSearch(alphabet).decode_batch(batch).texts()
    expected = count_errors(["ab", "", "b"], [texts[0], texts[2], texts[3]])
    (score,) = result.scores
    assert score.counts == expected
    assert score.seconds > 0
    assert (result.lines, result.unreferenced, sum(seen)) == (3, 2, 5)
    assert result.complete


def test_given_references_replace_the_dumps(dump):
    result = run_bench(dump, [parse_spec("bestpath")], references={"1": "", "9": "x"})
    assert (result.lines, result.unreferenced, result.unknown_ids) == (1, 4, 1)
    assert result.scores[0].counts == ErrorCounts(exact_lines=1, lines=1)


def test_given_references_that_fit_no_line(dump):
    with pytest.raises(
        InvalidValueError, match=r"got 1 ids that it does not hold; its first id is "
    ):
        run_bench(dump, [], references={"9": "x"})
    with pytest.raises(
        InvalidValueError, match=r"references must name one line of '.*' at least, "
    ):
        run_bench(dump, [], references={})


def test_dump_without_references(tmp_path, batch):
    write_dump(tmp_path / "dump", batch)
    with pytest.raises(InvalidValueError, match="references must be known for one line at least, "):
        run_bench(open_dump(tmp_path / "dump"), [])


def test_a_spec_with_a_reason_is_left_out(dump):
    result = run_bench(dump, [DecoderSpec("x", "x", reason="it is broken"), parse_spec("bestpath")])
    assert [score.reason for score in result.scores] == ["it is broken", None]
    assert not result.complete


def test_loading_and_first_call_are_not_timed(dump, monkeypatch):
    calls = []
    decode = BeamSearch.search

    def slow_first_call(self, batch, n_best):
        if not calls:
            time.sleep(0.3)
        calls.append(len(batch))
        return decode(self, batch, n_best)

    monkeypatch.setattr(BeamSearch, "search", slow_first_call)
    result = run_bench(dump, [parse_spec("beamsearch")], threads=1)
    assert calls[0] == 1
    assert sum(calls[1:]) == 3
    assert result.scores[0].seconds < 0.3


def test_pooling_over_parts_equals_one_part(tmp_path):
    random = np.random.default_rng(3)
    alphabet = Alphabet("abc-", blank=3)
    batch = MatrixBatch.from_logits(random.normal(0, 3, (40, 8, 4)), alphabet)
    references = ["abc"[: i % 4] if i % 5 else None for i in range(40)]
    write_dump(tmp_path / "dump", batch, references=references)
    dump = open_dump(tmp_path / "dump")
    whole = run_bench(dump, [parse_spec("bestpath")])
    batches = dump.batches
    dump.batches = lambda: batches(max_frames=24)
    assert len(list(dump.batches())) == 14
    parts = run_bench(dump, [parse_spec("bestpath")])
    assert parts.scores[0].counts == whole.scores[0].counts
    assert parts.lines == 32


RESULT = BenchResult(
    "some dump",
    [
        Score("one", ErrorCounts(1, 8, 1, 2, 3, 4), seconds=0.5),
        Score("fast", ErrorCounts(1, 0, 0, 0, 0, 1), seconds=0.001),
        Score("two|x", ErrorCounts(9, 9, 9, 9, 9, 9), reason="it\nfailed"),
    ],
    lines=4,
    unreferenced=2,
)


def test_table_rows():
    assert table_rows(RESULT) == [
        ("one", "0.1250", "0.5000", "3/4", "8", ""),
        ("fast", "inf", "0.0000", "0/1", "1000", ""),
        ("two|x", "-", "-", "-", "-", "it\nfailed"),
    ]


def test_csv_has_every_count():
    rows = list(csv.DictReader(io.StringIO(to_csv(RESULT), newline="")))
    assert (rows[0]["edits"], rows[0]["cer"], rows[0]["lines_per_second"]) == ("1", "0.125", "8.0")
    assert (rows[2]["cer"], rows[2]["left_out"]) == ("", "it\nfailed")
    assert math.isinf(float(rows[1]["cer"]))


def test_json_has_no_infinities():
    whole = json.loads(to_json(RESULT), parse_constant=pytest.fail)
    assert [row["cer"] for row in whole["decoders"]] == [0.125, None, None]
    assert whole["lines_without_reference"] == 2


def test_markdown_escapes_cells():
    lines = to_markdown(RESULT).splitlines()
    assert lines[0] == "| decoder | CER | WER | exact lines | lines/s | left out because |"
    assert lines[4] == r"| two\|x | - | - | - | - | it failed |"


def test_the_harness_needs_no_click():
    code = "import sys, ctckit.bench.harness, ctckit.bench.report; print('click' in sys.modules)"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout == "False\n"
