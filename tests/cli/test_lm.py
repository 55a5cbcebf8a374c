"""The commands lm train and lm info: what they write, what they say, and how they end."""

from __future__ import annotations

import gzip
import re

import pytest

from ctckit.language import NGramModel

CORPUS = """\
the cat sat on the mat
the dog sat on the log

a cat and a dog met on the mat
the cat saw the dog
"""


@pytest.fixture(scope="module", autouse=True)
def warm(tmp_path_factory):
    """Compile the kernels beforehand, so that no test's stderr speaks of it."""
    path = tmp_path_factory.mktemp("warm") / "x.arpa"
    NGramModel.train([["a"]], 1).write_arpa(path)
    NGramModel.load(path).score(["a"])


@pytest.fixture
def corpus(folder):
    (folder / "corpus.txt").write_text(CORPUS, encoding="utf-8")
    return folder / "corpus.txt"


def facts(result):
    assert result.exit_code == 0, result.stderr
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert rows[0] == ["what", "value"]
    return dict(rows[1:])


def test_train_and_info(invoke, corpus):
    result = invoke("lm", "train", "corpus.txt", "--order", "3", "--output", "x.arpa")
    assert result.exit_code == 0, result.stderr
    assert result.stdout == ""
    assert result.stderr == (
        "ctckit: note: discounts of order 1, 2, 3 are 0.5, 1 and 1.5: there are too few different "
        "n-grams to estimate them\n"
        "ctckit: 26 words in 4 lines: 14 + 21 + 22 n-grams written to 'x.arpa' (0.0 MB)\n"
    )
    model = NGramModel.load("x.arpa")
    assert model.score(["the", "cat", "sat", "on", "the", "log"]) > model.score(
        ["log", "the", "on", "cat"]
    )
    found = facts(invoke("lm", "info", "x.arpa"))
    assert found == {
        "order": "3",
        "words": "14",
        "mean characters a word": "2.73",
        "looks like": "a model of words",
        "1-grams": "14",
        "2-grams": "21",
        "3-grams": "22",
        "<s>": "yes",
        "</s>": "yes",
        "<unk>": "yes",
        "file, MB": "0.0",
        "memory, MB": "0.0",
    }


def test_characters_in_gzip(invoke, corpus):
    options = ["--order", "4", "--characters", "--output", "x.arpa.gz"]
    result = invoke("lm", "train", "corpus.txt", *options)
    assert result.exit_code == 0, result.stderr
    assert "93 characters in 4 lines: " in result.stderr
    packed = corpus.with_name("x.arpa.gz").read_bytes()
    assert b"\t<space> t\t" in gzip.decompress(packed)
    found = facts(invoke("lm", "info", "x.arpa.gz", "--text", corpus, "--characters"))
    assert found["looks like"] == "a model of characters"
    assert found["mean characters a word"] == "1.00"
    assert (found["text: sentences"], found["text: words"]) == ("4", "93")
    assert found["text: unknown words"] == "0"
    perplexity = float(found["text: perplexity"])
    assert 1 < perplexity < 10
    assert perplexity == float(found["text: perplexity without unknown words"])


def test_word_characters(invoke, corpus):
    corpus.write_text("It's tea-time. It's late!\n", encoding="utf-8")
    runs = ["--word-characters", "'Iaeilmst"]
    options = ["--order", "2", *runs, "--output", "x.arpa"]
    result = invoke("lm", "train", "corpus.txt", *options)
    assert result.exit_code == 0, result.stderr
    assert "note: the corpus is one line, which is one sentence; see ctckit" in result.stderr
    assert "5 words in 1 line: " in result.stderr
    assert set(NGramModel.load("x.arpa").words) >= {"It's", "tea", "time", "late"}
    found = facts(
        invoke("lm", "info", "x.arpa", "--text", corpus, "--word-characters", "'Iaeilmst")
    )
    assert found["text: unknown words"] == "0"
    assert facts(invoke("lm", "info", "x.arpa", "--text", corpus))["text: unknown words"] == "2"


