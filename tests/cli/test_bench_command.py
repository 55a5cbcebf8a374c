"""The command `bench`."""

from __future__ import annotations

import csv
import json
import unicodedata

import editdistance
import pytest

from ctckit.registry import decoder_class

HEADER = ["decoder", "CER", "WER", "exact lines", "lines/s"]
NO_LANGUAGE = (
    "lexicon or lm or item_lexicons or hot_phrases must be given, got nothing; "
    "add --decoder 'ngrambeamsearch:lexicon=...'"
)


def table(result):
    return [line.split("\t") for line in result.stdout.splitlines()]


def read_jsonl(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def corpus(folder):
    (folder / "words.txt").write_text("ab cab bé a c", encoding="utf-8")
    return "words.txt"


@pytest.mark.parametrize(
    "spec",
    [
        "bestpath",
        "beamsearch:beam_width=2",
        "prefixsearch:split_threshold=0.99",
        "lexiconsearch:corpus=words.txt,tolerance=2",
        "tokenpassing:corpus=words.txt",
        "wordbeamsearch:corpus=words.txt",
    ],
)
def test_numbers_equal_those_recomputed_from_decodes_files(invoke, dump, folder, corpus, spec):
    name, _, options = spec.partition(":")
    flags = [f"--{one.replace('_', '-')}" for one in options.split(",") if one]
    args = ["decode", "--decoder", name, *flags, "--output"]
    assert invoke(*args, "x.jsonl").exit_code == 0
    assert invoke(*args, "x.csv").exit_code == 0
    assert invoke("bench", "--decoder", spec, "--output", "b.json").exit_code == 0
    edits = characters = word_edits = words = exact = 0
    texts = {row["id"]: row["text"] for row in read_jsonl(folder / "x.jsonl")}
    with (folder / "x.csv").open(newline="", encoding="utf-8") as handle:
        assert {row["id"]: row["text"] for row in csv.DictReader(handle)} == texts
    for name, given in zip(dump.ids, dump.references, strict=True):
        if given is None:
            continue
        reference, text = (unicodedata.normalize("NFC", one) for one in (given, texts[name]))
        edits += editdistance.eval(reference, text)
        characters += len(reference)
        word_edits += editdistance.eval(reference.split(), text.split())
        words += len(reference.split())
        exact += reference == text
    (row,) = json.loads((folder / "b.json").read_text(encoding="utf-8"))["decoders"]
    assert (row["decoder"], row["lines"], row["left_out"]) == (spec, 8, None)
    assert (row["edits"], row["characters"]) == (edits, characters)
    assert (row["word_edits"], row["words"]) == (word_edits, words)
    assert (row["cer"], row["wer"]) == (edits / characters, word_edits / words)
    assert (row["exact_lines"], row["exact"]) == (exact, exact / 8)
    assert row["lines_per_second"] == row["lines"] / row["seconds"] > 0


def test_every_installed_decoder_with_a_corpus(invoke, without_peers, dump, corpus):
    result = invoke("bench", "--corpus", corpus)
    rows = table(result)
    assert result.exit_code == 0
    assert rows[0] == [*HEADER, "left out because"]
    scores = {row[0]: row[1:] for row in rows[1:]}
    ours = ["beamsearch", "bestpath", "lexiconsearch", "prefixsearch", "tokenpassing"]
    assert list(scores) == sorted([*ours, "ngrambeamsearch", "template", "wordbeamsearch"])
    assert scores["template"][:3] == scores["bestpath"][:3]
    assert scores.pop("ngrambeamsearch")[4] == NO_LANGUAGE
    assert all(float(row[3]) > 0 for row in scores.values())


def test_a_decoder_without_its_corpus_is_listed_with_the_reason(invoke, without_peers, dump):
    result = invoke("bench")
    rows = table(result)
    assert result.exit_code == 0  # nobody asked for it
    assert rows[0] == [*HEADER, "left out because"]
    reasons = {row[0]: row[5] for row in rows[1:]}
    for name in ("lexiconsearch", "tokenpassing", "wordbeamsearch"):
        assert reasons.pop(name) == (
            f"corpus must be given, got nothing; add --corpus FILE or --decoder '{name}:corpus=...'"
        )
    assert reasons.pop("ngrambeamsearch") == NO_LANGUAGE
    assert rows[-1][:5] == ["wordbeamsearch", "-", "-", "-", "-"]
    assert set(reasons.values()) == {""}


def test_a_decoder_that_was_asked_for_without_its_corpus_is_a_failure(invoke, dump):
    result = invoke("bench", "--decoder", "wordbeamsearch")
    assert result.exit_code == 1
    assert table(result)[1][5] == (
        "corpus must be given, got nothing; "
        "add --corpus FILE or --decoder 'wordbeamsearch:corpus=...'"
    )
    result = invoke("bench", "--decoder", "wordbeamsearch:mode=NGrams")
    assert result.exit_code == 1
    assert table(result)[1][5].endswith("--decoder 'wordbeamsearch:mode=NGrams,corpus=...'")


def test_a_missing_package_is_a_failure_only_of_a_decoder_that_was_asked_for(
    invoke, without_peers, lacking, dump
):
    result = invoke("bench")
    assert {row[0]: row[5] for row in table(result)}["lacking"] == "NeedsPip needs pip-of-dreams"
    assert result.exit_code == 0
    result = invoke("bench", "--decoder", "lacking")
    assert table(result)[1][5] == "NeedsPip needs pip-of-dreams"
    assert result.exit_code == 1


def test_missing_corpus_file_is_a_reason(invoke, dump):
    result = invoke("bench", "--decoder", "wordbeamsearch", "--corpus", "none.txt")
    assert result.exit_code == 1
    assert "none.txt" in table(result)[1][5]


def test_lines_without_a_reference_are_said(invoke, dump):
    result = invoke("bench", "--decoder", "bestpath")
    assert result.exit_code == 0
    assert result.stderr == ("ctckit: warning: 2 of 10 lines have no reference and are left out\n")
    assert table(result)[1][3].endswith("/8")


def test_same_decoder_with_several_options(invoke, dump):
    specs = ["beamsearch:beam_width=1", "beamsearch:beam-width=30", "beamsearch"]
    result = invoke("bench", *[arg for spec in specs for arg in ("--decoder", spec)])
    assert result.exit_code == 0
    assert [row[0] for row in table(result)[1:]] == specs


REASONS = {
    "quitter": "decoder 'quitter' of fakes 1.2.0 must start, got SystemExit: I quit; ",
    "quitting": "decoder 'quitting' of fakes 1.2.0 must be importable, got SystemExit: 3; ",
    "broken": "decoder 'broken' of fakes 1.2.0 must be importable, got ModuleNotFoundError: ",
    "crasher": "decoder 'crasher' of fakes 1.2.0 failed on matrix 'line 2' (line 3 of 8): Runti",
    "needy": "size must be given, got nothing; add --decoder 'needy:size=...'",
    "stumbler": "decoder 'stumbler' of fakes 1.2.0 must start, got KeyError: 'lost'; check ",
    "twin": "decoder names must be unique, got 'twin' from fakes 1.2.0 and twins 0.9; ",
}


def test_bad_plugins_are_listed_and_the_others_are_scored(
    invoke, without_peers, plugins, dump, corpus
):
    result = invoke("bench", "--threads", "1", "--corpus", corpus)
    rows = {row[0]: row for row in table(result)[1:]}
    assert result.exit_code == 1
    for name, reason in REASONS.items():
        assert rows[name][1:5] == ["-"] * 4
        assert rows[name][5].startswith(reason)
    assert {name for name, row in rows.items() if row[5] == ""} == {
        *(
            "beamsearch",
            "bestpath",
            "chatty",
            "clash",
            "impossible",
            "laterule",
            "lexiconsearch",
            "prefixsearch",
            "template",
            "tokenpassing",
            "wordbeamsearch",
        )
    }


def test_a_decoder_that_fails_before_the_first_line(invoke, dump, monkeypatch):
    """The message does not name a line as if it were one of the dump's."""

    def search(self, batch, n_best):
        raise RuntimeError("out of luck")

    monkeypatch.setattr(decoder_class("bestpath"), "search", search)
    result = invoke("bench", "--decoder", "bestpath")
    assert result.exit_code == 1
    assert "failed on matrix 'two even frames' (line 1 of 1): RuntimeError" in result.stdout


def test_references_from_a_file_replace_the_dumps(invoke, dump, folder):
    texts = invoke("decode", "--decoder", "bestpath").stdout.splitlines()
    right = {line.split("\t")[0]: line.split("\t")[1] for line in texts}
    rows = [f"{name},{text}" for name, text in list(right.items())[2:7]]
    (folder / "refs.csv").write_text("\n".join(["id,text", *rows, "other,x", ""]), encoding="utf-8")
    result = invoke("bench", "--decoder", "bestpath", "--references", "refs.csv")
    assert result.exit_code == 0
    assert table(result)[1][1:4] == ["0.0000", "0.0000", "5/5"]
    assert result.stderr == (
        "ctckit: warning: 5 of 10 lines have no reference and are left out\n"
        "ctckit: warning: 1 references have an id that the dump does not hold\n"
    )


def test_references_that_name_no_line(invoke, dump, folder):
    (folder / "refs.csv").write_text("id,text\nx,a\ny,b\n")
    result = invoke("bench", "--references", "refs.csv")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: references must name one line of 'dump' at least, got 2 ids that it does "
        "not hold; its first id is 'line 0'\n"
    )


