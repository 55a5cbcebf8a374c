"""Lexica against tries of plain Python: words, nodes, arcs, and every spelling."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ctckit import Alphabet, InvalidValueError, MatrixBatch, load_decoder
from ctckit.kernels.lexicon import (
    NO_NODE,
    find_arc,
    find_child,
    first_child_of,
    first_word_of,
    is_word,
    target_of,
)
from ctckit.language import Lexicon
from ctckit.language import lexicon as module
from ctckit.testing.strategies import alphabets

CHARACTERS = "ab' cdé\U0001f600"
WORDS = st.lists(st.text(CHARACTERS + "xñ\U0001f601", max_size=7), max_size=30)


def spellings(word, alphabet, mark=None):
    """Every way to write a word in tokens, the first of which may have the mark before it."""
    if not word:
        return {()}
    found = set()
    for token, index in alphabet.token_ids.items():
        starts = [token]
        if mark and token.startswith(mark) and token != mark:
            starts.append(token.removeprefix(mark))
        for start in starts:
            if word.startswith(start):
                rests = spellings(word.removeprefix(start), alphabet)
                found |= {(index, *rest) for rest in rests}
    return found


def symbols_of(word, alphabet, every, mark=None):
    """What a word's node is found by: a tuple of numbers, or None."""
    if every and not alphabet.single_characters:
        characters = sorted(set("".join(alphabet.token_ids)))
        return tuple(map(characters.index, word)) if spellings(word, alphabet, mark) else None
    try:
        return tuple(alphabet.encode(word).tolist())
    except InvalidValueError:
        return None


def compare(words, alphabet, *, every=False, mark=None):
    """Build a lexicon, and compare all of it; returns it, or None if no word is left."""
    different = set(words) - {""}
    by_symbols = {symbols_of(word, alphabet, every, mark): word for word in different}
    by_symbols.pop(None, None)
    if not by_symbols:
        with pytest.raises(InvalidValueError, match="must hold some word that the alphabet can"):
            Lexicon(words, alphabet, all_spellings=every, word_mark=mark)
        return None
    lexicon = Lexicon(iter(words), alphabet, all_spellings=every, word_mark=mark)
    ordered = sorted(by_symbols)
    texts = [by_symbols[one] for one in ordered]
    assert list(lexicon.words) == texts
    assert len(lexicon) == len(lexicon.words) == len(texts)
    lost = different - set(texts)
    assert lexicon.lost == len(lost)
    first_lost = [word for word in dict.fromkeys(words) if word in lost]
    assert lexicon.lost_examples == tuple(first_lost[:3])
    assert lexicon.numbers(words).tolist() == [
        texts.index(word) if word in texts else -1 for word in words
    ]
    assert all(word in lexicon and lexicon.number(word) == n for n, word in enumerate(texts))

    prefixes = {one[:length] for one in ordered for length in range(len(one) + 1)}
    nodes = sorted(prefixes, key=lambda prefix: (len(prefix), prefix))
    assert len(lexicon.nodes) == len(nodes) + 1
    children = [[one for one in nodes if len(one) and one[:-1] == node] for node in nodes]
    starts = np.cumsum([1, *map(len, children)]).tolist()
    for number, node in enumerate(nodes):
        below = [n for n, one in enumerate(ordered) if one[: len(node)] == node]
        packed = lexicon.nodes[number, 1]
        assert first_word_of(packed) == below[0]
        assert is_word(packed) == (node in by_symbols)
        assert lexicon.word_end[number] == below[-1] + 1
        assert lexicon.token[number] == (node[-1] if node else 0)
        text = by_symbols[ordered[below[0]]]
        if not every or alphabet.single_characters:
            mask = sum(1 << bit for bit in {int(lexicon.bits[one[-1]]) for one in children[number]})
            assert int(lexicon.nodes[number, 0]) % 2**64 == mask
            assert first_child_of(packed) == starts[number]
            text = alphabet.decode(node)
        else:
            text = text[: len(node)]
        assert lexicon.node_of(text) == number
    assert lexicon.node_of("no such word") is None
    return lexicon


def is_live(lexicon, node):
    """Whether a word ends at a node, or can be ended after it."""
    packed, following = lexicon.nodes[node : node + 2, 1].tolist()
    return bool(packed & 1) or following >> 32 > packed >> 32


