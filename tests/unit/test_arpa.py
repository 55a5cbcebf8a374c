"""ARPA files: what is read, and what damage is called."""

from __future__ import annotations

import gzip
import math

import numpy as np
import pytest

from ctckit import InvalidValueError, NotFoundError
from ctckit.language import NGramModel

WHOLE = r"""made by hand

\data\
ngram 1=5
ngram 2=3
ngram 3=1

\1-grams:
-2.5	<unk>
-99	<s>	-0.5
-0.5	</s>
-0.75	tea	-0.25
-1.25	für	-0.125

\2-grams:
-0.5	<s> tea	-0.75
-0.25	tea </s>
-0.375	tea für

\3-grams:
-0.0625	<s> tea </s>

\end\
"""
LINES = WHOLE.splitlines()


@pytest.fixture(autouse=True)
def no_cache(monkeypatch):
    monkeypatch.setenv("CTCKIT_CACHE_DIR", "")


@pytest.fixture
def load(tmp_path):
    """Write a file and load it."""

    def write_and_load(content):
        path = tmp_path / "x.arpa"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return NGramModel.load(path)

    return write_and_load


def with_line(number, line):
    """Return the whole file with another line; they count from 1. None removes it."""
    lines = list(LINES)
    lines[number - 1 : number] = [] if line is None else [line]
    return "\n".join(lines) + "\n"


def test_what_it_holds(load):
    model = load(WHOLE)
    assert (model.order, model.counts, model.added) == (3, [5, 3, 1], [0, 0, 0])
    assert list(model.words) == ["<unk>", "<s>", "</s>", "tea", "für"]
    assert (model.unknown, model.begin, model.end) == (0, 1, 2)
    log_probs, orders = model.word_scores(["tea", "für", "x"])
    expected = [-0.5, -0.75 - 0.375, -0.125 - 2.5, -0.5]
    np.testing.assert_allclose(log_probs / math.log(10), expected, rtol=1e-6)
    assert orders.tolist() == [2, 2, 1, 1]
    assert model.score(["tea"]) / math.log(10) == pytest.approx(-0.5 - 0.0625)


@pytest.mark.parametrize(
    "content",
    [
        WHOLE.replace("\n", "\r\n"),
        WHOLE.replace("\n", " \n\n").replace("ngram ", "ngram  ").replace("=", " = "),
        WHOLE.replace("\t", "  ").replace("tea für", "tea\tfür"),
        "\ufeff" + WHOLE.partition("\n\n")[2],
        WHOLE.replace("-0.5", "-.5").replace("-2.5", "-25e-1").replace("-0.25", "-0.00025E+3"),
        WHOLE.replace("\t-0.125\n", "\t-0.125000000000000000000000000000\n"),
        WHOLE.rstrip("\n"),
        gzip.compress(WHOLE.encode(), mtime=0),
        gzip.compress(WHOLE[:100].encode(), mtime=0) + gzip.compress(WHOLE[100:].encode(), mtime=0),
    ],
    ids=["CRLF", "blanks", "spaces", "BOM", "numbers", "digits", "no newline", "gzip", "members"],
)
def test_files_that_are_as_good(load, content):
    expected = load(WHOLE)
    model = load(content)
    assert list(model.words) == list(expected.words)
    for one, other in zip(model.arrays, expected.arrays, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)


def test_unigrams_alone(load):
    model = load("\\data\\\nngram 1=1\n\\1-grams:\n0 a\n\\end\\\n")
    assert list(model.words) == ["a", "<unk>"]
    assert (model.begin, model.end, model.unknown, model.added) == (-1, -1, 1, [1])
    assert model.score(["a", "a"]) == 0
    assert model.score(["b"]) == pytest.approx(-100 * math.log(10))


def test_unknown_words_in_capitals(load):
    model = load(WHOLE.replace("<unk>", "<UNK>"))
    assert (model.unknown, model.added, model.words[0]) == (0, [0, 0, 0], "<UNK>")


def test_no_probability_at_all_and_rounded_ones(load):
    model = load(WHOLE.replace("-2.5", "-inf").replace("-0.0625", "1.34209e-07"))
    assert model.score(["x"]) == -math.inf
    assert model.word_scores(["tea"])[0][-1] == 0


