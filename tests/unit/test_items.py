"""Lexica of single matrices: files, what is refused, and decoding with them."""

from __future__ import annotations

import json
import pickle
import re

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, NotFoundError, load_decoder
from ctckit.language import NGramModel
from ctckit.language.items import read_item_lexicons

ALPHABET = Alphabet([*"abc .", ""], 5)
ITEMS = {
    "line 1": ["ab", "abc", "b"],
    "line 3": ["c", "cab", "b"],
    "line 4": ["aa", "bb"],
    "line 7": ["abc", "acb", "bca", "cc"],
}


@pytest.fixture
def batch():
    rng = np.random.default_rng(2)
    logits = [rng.normal(size=(frames, 6)) * 2 for frames in (9, 7, 12, 5, 0, 8, 10, 11, 6, 14)]
    ids = [f"line {i}" for i in range(len(logits))]
    return MatrixBatch.from_logits(logits, ALPHABET, ids=ids)


@pytest.fixture
def model(tmp_path):
    words = ["ab", "abc", "b", "c", "cab", "aa", "cc", "ba"]
    rng = np.random.default_rng(3)
    path = tmp_path / "model.arpa"
    texts = [rng.choice(words, rng.integers(1, 6)).tolist() for _ in range(60)]
    NGramModel.train(texts, 3).write_arpa(path)
    return path


def write(folder, name, content):
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


FOUND = {"a": ["x", "y,z"], "b, c": ["é"]}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.csv", 'id,lexicon\na,"x y,z"\n"b, c",é\n'),
        ("x.CSV", '\ufeff\n Lexicon ,more,ID\r\n\r\n"x\n y,z",1,a\r\né,,"b, c"'),
        ("x.jsonl", '{"id": "a", "lexicon": ["x", "y,z"]}\n\n{"lexicon": ["é"], "id": "b, c"}'),
        (
            "x.jsonl",
            '\ufeff {"id": "a", "lexicon": ["x", "y,z"], "n": 1}\r\n'
            '{"lexicon": ["\\u00e9"], "id": "b, c"}\r\n',
        ),
    ],
)
def test_files(tmp_path, name, content):
    assert read_item_lexicons(write(tmp_path, name, content)) == FOUND


def test_a_line_separator_within_a_word_ends_no_line(tmp_path):
    content = json.dumps({"id": "a\u2028b", "lexicon": ["x\u2028y"]}, ensure_ascii=False)
    assert read_item_lexicons(write(tmp_path, "x.jsonl", content)) == {"a\u2028b": ["x\u2028y"]}
    assert read_item_lexicons(write(tmp_path, "x.csv", "id,lexicon\na\u2028b,x y")) == {
        "a\u2028b": ["x", "y"]
    }


def test_mappings():
    given = {"a": ("x", "y,z"), "b, c": {"é"}}
    assert read_item_lexicons(given) == FOUND
    assert read_item_lexicons({"a": np.array(["x", "y"])}) == {"a": ["x", "y"]}


