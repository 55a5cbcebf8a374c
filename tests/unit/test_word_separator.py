"""The option word_separator: its values, and lines of scripts that write no spaces."""
# ruff: noqa: RUF001 - the full-width comma is meant

from __future__ import annotations

import re

import numpy as np
import pytest

from ctckit import Alphabet, InvalidValueError, MatrixBatch, load_decoder
from ctckit.language import Lexicon, default_word_characters, split_words

THAI = """แม่ ไป ตลาด ซื้อ ผัก และ ผลไม้ สด ทุก วัน
นักเรียน อ่าน หนังสือ ที่ ห้องสมุด
เด็ก นั่ง ตาก ลม ที่ หน้า บ้าน
เขา มี ตา กลม และ ผม ยาว
ฉัน กิน ข้าว กับ ปลา ทุก เช้า
พ่อ ทำงาน ใน เมือง ใหญ่
น้อง เรียน ภาษา ไทย ที่ โรงเรียน
"""
CHINESE = """今天 天气 很 好 ， 我们 去 北京 大学 看 朋友 。
研究生 研究 生命 的 起源 。
他 在 学校 学习 中文 ， 也 学 英文 。
老师 说 明天 没有 课 。
我 喜欢 在 家里 看 书 ， 不 喜欢 看 电影 。
大学生 在 图书馆 里 读书 。
人民 的 生活 一天 比 一天 好 。
她 昨天 买 了 三 本 新 书 。
这个 问题 很 大 ， 后天 再 谈 。
上海 是 一 个 大 城市 。
"""
MODES = pytest.mark.parametrize("mode", ["Words", "NGrams", "NGramsForecast"])


def alphabet_of(corpus):
    """Return the characters of a corpus and some that no word has, the blank in the middle."""
    tokens = sorted({*corpus, *" .-0123456789"} - {"\n"})
    return Alphabet([*tokens[:20], "", *tokens[20:]], 20)


def line_matrix(text, alphabet, seed, strength=7):
    """Return logits of a line: one or two noisy frames a character, and most often a blank."""
    rng = np.random.default_rng(seed)
    path = []
    for one in alphabet.encode(text):
        if path and path[-1] != alphabet.blank and (path[-1] == one or rng.random() < 0.7):
            path.append(alphabet.blank)
        path += [one] * rng.integers(1, 3)
    logits = rng.normal(size=(len(path), len(alphabet))) * 1.5
    logits[np.arange(len(path)), path] += strength
    return logits


def loader(tmp_path, corpus, alphabet, **options):
    path = tmp_path / "corpus.txt"
    path.write_text(corpus, encoding="utf-8")
    return load_decoder("wordbeamsearch", alphabet, corpus=path, smoothing=0.1, **options)


THAI_LINES = (
    "แม่และเด็กไปซื้อหนังสือที่ตลาดทุกวัน",
    "นักเรียนนั่งอ่านหนังสือที่หน้าบ้านทุกเช้า",
    "เด็กตากลมกินปลากับผลไม้สด",
)
CHINESE_LINES = (
    "研究生说大学生活很好，也喜欢读书。",
    "我们昨天买了三本英文书。",
    "老师今天在图书馆里看书，不去学校。",
)
SCRIPTS = pytest.mark.parametrize(
    ("corpus", "texts"),
    [pytest.param(THAI, THAI_LINES, id="thai"), pytest.param(CHINESE, CHINESE_LINES, id="chinese")],
)


def test_the_corpora_are_what_they_should_be():
    for corpus, exact in ((THAI, True), (CHINESE, False)):
        alphabet = alphabet_of(corpus)
        words = split_words(corpus, default_word_characters(alphabet))
        assert words == [one for one in corpus.split() if one not in "，。"]
        assert Lexicon(words, alphabet).exact_bits is exact


@MODES
@SCRIPTS
def test_a_line_without_spaces(corpus, texts, mode, tmp_path):
    alphabet = alphabet_of(corpus)
    batch = MatrixBatch.from_logits([line_matrix(texts[0], alphabet, 16)], alphabet)
    assert load_decoder("bestpath", alphabet).decode_batch(batch).texts() != [texts[0]]
    found = loader(tmp_path, corpus, alphabet, mode=mode, word_separator=None)
    assert found.decode_batch(batch).texts() == [texts[0]]
    (invented,) = loader(tmp_path, corpus, alphabet, mode=mode).decode_batch(batch).texts()
    assert set(invented) & set("0123456789 .-")


@SCRIPTS
def test_many_lines_without_spaces(corpus, texts, tmp_path):
    alphabet = alphabet_of(corpus)
    texts = texts * 8
    matrices = [line_matrix(text, alphabet, seed) for seed, text in enumerate(texts)]
    batch = MatrixBatch.from_logits(matrices, alphabet)

    def right(decoder):
        found = decoder.decode_batch(batch).texts()
        return sum(text == one for text, one in zip(texts, found, strict=True))

    assert right(loader(tmp_path, corpus, alphabet)) == 0
    found = right(loader(tmp_path, corpus, alphabet, word_separator=None))
    assert found > len(texts) / 2
    assert found > right(load_decoder("bestpath", alphabet))