def test_rare_ngrams(invoke, corpus):
    options = ["--order", "3", "--min-count", "2", "--output", "x.arpa"]
    assert "14 + 21 + 4 n-grams" in invoke("lm", "train", "corpus.txt", *options).stderr


def test_what_was_added_is_counted(invoke, folder):
    (folder / "x.arpa").write_text(
        "\\data\\\nngram 1=2\nngram 2=0\nngram 3=1\n\\1-grams:\n-1 a\n-1 b\n\\2-grams:\n"
        "\\3-grams:\n-1 a b a\n\\end\\\n"
    )
    found = facts(invoke("lm", "info", "x.arpa"))
    assert (found["1-grams"], found["1-grams added"], found["<unk>"]) == ("3", "1", "added")
    assert (found["2-grams"], found["2-grams added"]) == ("2", "2")
    assert (found["3-grams"], found["<s>"], found["</s>"]) == ("1", "no", "no")
    assert "3-grams added" not in found


BOTH = ("--characters", "--word-characters", "abc")
WRONG = {
    "ending": (
        ["train", "corpus.txt", "--order", "2", "--output", "x.txt"],
        r"output must end in \.arpa or \.arpa\.gz, got 'x\.txt'; the ending says the format",
    ),
    "order": (
        ["train", "corpus.txt", "--order", "0", "--output", "x.arpa"],
        "order must be an integer from 1 to 20, got 0",
    ),
    "too long": (
        ["train", "corpus.txt", "--order", "12", "--output", "x.arpa"],
        "order must be at most 11, the words of the longest sentence",
    ),
    "no order": (["train", "corpus.txt", "--output", "x.arpa"], "order"),
    "two kinds": (
        ["train", "corpus.txt", "--order=2", "--output=x.arpa", *BOTH],
        "--word-characters must not be given with --characters, got 'abc'; give one of the two",
    ),
    "two kinds of text": (
        ["info", "x.arpa", *BOTH],
        "--word-characters must not be given with --characters, got 'abc'",
    ),
    "command": (["trian"], "got 'trian'; did you mean 'train'?"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_wrong_usage(invoke, corpus, kind):
    arguments, message = WRONG[kind]
    result = invoke("lm", *arguments)
    assert result.exit_code == 2
    assert len(result.stderr.splitlines()) == 1
    assert re.search(message, result.stderr)
    assert [one.name for one in corpus.parent.iterdir()] == ["corpus.txt"]


def test_files_that_are_not_there(invoke, folder):
    result = invoke("lm", "train", "none.txt", "--order", "2", "--output", "x.arpa")
    assert result.exit_code == 1
    assert "corpus must be a text file, got 'none.txt', which does not exist" in result.stderr
    result = invoke("lm", "info", "none.arpa")
    assert result.exit_code == 1
    assert "language model must be a file, got 'none.arpa', which does not exist" in result.stderr
    (folder / "x.arpa").write_text("\\data\\\nngram 1=1\n\\1-grams:\n")
    result = invoke("lm", "info", "x.arpa")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: line 4 of 'x.arpa' must be a 1-gram, of which the header says 1, got their "
        "end after 0; get the file again, or put the header right\n"
    )


def test_a_folder_that_is_not_there(invoke, corpus):
    result = invoke("lm", "train", "corpus.txt", "--order", "2", "--output", "none/x.arpa")
    assert result.exit_code == 1
    assert "none" in result.stderr.splitlines()[-1]
    assert "error: file must be usable" in result.stderr


def test_help_loads_no_kernels(ctckit):
    done = ctckit("lm", "train", "--help", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.returncode == 0
    assert "--characters" in done.stdout
    assert "ctckit.cli.lm_train" in done.stderr
    assert "numba" not in done.stderr