REFUSED = [
    ("x.txt", "", "item_lexicons must be a .csv or .jsonl file, got 'PATH'; convert or rename it"),
    ("x.csv", "", "item_lexicons must hold some id, got 'PATH' without any; leave the option out"),
    ("x.csv", "id,lexicon\n\n", "item_lexicons must hold some id, got 'PATH' without any"),
    (
        "x.csv",
        "\na,b\n1,2",
        "must have columns 'id' and 'lexicon', each once, got ['a', 'b'] in "
        "line 2 of 'PATH'; add a header",
    ),
    (
        "x.csv",
        "id,id,lexicon\n",
        "must have columns 'id' and 'lexicon', each once, got ['id', 'id'",
    ),
    (
        "x.csv",
        "\nid,lexicon\n\na,b\n\n\nb,c,d\n",
        "must have 2 cells a row, as the header, got 3 in "
        "line 7 of 'PATH'; quote cells with commas",
    ),
    (
        "x.csv",
        'id,lexicon\n"a\nb","c\n\n"\nd\n',
        "must have 2 cells a row, as the header, got 1 in "
        "line 6 of 'PATH'; quote cells with commas",
    ),
    (
        "x.csv",
        'id,lexicon\n\n"a\nb","\n"\n',
        "must hold a list of words for each id, got [] in line 3 of 'PATH'; write {\"id\":",
    ),
    (
        "x.csv",
        'id,lexicon\n\n\na,"b"c\n',
        "must be sound CSV, got ',' expected after '\"' in line 4 of "
        "'PATH'; check its quotes, or use .jsonl",
    ),
    (
        "x.csv",
        "id,lexicon\n\na,b\n\n\na,c",
        "must hold each id once, got 'a' again in line 6 of 'PATH'",
    ),
    (
        "x.csv",
        b"id,lexicon\n\na,\xe9",
        "must be UTF-8, got byte 0xe9 in line 3 of 'PATH'; convert it",
    ),
    ("x.jsonl", "\n \n", "item_lexicons must hold some id, got 'PATH' without any"),
    (
        "x.jsonl",
        '\n\n{"id": "a"',
        "must be one JSON object a line, got Expecting ',' delimiter: line 1 "
        "column 11 (char 10) in line 3 of 'PATH'; write {\"id\":",
    ),
    ("x.jsonl", "\n[1]", "must be one JSON object a line, got [1] in line 2 of 'PATH'; write"),
    (
        "x.jsonl",
        '\n{"lexicon": ["a"]}',
        "must have strings as ids, got None in line 2 of 'PATH'; write",
    ),
    (
        "x.jsonl",
        '{"id": 3, "lexicon": ["a"]}',
        "must have strings as ids, got 3 in line 1 of 'PATH'",
    ),
    (
        "x.jsonl",
        '{"id": "a", "lexicon": "a b"}',
        "must hold a list of words for each id, got 'a b' in ",
    ),
    (
        "x.jsonl",
        '{"id": "a", "lexicon": ["a", 1]}',
        "must hold a list of words for each id, got ['a', 1",
    ),
    (
        "x.jsonl",
        '{"id": "a"}',
        "must hold a list of words for each id, got None in line 1 of 'PATH'; ",
    ),
    ("x.jsonl", "[" * 100_000, "must be one JSON object a line, got "),
]


@pytest.mark.parametrize(("name", "content", "message"), REFUSED)
def test_files_that_are_refused(tmp_path, name, content, message):
    path = write(tmp_path, name, content)
    with pytest.raises(InvalidValueError, match=re.escape(message.replace("PATH", str(path)))):
        read_item_lexicons(path)


def test_files_that_are_not_there(tmp_path):
    message = f"item_lexicons must be a text file, got '{tmp_path / 'x.csv'}', which does not exist"
    with pytest.raises(NotFoundError, match=re.escape(message)):
        read_item_lexicons(tmp_path / "x.csv")
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(InvalidValueError, match="item_lexicons must be a readable text file, got "):
        read_item_lexicons(tmp_path / "folder.csv")


@pytest.mark.parametrize(
    ("items", "message"),
    [
        (["a"], "item_lexicons must be a file or a mapping of ids to words, got list; write {"),
        ({}, "item_lexicons must hold some id, got {}; leave the option out, or write {"),
        (
            {"a": []},
            "item_lexicons must hold a list of words for each id, got [] in the entry 'a'; ",
        ),
        ({"a": None}, "item_lexicons must hold a list of words for each id, got None in the entry"),
        (
            {"a": b"ab"},
            "item_lexicons must hold a list of words for each id, got b'ab' in the entry",
        ),
        ({2: ["a"]}, "item_lexicons must have strings as ids, got 2 in the entry 2; write {"),
    ],
)
def test_mappings_that_are_refused(items, message):
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        load_decoder("ngrambeamsearch", ALPHABET, item_lexicons=items)


def one_by_one(batch, items, *, lexicon, **options):
    """Decode each matrix alone, with the lexicon of its id, or the one for all others."""
    found = []
    for i, name in enumerate(batch.ids):
        decoder = load_decoder(
            "ngrambeamsearch", ALPHABET, lexicon=items.get(name, lexicon), **options
        )
        found += list(decoder.decode_batch(batch[i : i + 1], n_best=3))
    return found


def assert_same(lines, expected):
    assert [[one.text for one in line] for line in lines] == [
        [one.text for one in line] for line in expected
    ]
    for line, others in zip(lines, expected, strict=True):
        for one, other in zip(line, others, strict=True):
            assert one.parts == pytest.approx(other.parts, abs=1e-9)