def test_no_references_at_all(invoke, write_texts):
    write_texts(["a", "b"])
    result = invoke("bench")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: references must be known for one line at least, got none in 'dump'; give "
        "a file of them with --references, or convert the dump with them\n"
    )


def test_output_csv(invoke, plugins, dump, folder):
    args = ["bench", "--decoder", "bestpath", "--decoder", "broken"]
    assert invoke(*args, "--output", "b.csv").exit_code == 1
    with (folder / "b.csv").open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle))
    assert [row["decoder"] for row in rows] == ["bestpath", "broken"]
    assert float(rows[0]["cer"]) == int(rows[0]["edits"]) / int(rows[0]["characters"])
    assert rows[0]["left_out"] == rows[1]["cer"] == ""
    assert rows[1]["left_out"].startswith("decoder 'broken' of fakes")


def test_output_json(invoke, plugins, dump, folder):
    args = ["bench", "--decoder", "bestpath", "--decoder", "broken"]
    assert invoke(*args, "--output", "b.json").exit_code == 1
    whole = json.loads((folder / "b.json").read_text(encoding="utf-8"))
    assert (whole["dump"], whole["lines"], whole["lines_without_reference"]) == ("dump", 8, 2)
    assert whole["decoders"][1]["cer"] is None
    assert whole["damaged"] == []


