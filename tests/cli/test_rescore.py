"""The options --rescore and --rescore-weight of `decode`."""

from __future__ import annotations

import json
import sys

import pytest

from ctckit import load_decoder, rescore

MODULE = """
import math

limit = 3


def score(texts):
    return [-1.5 * len(text) for text in texts]


class Model:
    def score(self, texts):
        return [1.5 * len(text) for text in texts]


model = Model()


def crash(texts):
    raise RuntimeError("out of\\nmemory")


def leave(texts):
    raise SystemExit


def few(texts):
    return [0.0]


def speak(texts):
    print("scoring")
    return score(texts)


def nan(texts):
    return [math.nan] * len(texts)
"""


@pytest.fixture
def module(folder, monkeypatch):
    """A module in the current folder, which is not yet where Python looks."""
    (folder / "ctckit_lm.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.setattr(sys, "path", [one for one in sys.path if one not in ("", str(folder))])
    yield
    for name in ("ctckit_lm", "ctckit_broken"):
        sys.modules.pop(name, None)


def rows_of(text):
    return [line.split("\t") for line in text.splitlines()]


def expected(dump, function, weight=1.0, n_best=5):
    decoder = load_decoder("beamsearch", dump.batch.alphabet)
    decoded = decoder.decode_batch(dump.batch, n_best=n_best)
    return [
        [name, str(rank), one.text, f"{one.log_prob:.6g}", f"{one.score:.6g}"]
        for name, line in zip(dump.ids, rescore(decoded, function, weight=weight), strict=True)
        for rank, one in enumerate(line, start=1)
    ]


def test_texts_are_ranked_by_both_scores(invoke, dump, module):
    result = invoke("decode", "--n-best", "5", "--rescore", "ctckit_lm:score")
    assert (result.exit_code, result.stderr) == (0, "")
    assert rows_of(result.stdout) == expected(dump, lambda ts: [-1.5 * len(t) for t in ts])
    plain = invoke("decode", "--n-best", "5")
    assert sorted(row[0] for row in rows_of(plain.stdout)) == sorted(
        row[0] for row in rows_of(result.stdout)
    )
    assert plain.stdout != result.stdout


def test_weight_and_a_method(invoke, dump, module):
    options = ["--n-best", "5", "--rescore", "ctckit_lm:model.score", "--rescore-weight", "0.25"]
    result = invoke("decode", *options)
    assert rows_of(result.stdout) == expected(
        dump, lambda texts: [1.5 * len(text) for text in texts], weight=0.25
    )
    zero = invoke("decode", *options[:-1], "0")
    assert zero.stdout == invoke("decode", "--n-best", "5").stdout


def test_what_the_function_prints_is_no_result(invoke, dump, module, folder):
    with (folder / "ctckit_lm.py").open("a", encoding="utf-8") as file:
        file.write('print("loading")')
    silent = invoke("decode", "--n-best", "3", "--rescore", "ctckit_lm:score")
    loud = invoke("decode", "--n-best", "3", "--rescore", "ctckit_lm:speak")
    assert (silent.stderr, loud.stderr) == ("loading\n", "scoring\n")
    assert loud.stdout == silent.stdout
    assert loud.stdout.startswith(dump.ids[0])


def test_into_a_file_in_a_process_of_its_own(ctckit, dump, module, folder):
    done = ctckit("decode", "--n-best", "3", "--rescore", "ctckit_lm:score", "--output", "x.jsonl")
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    lines = (folder / "x.jsonl").read_text(encoding="utf-8").splitlines()
    records = [json.loads(line) for line in lines]
    texts = [[one["id"], str(one["rank"]), one["text"]] for one in records]
    rescored = expected(dump, lambda ts: [-1.5 * len(t) for t in ts], n_best=3)
    assert texts == [row[:3] for row in rescored]
    for one in records:
        assert one["rescoring"] == -1.5 * len(one["text"])
        assert one["search"] + one["rescoring"] == pytest.approx(one["score"])


def test_parts_of_scores_in_a_file(invoke, dump, module, folder):
    (folder / "words.txt").write_text("a\n", encoding="utf-8")
    options = ["--decoder", "ngrambeamsearch", "--lexicon", "words.txt", "--open-vocabulary"]
    options += ["--n-best", "3", "--rescore", "ctckit_lm:score", "--output", "x.csv"]
    assert invoke("decode", *options).exit_code == 0
    header = (folder / "x.csv").read_text(encoding="utf-8").splitlines()[0]
    assert header.endswith(",score,matrix,lm,words,boost,rescoring")


WRONG = [
    (["score"], "rescore must be MODULE:FUNCTION, got 'score'; write my_model:score for the func"),
    ([""], "rescore must be MODULE:FUNCTION, got ''; write my_model:score"),
    (["a/b.py:score"], "rescore must be MODULE:FUNCTION, got 'a/b.py:score'; write my_model:"),
    (["a:b:c"], "rescore must be MODULE:FUNCTION, got 'a:b:c'; write my_model:score"),
    ([".lm:score"], "rescore must be MODULE:FUNCTION, got '.lm:score'; write my_model:score"),
    (["lm.py:score"], "rescore must be MODULE:FUNCTION, got 'lm.py:score'; write lm:score"),
    (
        ["ctckit_none:score"],
        "rescore must name a module that is there, got 'ctckit_none:score' (No module named "
        "'ctckit_none'); it is looked for in the current folder",
    ),
    (
        ["ctckit_lm.sub:score"],
        "rescore must name a module that is there, got 'ctckit_lm.sub:score' (No module named "
        "'ctckit_lm.sub'; 'ctckit_lm' is not a package); it is looked for",
    ),
    (
        ["ctckit_broken:score"],
        "rescore must name a module that can be imported, got 'ctckit_broken:score' "
        "(ModuleNotFoundError: No module named 'ctckit_none'); mend ctckit_broken",
    ),
    (
        ["ctckit_lm:scor"],
        "rescore must name a function of ctckit_lm, got 'ctckit_lm:scor'; did you mean 'score'?",
    ),
    (
        ["ctckit_lm:model.zzz"],
        "rescore must name a function of ctckit_lm, got 'ctckit_lm:model.zzz'; check the name",
    ),
    (
        ["ctckit_lm:limit"],
        "rescore must name a function, got 'ctckit_lm:limit', which is of type int; it takes",
    ),
    (
        ["ctckit_lm:score", "--n-best", "1"],
        "n_best must be at least 2 with --rescore, got 1; a single text a line has nothing to",
    ),
    (
        ["ctckit_lm:score", "--rescore-weight", "-1"],
        "rescore_weight must be a finite number of at least 0, got -1.0; it is: ",
    ),
    (
        ["ctckit_lm:score", "--rescore-weight", "nan"],
        "rescore_weight must be a finite number of at least 0, got nan; it is: ",
    ),
    (["ctckit_lm:score", "--output", "x.txt"], "output must end in .csv, .jsonl or .parquet with"),
]


@pytest.mark.parametrize(("args", "message"), WRONG)
def test_wrong_usage(invoke, module, dump, folder, args, message):
    (folder / "ctckit_broken.py").write_text("import ctckit_none", encoding="utf-8")
    n_best = [] if "--n-best" in args else ["--n-best", "3"]
    result = invoke("decode", *n_best, "--rescore", *args)
    assert result.stderr.startswith(f"ctckit: error: {message}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert result.exit_code == 2


def test_wrong_usage_comes_before_the_dump_is_opened(invoke, module):
    result = invoke("decode", "no dump", "--n-best", "3", "--rescore", "ctckit_lm:scor")
    assert result.exit_code == 2
    assert "did you mean 'score'?" in result.stderr


def test_n_best_must_be_given(invoke, module, dump):
    result = invoke("decode", "--rescore", "ctckit_lm:score")
    assert result.exit_code == 2
    assert result.stderr.startswith("ctckit: error: n_best must be at least 2 with --rescore, got")


def test_a_weight_alone(invoke, dump):
    result = invoke("decode", "--n-best", "3", "--rescore-weight", "2")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: rescore must be given with --rescore-weight, got nothing; "
        "name a function as MODULE:FUNCTION\n"
    )


FAILURES = [
    (
        "crash",
        "rescore must name a function that scores texts, got 'ctckit_lm:crash', which raised "
        "RuntimeError: out of memory (while ctckit_lm:crash scored ",
    ),
    ("leave", "rescore must name a function that scores texts, got 'ctckit_lm:leave', which rais"),
    ("few", "score_texts ctckit_lm:few must return one number a text, got shape (1,) for "),
    ("nan", "score_texts ctckit_lm:nan must return finite numbers or -inf, got nan for the text "),
]


@pytest.mark.parametrize(("name", "message"), FAILURES)
def test_functions_that_fail(invoke, module, dump, folder, name, message):
    (folder / "x.csv").write_text("mine", encoding="utf-8")
    options = ["--n-best", "3", "--rescore", f"ctckit_lm:{name}", "--output", "x.csv"]
    result = invoke("decode", *options)
    assert result.stderr.splitlines()[-1].startswith(f"ctckit: error: {message}")
    assert result.exit_code == 1
    assert (folder / "x.csv").read_text(encoding="utf-8") == "mine"


def test_the_help_says_what_it_needs(invoke):
    text = " ".join(invoke("decode", "--help").stdout.split())
    assert "--rescore MODULE:FUNCTION Rank the texts of a line by their score plus that" in text
    assert "Needs --n-best over 1" in text