def in_language(text, words, *, completed):
    """Return whether a text is words and perhaps the beginning of one more."""
    reached = {0}
    for end in range(1, len(text) + 1):
        if any(start in reached and text[start:end] in words for start in range(end)):
            reached.add(end)
    if len(text) in reached:
        return True
    return any(
        sum(word.startswith(text[start:]) for word in words) > completed for start in reached
    )


@pytest.mark.parametrize("complete", [True, False])
@MODES
def test_nothing_but_words(mode, complete, tmp_path):
    """No other character is there to stand between them."""
    rng = np.random.default_rng(8)
    words = ["天气", "天", "今天", "大学", "大学生", "学生", "生活", "气", "生活费"]
    alphabet = Alphabet([*"今天气大学生活费", ""], 8)
    decoder = loader(
        tmp_path,
        " ".join(rng.choice(words, 60)),
        alphabet,
        mode=mode,
        word_separator=None,
        complete_last_word=complete,
        beam_width=4,
    )
    matrices = [
        rng.normal(size=(rng.integers(0, 12), 9)) * rng.choice([1, 3, 6]) for _ in range(2000)
    ]
    decoded = decoder.decode_batch(MatrixBatch.from_logits(matrices, alphabet), n_best=3)
    longer = 0
    for line in decoded:
        assert len({one.text for one in line}) == len(line)
        for one in line:
            assert in_language(one.text, words, completed=complete), one.text
            longer += one.text not in words
    assert longer > 1000


def test_a_letter_doubled_between_words(tmp_path):
    """A blank must stand between them, as between any two of one token."""
    alphabet = Alphabet(["a", "b", ""], 2)
    decoder = loader(tmp_path, "ab ba", alphabet, word_separator=None)
    paths = [[0, 1, 1, 0], [0, 1, 2, 1, 0]]
    batch = MatrixBatch.from_probs([np.eye(3)[path] for path in paths], alphabet)
    assert decoder.decode_batch(batch).texts() == ["abab", "abba"]  # the last "a" is completed


def test_other_characters_may_stand_between(tmp_path):
    alphabet = Alphabet([*"ab1 ", ""], 4)
    decoder = loader(tmp_path, "ab", alphabet, word_separator=None)
    path = alphabet.encode("1ab1 1abab 1")
    batch = MatrixBatch.from_probs([np.eye(5)[path]], alphabet)
    assert decoder.decode_batch(batch).texts() == ["1ab1 1abab 1"]


@pytest.mark.parametrize(
    ("corpus", "complete", "text"),
    [
        ("ab abcd", True, "ab"),  # a word already
        ("a b abcd", True, "ab"),  # two words
        ("a abcd", True, "abcd"),
        ("a abcd", False, "ab"),
        ("a abcd abce", True, "ab"),
        ("abcd a bc", True, "abcd"),  # of two ways to complete it that of the longer open word
    ],
)
def test_completion(corpus, complete, text, tmp_path):
    alphabet = Alphabet([*"abcde", ""], 5)
    decoder = loader(tmp_path, corpus, alphabet, word_separator=None, complete_last_word=complete)
    batch = MatrixBatch.from_probs([np.eye(6)[[0, 1]]], alphabet)
    assert decoder.decode_batch(batch).texts() == [text]


def test_other_separators_change_nothing(tmp_path):
    """Every token separates that is no word character."""
    alphabet = Alphabet([*"ab| ", ""], 4)
    rng = np.random.default_rng(2)
    batch = MatrixBatch.from_logits([rng.normal(size=(9, 5)) * 3 for _ in range(50)], alphabet)
    default, *others = (
        loader(tmp_path, "ab a ba", alphabet, **options).decode_batch(batch, n_best=3)
        for options in ({}, {"word_separator": " "}, {"word_separator": "|"})
    )
    for other in others:
        assert list(other) == list(default)
    without = loader(tmp_path, "ab a ba", alphabet, word_separator=None)
    assert without.decode_batch(batch).texts() != default.texts()


@pytest.mark.parametrize(
    ("separator", "message"),
    [
        (
            "_",
            "word_separator must be one of the alphabet's tokens or None, got '_'; "
            "give None if words follow each other directly",
        ),
        ("", "word_separator must be one of the alphabet's tokens or None, got ''; "),
        (" ", "word_separator must be one of the alphabet's tokens or None, got ' '; "),
        (
            "a",
            "word_separator must not be made of word characters, got 'a'; "
            "name the others by word_characters",
        ),
        (1, "word_separator must be a string or None, got 1; it is: "),
    ],
)
def test_separators_that_are_refused(separator, message, tmp_path):
    alphabet = Alphabet([*"ab|", ""], 3)
    with pytest.raises(InvalidValueError, match=re.escape(message)):
        loader(tmp_path, "ab", alphabet, word_separator=separator)


def test_the_default_asks_for_no_space_in_the_alphabet(tmp_path):
    alphabet = Alphabet([*"ab|", ""], 3)
    decoder = loader(tmp_path, "ab a", alphabet)
    assert decoder.word_separator == " "
    batch = MatrixBatch.from_probs([np.eye(4)[[0, 1, 2, 0]]], alphabet)
    assert decoder.decode_batch(batch).texts() == ["ab|a"]