def test_output_md_is_the_table(invoke, dump, folder):
    result = invoke("bench", "--decoder", "bestpath", "--output", "b.md")
    lines = (folder / "b.md").read_text(encoding="utf-8").splitlines()
    cells = [line.strip("| ").split(" | ") for line in lines]
    assert [cells[0], cells[2]] == table(result)
    assert lines[1] == "| --- | ---: | ---: | ---: | ---: |"


def test_damaged_shard_is_told(invoke, damaged):
    result = invoke("bench", "--decoder", "bestpath")
    assert result.exit_code == 1
    assert f"ctckit: warning: {damaged.name} is damaged: " in result.stderr
    assert table(result)[1][3].endswith("/8")


def test_corpus_that_nobody_takes(invoke, dump):
    result = invoke("bench", "--decoder", "bestpath", "--corpus", "x.txt")
    assert result.exit_code == 0
    assert result.stderr.startswith(
        "ctckit: warning: no decoder has an option corpus; the file is not used\n"
    )


WRONG = [
    (
        ["--decoder", "bestpth"],
        "decoder must be installed, got 'bestpth'; did you mean 'bestpath'?",
    ),
    (
        ["--decoder", "beamsearch:beam_wdith=5"],
        "option must be one of the decoder beamsearch's, got 'beam_wdith' in "
        "'beamsearch:beam_wdith=5'; did you mean 'beam_width'? options: lm, ",
    ),
    (
        ["--decoder", "beamsearch:beam_width=0"],
        "beam_width must be an integer from 1 to 100000, got 0; it is: Prefixes kept after",
    ),
    (
        ["--decoder", "beamsearch:beam_width"],
        "decoder must be name or name:option=value,option=value, got 'beamsearch:beam_width'; "
        "give 'beam_width' a value",
    ),
    (
        ["--decoder", "beamsearch:beam_width=5,beam-width=6"],
        "beam_width must be given once, got it twice in 'beamsearch:beam_width=5,beam-width=6'; ",
    ),
    (["--output", "b.txt"], "output must end in .csv, .json, .md, got 'b.txt'; the ending says "),
    (["--output", "b.md/"], "output must be a file, got 'b.md/', which names a folder; give a "),
    (["--decoder"], "decoder must have a value, got nothing; write --decoder VALUE"),
    (["--threads", "0"], "threads must be an integer of at least 1, got 0; "),
    (["--beam-width", "5"], "option must be one of ctckit bench's, got '--beam-width'; see "),
]


@pytest.mark.parametrize(("args", "message"), WRONG)
def test_wrong_usage(invoke, dump, args, message):
    result = invoke("bench", *args)
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.exit_code == 2


def test_output_that_cannot_be_written(invoke, dump, folder):
    (folder / "full.csv").symlink_to("/dev/full")
    result = invoke("bench", "--decoder", "bestpath", "--output", "full.csv")
    assert result.exit_code == 1
    assert result.stderr.endswith(
        "ctckit: error: output must be writable, got 'full.csv' (No space left on device); "
        "free some space or choose another --output\n"
    )
    assert result.stdout.startswith("decoder\t")