def test_numbers_are_read_as_python_reads_them(load):
    rng = np.random.default_rng(2)
    values = -(10.0 ** rng.uniform(-9, 3, 2000))
    forms = ("{:.7g}", "{:.3e}", "{:f}", "{!r}", "{:.30f}", "{:.0f}", "{:.20E}", "{:.1f}0")
    texts = [forms[i % len(forms)].format(value) for i, value in enumerate(values.tolist())]
    lines = [f"{text}\tw{i}" for i, text in enumerate(texts)]
    model = load("\n".join(["\\data\\", "ngram 1=2000", "\\1-grams:", *lines, "\\end\\"]))
    expected = np.array(texts, dtype=np.float64) * math.log(10)
    np.testing.assert_allclose(model.log_prob[1:2001], expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("text", ["-1e-400", "-0", "+0", "-0e99999", "-0.0000000e-0"])
def test_numbers_that_are_nothing(load, text):
    assert load(f"\\data\\\nngram 1=1\n\\1-grams:\n{text} a\n\\end\\\n").log_prob[1] == 0


@pytest.mark.parametrize("text", ["-1e400", "-1e99999", "-9" + "9" * 400])
def test_numbers_beyond_all(load, text):
    model = load(f"\\data\\\nngram 1=1\n\\1-grams:\n{text} a\n\\end\\\n")
    assert model.log_prob[1] == -np.inf


BAD_LINES = {
    "no number": (
        (11, "zzz\t</s>"),
        "line 11 of '.*x.arpa' must begin with a log10 probability of at most 0, got 'zzz'; "
        "make the model again, or put the line right",
    ),
    "NaN": ((11, "nan\t</s>"), "line 11 .* probability of at most 0, got 'nan'"),
    "half a number": ((11, "-0.5-\t</s>"), "line 11 .* got '-0.5-'"),
    "no exponent": ((11, "-0.5e\t</s>"), "line 11 .* got '-0.5e'"),
    "only a point": ((11, "-.\t</s>"), r"line 11 .* got '-\.'"),
    "positive": ((11, "0.5\t</s>"), r"line 11 .* of at most 0, got '0\.5'"),
    "inf": ((11, "inf\t</s>"), "line 11 .* of at most 0, got 'inf'"),
    "no word": ((11, "-0.5"), "line 11 of .* must hold 1 word, got fewer; make"),
    "two words": (
        (11, "-0.5\tx </s>"),
        "line 11 of .* must hold nothing but a backoff weight after 1 word, got '</s>'; make",
    ),
    "three words": (
        (11, "-0.5\tx y </s>"),
        "line 11 of .* must hold 1 word and a backoff weight, got more; make",
    ),
    "backoff NaN": (
        (10, "-99\t<s>\tnan"),
        "line 10 of .* a backoff weight after 1 word, got 'nan'",
    ),
    "backoff -inf": (
        (10, "-99\t<s>\t-inf"),
        "line 10 of .* a backoff weight after 1 word, got '-inf'",
    ),
    "one word of two": ((18, "-0.375\ttea"), "line 18 of .* must hold 2 words, got fewer; make"),
    "three words of two": (
        (18, "-0.375\ttea tea für"),
        "line 18 of .* a backoff weight after 2 words, got 'für'",
    ),
    "no unigram": (
        (18, "-0.375\ttea coffee"),
        "line 18 of .* must hold words that are unigrams, got 'coffee'; make",
    ),
    "backoff at the end": (
        (21, "-0.0625\t<s> tea </s>\t-0.5"),
        "line 21 of .* must have no backoff weight, as the longest n-grams, got '-0.5'; make",
    ),
    "unigram twice": (
        (13, "-1.25\ttea"),
        "line 13 of .* must hold a word that is new, got 'tea'; remove one of the two unigrams",
    ),
    "bigram twice": (
        (18, "-0.375\ttea </s>"),
        "line 18 of '.*x.arpa' must hold an n-gram that is new, got one that stands before; remove "
        "one of the two",
    ),
    "one too many": (
        (13, "-1.25\ttea\n-1.25\tfür"),
        "line 14 of .* must be no 1-gram, of which the header says 5, got one more; get the file "
        "again, or put the header right",
    ),
    "one too few": (
        (17, None),
        "line 19 of .* must be a 2-gram, of which the header says 3, got their end after 2; get",
    ),
    "no section": ((15, None), "line 15 of .* must be no 1-gram, of which .* 5, got one more; get"),
    "wrong section": (
        (15, "\\4-grams:"),
        r"line 15 of .* must be \\2-grams:, got '\\\\4-grams:'; get",
    ),
    "no end": (
        (23, None),
        r"line 23 of '.*' must be \\end\\, got the end of the file; get the file again, it is not",
    ),
    "header in disorder": (
        (5, "ngram 3=3"),
        "line 5 of .* must hold 'ngram 2=COUNT', got 'ngram 3=3'; make",
    ),
    "header not read": (
        (5, "ngrams: 3"),
        "line 5 of .* must hold 'ngram 2=COUNT', got 'ngrams: 3'",
    ),
    "no words": (
        (4, "ngram 1=0"),
        "line 4 of .* must name 1 to 2,147,483,646 n-grams, got 'ngram 1=0'",
    ),
    "too many": (
        (4, "ngram 1=9999999999"),
        "line 4 of .* must name 1 to 2,147,483,646 n-grams",
    ),
    "more than there can be": (
        (4, "ngram 1=99999"),
        "line 4 of .* must name as many n-grams as the file can hold, got 'ngram 1=99999'; get",
    ),
    "long": ((11, "x" * 50 + "\t</s>"), r"got 'x{40}\.\.\.'; "),
}


@pytest.mark.parametrize("kind", BAD_LINES)
def test_bad_lines_are_named(load, kind):
    place, message = BAD_LINES[kind]
    content = with_line(*place).encode()
    with pytest.raises(InvalidValueError, match=message):
        load(content)
    with pytest.raises(InvalidValueError, match=message):
        load(gzip.compress(content))


def test_a_header_without_counts(load):
    content = WHOLE.replace("ngram 1=5\nngram 2=3\nngram 3=1\n", "")
    with pytest.raises(InvalidValueError, match=r"line 5 of .* must hold 'ngram 1=COUNT', got '\\"):
        load(content)


def test_a_file_that_is_cut_off(load):
    whole = WHOLE.rstrip().encode()
    for kept in range(0, len(whole), 7):
        with pytest.raises(InvalidValueError, match=r"line \d+ of|with a line \\data\\"):
            load(whole[:kept])
    with pytest.raises(InvalidValueError, match=r"must be \\end\\, got '\\\\end'"):
        load(whole[:-1])


@pytest.mark.parametrize("number", [11, 13, 18])
def test_bytes_that_are_no_utf8(load, number):
    lines = WHOLE.encode().split(b"\n")
    lines[number - 1] = lines[number - 1].replace(b"</s>", b"<\xff>").replace("ü".encode(), b"\xfc")
    with pytest.raises(
        InvalidValueError, match=rf"line {number} of .* must be UTF-8, got '.*\\\\x"
    ):
        load(b"\n".join(lines))


def test_a_character_in_two_words(load):
    content = (
        WHOLE.encode()
        .replace(b"\ttea\t-0.25", b"\t\xc3\t-0.25")
        .replace("\tfür".encode(), b"\t\xbcx", 1)
    )
    with pytest.raises(InvalidValueError, match=r"line 1[23] of .* must be UTF-8, got"):
        load(content)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", r"must be a file with a line \\data\\, got an empty file in '.*x.arpa'; get it"),
        (b"hello\n" * 9, r"a line \\data\\, got none in '.*x.arpa'; give an ARPA file, or one"),
        (WHOLE.encode("utf-16"), "got UTF-16 in '.*'; convert it, for example with iconv"),
        (b"mmap lm http://kheafield.com/code format version 5\n", "got KenLM's binary format in"),
        (gzip.compress(b"", mtime=0), "got an empty file in"),
        (gzip.compress(WHOLE.encode(), mtime=0)[:-9], "must be a whole gzip file, got '.*x.arpa', "
         "which is damaged or cut off; get it again"),
        (gzip.compress(WHOLE.encode(), mtime=0)[:5], "must be a whole gzip file"),
        (gzip.compress(WHOLE.encode(), mtime=0)[:-9] + bytes(9), "must be a whole gzip file"),
        (b"\x1f\x8b\x08" + b"x" * 50, "must be a whole gzip file"),
    ],
)  # fmt: skip
def test_what_is_no_arpa_file(load, content, message):
    with pytest.raises(InvalidValueError, match=message):
        load(content)


def test_no_file(tmp_path):
    with pytest.raises(NotFoundError, match=r"got '.*none', which does not exist; check the path"):
        NGramModel.load(tmp_path / "none")
    with pytest.raises(InvalidValueError, match=r"can be read, got '.*': Is a directory; check"):
        NGramModel.load(tmp_path)