def compare_arcs(lexicon, alphabet, mark=None):
    """Follow every path from the root: those that end a word are the spellings of the words."""
    found = {}
    reached = {0}
    waiting = [(0, ())]
    for token, index in alphabet.token_ids.items() if mark else ():
        node = lexicon.node_of(token.removeprefix(mark))
        if token.startswith(mark) and token != mark and node is not None and is_live(lexicon, node):
            waiting.append((node, (index,)))
    last = len(lexicon.nodes) - 1
    assert first_child_of(lexicon.nodes[last, 1]) == len(lexicon.arc_target)
    while waiting:
        node, path = waiting.pop()
        mask, packed = lexicon.nodes[node].tolist()
        arcs = range(packed >> 32, int(lexicon.nodes[node + 1, 1]) >> 32)
        assert arcs or is_word(packed) or (mark and node == 0)  # no dead end
        tokens = lexicon.arc_token[arcs.start : arcs.stop].tolist()
        assert tokens == sorted(set(tokens))
        bits = lexicon.bits[tokens].tolist()
        assert mask % 2**64 == sum(1 << bit for bit in set(bits))
        if lexicon.exact_bits:
            assert len(set(bits)) == len(bits)
        if is_word(packed):
            found.setdefault(lexicon.words[first_word_of(packed)], set()).add(path)
        for arc, token in zip(arcs, tokens, strict=True):
            assert find_arc(node, token, lexicon.nodes, lexicon.arc_token) == arc
            target = int(target_of(arc, lexicon.arc_target))
            assert target > node
            reached.add(target)
            waiting.append((target, (*path, token)))
        other = (tokens[-1] if tokens else 0) + 1
        assert find_arc(node, other, lexicon.nodes, lexicon.arc_token) == NO_NODE
    assert found == {word: spellings(word, alphabet, mark) for word in lexicon.words}
    assert lexicon.longest == max(len(path) for paths in found.values() for path in paths)


@given(alphabets(), WORDS)
def test_single_characters(alphabet, words):
    lexicon = compare(words, alphabet)
    if lexicon is not None:
        assert lexicon.longest == max(map(len, lexicon.words))
        assert lexicon.arc_token is lexicon.token
        same = Lexicon(words, alphabet, all_spellings=True)
        np.testing.assert_array_equal(same.nodes, lexicon.nodes)
        assert same.arc_target.size == 0


@given(alphabets(max_size=12, longest=3), WORDS)
def test_the_longest_token_first(alphabet, words):
    lexicon = compare(words, alphabet)
    if lexicon is not None:
        assert lexicon.longest == max(len(alphabet.encode(word)) for word in lexicon.words)


@given(alphabets(min_size=3, max_size=12, longest=3), WORDS)
def test_all_spellings(alphabet, words):
    lexicon = compare(words, alphabet, every=True)
    if lexicon is not None and not alphabet.single_characters:
        compare_arcs(lexicon, alphabet)


@given(alphabets(min_size=3, max_size=14, characters="▁ab'", longest=3), WORDS)
def test_tokens_that_begin_a_word(alphabet, words):
    words = [word.replace(" ", "a").replace("c", "b").replace("d", "'") for word in words]
    lexicon = compare(words, alphabet, every=True, mark="▁")
    if lexicon is not None and not alphabet.single_characters:
        compare_arcs(lexicon, alphabet, "▁")


def test_tokens_that_all_begin_words():
    """No token goes on with a word, so that there is no arc."""
    alphabet = Alphabet(["▁a", "▁b", ""], 2)
    lexicon = compare(["a", "b", "ab"], alphabet, every=True, mark="▁")
    compare_arcs(lexicon, alphabet, "▁")
    assert (lexicon.arc_target.size, lexicon.lost_examples) == (0, ("ab",))
    logits = np.random.default_rng(0).normal(size=(1, 4, 3))
    batch = MatrixBatch.from_logits(logits, alphabet)
    options = {"lexicon": ["a", "b"], "word_separator": "▁", "beam_threshold": None}
    words = load_decoder("ngrambeamsearch", alphabet, **options).decode_batch(batch, n_best=20)
    any_tokens = load_decoder("beamsearch", alphabet).decode_batch(batch, n_best=20)
    assert [one.text for one in words[0]] == [one.text for one in any_tokens[0]]