OPTIONS = {
    "plain": {},
    "open": {"open_vocabulary": True, "unknown_score": -3.0},
    "direct": {"word_separator": None},
    "phrases": {"hot_phrases": {"b c": 3.0, "cac": 2.0}},
}


@pytest.mark.parametrize("with_model", [False, True], ids=["no model", "model"])
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_each_matrix_is_decoded_with_its_lexicon(batch, model, options, with_model):
    """What the open words may become is summed over all lexica, so the beam is wide."""
    options = {**options, "beam_width": 400, "beam_threshold": None}
    if with_model:
        options["lm"] = model
    base = ["ab", "ba", "c"]
    decoder = load_decoder(
        "ngrambeamsearch", ALPHABET, lexicon=base, item_lexicons=ITEMS, **options
    )
    found = decoder.decode_batch(batch, n_best=3, threads=1)
    assert_same(found, one_by_one(batch, ITEMS, lexicon=base, **options))
    for threads in (2, 4):
        assert list(decoder.decode_batch(batch, n_best=3, threads=threads)) == list(found)
    assert list(pickle.loads(pickle.dumps(decoder)).decode_batch(batch, n_best=3)) == list(found)
    alone = [decoder.decode_batch(batch[i : i + 1], n_best=3)[0] for i in range(len(batch))]
    assert alone == list(found)


def test_lexica_for_all_need_no_other(batch, tmp_path):
    rows = [json.dumps({"id": name, "lexicon": words}) for name, words in ITEMS.items()]
    path = write(tmp_path, "x.jsonl", "\n".join(rows))
    rows = [f"{name},{' '.join(words)}" for name, words in ITEMS.items()]
    table = write(tmp_path, "x.csv", "\n".join(["id,lexicon", *rows]))
    kept = MatrixBatch.concatenate([batch[i : i + 1] for i in (1, 3, 4, 7)])
    expected = one_by_one(kept, ITEMS, lexicon=None)
    for items in (ITEMS, path, str(table)):
        decoder = load_decoder("ngrambeamsearch", ALPHABET, item_lexicons=items)
        assert_same(decoder.decode_batch(kept, n_best=3), expected)
        assert len(decoder.decode_batch(kept[:0])) == 0
        message = (
            "item_lexicons must hold every matrix if there is no lexicon, got none for 'line 0'; "
            "add it, or give a lexicon for all others"
        )
        with pytest.raises(InvalidValueError, match=re.escape(message)):
            decoder.decode_batch(batch)


def test_a_model_gives_the_lexicon_of_all_others(batch, model):
    decoder = load_decoder("ngrambeamsearch", ALPHABET, lm=model, item_lexicons=ITEMS)
    plain = load_decoder("ngrambeamsearch", ALPHABET, lm=model)
    found, expected = decoder.decode_batch(batch), plain.decode_batch(batch)
    others = [i for i, name in enumerate(batch.ids) if name not in ITEMS]
    assert [found[i][0].text for i in others] == [expected[i][0].text for i in others]
    assert found.texts() != expected.texts()


def test_no_word_of_another_lexicon_is_written():
    rng = np.random.default_rng(6)
    words = ["".join(rng.choice(list("abc"), rng.integers(1, 5))) for _ in range(60)]
    items = {f"{i}": rng.choice(words, rng.integers(1, 5)).tolist() for i in range(400)}
    logits = [rng.normal(size=(rng.integers(1, 20), 6)) * rng.choice([0.5, 2, 6]) for _ in items]
    batch = MatrixBatch.from_logits(logits, ALPHABET, ids=list(items))
    decoder = load_decoder("ngrambeamsearch", ALPHABET, item_lexicons=items)
    written = 0
    for name, line in zip(items, decoder.decode_batch(batch, n_best=2), strict=True):
        for one in line:
            found = re.findall("[abc]+", one.text)
            assert set(found) <= set(items[name])
            written += len(found)
    assert written > 1000


def test_ids_that_no_matrix_has_change_nothing(batch):
    more = {**ITEMS, "another": ["aaa"], "line 10": ["bbb"]}
    few, many = (
        load_decoder("ngrambeamsearch", ALPHABET, lexicon=["ab"], item_lexicons=items)
        for items in (ITEMS, more)
    )
    assert list(few.decode_batch(batch)) == list(many.decode_batch(batch))