def test_many_spellings():
    """Enough tokens that bits are shared and the root's arcs are many; not all single letters."""
    rng = np.random.default_rng(5)
    letters = "abcdefgh"
    tokens = {"".join(rng.choice(list(letters), rng.integers(2, 5))) for _ in range(400)}
    alphabet = Alphabet(["", *sorted(tokens), *letters[:-2]], 0)
    words = ["".join(rng.choice(list(letters), rng.integers(1, 9))) for _ in range(150)]
    words += [one + other for one, other in zip(sorted(tokens)[::7], words, strict=False)]
    words += [word[:4] for word in words[:40]] + ["gh", "ghgh", "aaaaaaaa"]
    lexicon = compare(words, alphabet, every=True)
    compare_arcs(lexicon, alphabet)
    assert not lexicon.exact_bits
    assert lexicon.lost > 5


@pytest.mark.parametrize("size", [255, 256, 300, 70_000])
def test_large_alphabets(size):
    """Symbols of one, two and four bytes, whose low bytes may be zero."""
    rng = np.random.default_rng(size)
    characters = [chr(0x20000 + i) for i in range(size - 1)]
    alphabet = Alphabet(["", *characters], 0)
    used = rng.choice(characters, 90).tolist() + characters[-3:] + characters[253:257]
    words = ["".join(rng.choice(used, rng.integers(1, 4))) for _ in range(150)]
    words += [used[0] * 3 + word for word in words[:20]]
    lexicon = compare(words, alphabet)
    assert not lexicon.exact_bits


@pytest.mark.parametrize("part", [1, 7, 1 << 12])
def test_order_and_parts(monkeypatch, part):
    """Words that tie over several rounds of eight bytes; repeated ones, in other parts too."""
    monkeypatch.setattr(module, "_PART", part)
    rng = np.random.default_rng(part)
    alphabet = Alphabet("ba-c", 2)
    stems = ["a" * 8, "a" * 16, "ab" * 9, "b" * 7, ""]
    words = [
        rng.choice(stems) + "".join(rng.choice(list("abc"), rng.integers(0, 4))) for _ in range(200)
    ]
    words += ["a" * 24, "a" * 17, "c", "x", "ax", "x"]
    compare(words, alphabet)


def test_words_as_a_sequence():
    words = ["a", "brown", "dog", "fox", "jumps", "lazy", "over", "quick", "the"]
    lexicon = Lexicon(words[::-1], Alphabet([*map(chr, range(97, 123)), ""], 26))
    assert list(lexicon.words) == words
    for wanted in (slice(None), slice(2, 5), slice(7, 1, -2), slice(-3, None), slice(5, 5)):
        assert lexicon.words[wanted] == words[wanted]
    assert [lexicon.words[i] for i in range(-9, 9)] == words * 2
    assert "fox" in lexicon.words
    assert "cat" not in lexicon.words
    assert lexicon.words.index("fox") == words.index("fox")
    assert repr(lexicon.words) == "<9 words: 'a', 'brown', 'dog', ...>"
    with pytest.raises(IndexError):
        lexicon.words[9]


@pytest.mark.nojit
def test_a_few_tiny_lexica():
    single = compare(["ab", "a", "b'", "", "é", "ab"], Alphabet("ab'-", 3))
    root_child = find_child(0, 1, single.nodes, single.token)
    assert root_child == 2
    assert find_child(0, 2, single.nodes, single.token) == NO_NODE
    assert target_of(root_child, single.arc_target) == root_child
    pieces = Alphabet(["a", "ab", "", "b", "bc", "c"], 2)
    compare(["abc", "ab", "cab", "d"], pieces)
    compare_arcs(compare(["abc", "ab", "cab", "d"], pieces, every=True), pieces)


@pytest.mark.nojit
def test_dead_ends_are_left_out():
    """`a` leads into `abc`, but `bc` cannot be written; `ab` alone could begin `abd`."""
    alphabet = Alphabet(["a", "ab", "abc", "d", ""], 4)
    lexicon = compare(["abc", "abd", "a", "abb"], alphabet, every=True)
    compare_arcs(lexicon, alphabet)
    assert lexicon.lost_examples == ("abb",)


@pytest.mark.nojit
def test_marks_are_no_part_of_words():
    """`b` without its mark is no token, so that nothing but a first letter is written with it."""
    alphabet = Alphabet(["▁a", "▁b", "▁bc", "a", "c", "▁", ""], 6)
    lexicon = compare(["ab", "ba", "bca", "cb", "a"], alphabet, every=True, mark="▁")
    compare_arcs(lexicon, alphabet, "▁")
    assert (lexicon.lost_examples, lexicon.longest) == (("ab", "cb"), 3)
    only = compare(["bb", "ba"], Alphabet(["▁b", "a", ""], 2), every=True, mark="▁")
    assert (list(only.words), only.longest, len(only.arc_token)) == (["ba"], 2, 1)
