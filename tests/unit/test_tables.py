"""The tables of a model as a lexicon's words see it, against the model itself."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from ctckit import Alphabet
from ctckit.kernels.jit import F64, I64, I64_1D, OUT_F64_1D, OUT_I64_1D, VOID, kernel
from ctckit.kernels.language import MODEL, fill_row, log_look_ahead, open_rows, score_word
from ctckit.language import Lexicon, NGramModel
from ctckit.language.tables import LanguageTables
from ctckit.testing.language import arpa_text, random_model

LETTERS = "abc"
ALPHABET = Alphabet([*LETTERS, ""], 3)
WORDS = ["".join(one) for n in (1, 2, 3) for one in itertools.product(LETTERS, repeat=n)]


@kernel(VOID(I64_1D, I64, MODEL, OUT_F64_1D, OUT_I64_1D))
def score_words(words, state, model, log_probs, states):
    """Write each word's log-probability after those before it, and the context then."""
    for i in range(words.size):
        log_probs[i], state = score_word(state, words[i], model)
        states[i] = state


@kernel(F64(I64, I64, I64, I64, MODEL))
def look_ahead(context, begin, end, order, model):
    """Return the log-probability of the lexicon's words from begin to end after a context."""
    lows = np.zeros((1, order), dtype=np.int64)
    highs = np.zeros((1, order), dtype=np.int64)
    open_rows(context, 0, lows, highs, model)
    return log_look_ahead(context, begin, end, 0, lows, highs, model)


@kernel(VOID(I64, F64, I64, MODEL, OUT_F64_1D))
def row_of(context, lm_weight, size, model, row):
    """Write exp(lm_weight * log-probability) of all words after a context."""
    rows = np.zeros((1, size))
    fill_row(context, lm_weight, 0, rows, model)
    row[:] = rows[0]


def numbers_of(tables, lexicon, words):
    """The tables' numbers of words."""
    known_before, known = tables.columns[-2:]
    found = []
    for word in words:
        number = lexicon.number(word)
        is_known = known_before[number + 1] > known_before[number]
        found.append(known[known_before[number]] if is_known else tables.unknown)
    return np.array(found, dtype=np.int64)


class Case:
    """A model, a lexicon that shares some of its words, and the tables."""

    def __init__(self, rng, folder, order, *, lacking=(), count=150):
        chosen = rng.permutation(WORDS)
        self.lexicon = Lexicon(chosen[:20].tolist(), ALPHABET)
        self.known = set(chosen[5:28].tolist())  # five are unknown, eight not in the lexicon
        grams, _ = random_model(rng, sorted(self.known), order, count)
        while max(map(len, grams)) < order:
            grams, _ = random_model(rng, sorted(self.known), order, count)
        grams = {gram: values for gram, values in grams.items() if not set(gram) & set(lacking)}
        path = folder / "model.arpa"
        path.write_text(arpa_text(grams), encoding="utf-8")
        self.take(NGramModel.load(path))

    def take(self, model):
        self.model = model
        numbers = model.words.numbers(self.lexicon.words, unknown=-1)
        self.tables = LanguageTables(model, numbers)

    def score(self, history, word, *, begin):
        """What the model says."""
        return self.model.word_scores([*history, word], begin=begin, end=False)[0][-1]

    def context(self, history, *, begin):
        """The tables' context after words."""
        state = self.tables.first_state if begin else 0
        numbers = numbers_of(self.tables, self.lexicon, history)
        states = np.zeros(len(numbers), dtype=np.int64)
        score_words(numbers, state, self.tables.columns, np.zeros(len(numbers)), states)
        return int(states[-1]) if len(states) else state

    def compare_words(self, rng):
        """Score random texts, their starts and ends among them."""
        for begin in (True, False):
            words = rng.choice(list(self.lexicon.words), 12).tolist()
            numbers = numbers_of(self.tables, self.lexicon, words)
            if self.tables.end >= 0:
                numbers = np.append(numbers, self.tables.end)
            state = self.tables.first_state if begin else 0
            log_probs, states = np.zeros(len(numbers)), np.zeros(len(numbers), dtype=np.int64)
            score_words(numbers, state, self.tables.columns, log_probs, states)
            expected, _ = self.model.word_scores(words, begin=begin)
            assert log_probs == pytest.approx(expected, abs=1e-5)

    def compare_ranges(self, rng, tables=None, lexicon=None, exact=True):
        """Sum over ranges of words, and compare with the sum of what the model says of each."""
        tables, lexicon = tables or self.tables, lexicon or self.lexicon
        for begin in (True, False):
            history = rng.choice(list(lexicon.words), rng.integers(0, 4)).tolist()
            context = self.context(history, begin=begin)
            for start, stop in itertools.combinations(range(len(lexicon) + 1), 2):
                words = lexicon.words[start:stop]
                probs = [
                    math.exp(self.score(history, word, begin=begin))
                    for word in words
                    if word in self.known
                ]
                if len(probs) < len(words):
                    probs.append(math.exp(self.score(history, "<unk>", begin=begin)))
                found = look_ahead(context, start, stop, tables.order, tables.columns)
                expected = math.log(min(math.fsum(probs), 1.0))
                if exact:
                    assert found == pytest.approx(expected, abs=1e-4)
                else:
                    assert found >= expected - 1e-4


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_random_models(rng, tmp_path, order):
    for _ in range(3):
        case = Case(rng, tmp_path, order)
        case.compare_words(rng)
        case.compare_ranges(rng)
        assert case.tables.known == 15
        assert case.tables.order == order


@pytest.mark.parametrize(
    "lacking", [("<s>",), ("</s>",), ("<unk>",), ("<s>", "</s>"), ("<s>", "</s>", "<unk>")]
)
def test_models_without_special_words(rng, tmp_path, lacking):
    case = Case(rng, tmp_path, 3, lacking=lacking)
    case.compare_words(rng)
    case.compare_ranges(rng)
    assert (case.tables.end < 0) == ("</s>" in lacking)
    if "<s>" in lacking:
        assert case.tables.first_state == 0


def test_models_that_are_trained_and_pruned(rng, tmp_path):
    case = Case(rng, tmp_path, 2)
    texts = [rng.choice(sorted(case.known), rng.integers(1, 9)).tolist() for _ in range(60)]
    for order, min_count in ((1, 1), (3, 1), (4, 2)):
        case.take(NGramModel.train(texts, order, min_count=min_count))
        case.known &= set(case.model.words)
        case.compare_words(rng)
        case.compare_ranges(rng)


def test_all_words_of_a_model_are_probable_once(rng):
    """Of a trained model, over all that may follow, the end of the sentence among it."""
    texts = [rng.choice(WORDS, rng.integers(1, 9)).tolist() for _ in range(80)]
    model = NGramModel.train(texts, 3)
    lexicon = Lexicon([word for word in model.words if word[0] != "<"], ALPHABET)
    tables = LanguageTables(model, model.words.numbers(lexicon.words, unknown=-1))
    for context in (0, tables.first_state):
        inside = look_ahead(context, 0, len(lexicon), tables.order, tables.columns)
        rest = np.zeros(2)
        numbers = np.array([tables.unknown, tables.end])
        for i in range(2):
            states = np.zeros(1, dtype=np.int64)
            score_words(numbers[i : i + 1], context, tables.columns, rest[i : i + 1], states)
        assert math.exp(inside) + np.exp(rest).sum() == pytest.approx(1.0, abs=1e-4)


def test_lexica_that_share_nothing_or_all(rng, tmp_path):
    case = Case(rng, tmp_path, 3)
    unknown = case.model.word_scores(["<unk>"], begin=True, end=False)[0][0]
    other = Lexicon(["ccca", "cccb"], ALPHABET)
    tables = LanguageTables(case.model, case.model.words.numbers(other.words, unknown=-1))
    assert tables.known == 0
    for start, stop in ((0, 1), (0, 2)):
        found = look_ahead(tables.first_state, start, stop, 3, tables.columns)
        assert found == pytest.approx(unknown, abs=1e-5)
    case.lexicon = Lexicon(sorted(case.known), ALPHABET)
    case.take(case.model)
    assert case.tables.known == len(case.known)
    case.compare_words(rng)
    case.compare_ranges(rng)


def test_fewer_words(rng, tmp_path):
    """They are scored alike; a range may also count words in between that the others have."""
    case = Case(rng, tmp_path, 3)
    everything, tables = case.lexicon, case.tables
    for size in (1, 4, 19, 20):
        some = Lexicon(rng.permutation(list(everything.words))[:size].tolist(), ALPHABET)
        seen = tables.seen_by(everything.numbers(some.words))
        assert seen.known == sum(word in case.known for word in some.words)
        assert seen.order == tables.order
        case.lexicon, case.tables = some, seen
        case.compare_words(rng)
        case.compare_ranges(rng, exact=size == 20)
        for number, word in enumerate(some.words):
            found = look_ahead(seen.first_state, number, number + 1, 3, seen.columns)
            spelled = word if word in case.known else "<unk>"
            assert found == pytest.approx(case.score([], spelled, begin=True), abs=1e-5)


def test_more_words(rng, tmp_path):
    """They are unknown, whichever place they have among the others."""
    case = Case(rng, tmp_path, 3)
    more = [word for word in WORDS if word not in case.lexicon and word not in case.known]
    for added in ([], more[:1], more):
        longer = Lexicon([*case.lexicon.words, *added], ALPHABET)
        seen = case.tables.seen_with(np.sort(longer.numbers(added)))
        assert (seen.known, seen.order) == (case.tables.known, case.tables.order)
        bigger = Case.__new__(Case)
        bigger.model, bigger.known, bigger.lexicon, bigger.tables = (
            case.model, case.known, longer, seen,
        )  # fmt: skip
        bigger.compare_words(rng)
        bigger.compare_ranges(rng)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("lacking", [(), ("<s>",)])
def test_states_after_words(rng, tmp_path, order, lacking):
    case = Case(rng, tmp_path, order, lacking=lacking)
    for begin in (True, False):
        assert case.tables.state_after(np.zeros(0, dtype=np.int64), begin=begin) == case.context(
            [], begin=begin
        )
        for _ in range(60):
            words = rng.choice(list(case.lexicon.words), rng.integers(1, 6)).tolist()
            state = case.tables.state_after(case.lexicon.numbers(words), begin=begin)
            assert state == case.context(words, begin=begin)
    known = next(word for word in case.lexicon.words if word in case.known)
    unknown = next(word for word in case.lexicon.words if word not in case.known)
    for words in ([known, "zz"], ["zz", known]):  # as one that the model does not know
        like = [unknown if word == "zz" else word for word in words]
        state = case.tables.state_after(case.lexicon.numbers(words), begin=True)
        assert state == case.context(like, begin=True)


def test_special_words_are_no_words(rng, tmp_path):
    """Classes of an alphabet may be called so; they count as unknown."""
    case = Case(rng, tmp_path, 2)
    model, specials = case.model, ["</s>", "<s>", "<unk>"]
    alphabet = Alphabet([*specials, "a", "b", "c", ""], 6)
    lexicon = Lexicon([*specials, *sorted(case.known)], alphabet)
    tables = LanguageTables(model, model.words.numbers(lexicon.words, unknown=-1))
    assert tables.known == len(case.known)
    unknown = model.word_scores(["<unk>"], begin=True, end=False)[0][0]
    for special in specials:
        number = lexicon.number(special)
        found = look_ahead(tables.first_state, number, number + 1, 2, tables.columns)
        assert found == pytest.approx(unknown, abs=1e-5)


def test_a_number_that_several_words_have(rng, tmp_path):
    case = Case(rng, tmp_path, 2)
    word = case.model.word_id(sorted(case.known)[0])
    tables = LanguageTables(case.model, np.array([word, word, -1], dtype=np.int32))
    assert tables.known == 1
    assert tables.columns[-2].tolist() == [0, 1, 1, 1]


@pytest.mark.parametrize("order", [1, 2, 4])
def test_rows_of_all_words(rng, tmp_path, order):
    """Where tokens are words, the row of a context holds what each word is worth."""
    case = Case(rng, tmp_path, order)
    for size in range(4):
        history = rng.choice(list(case.lexicon.words), size).tolist()
        row = np.zeros(case.tables.known + 3)
        context = case.context(history, begin=True)
        row_of(context, 0.7, len(row), case.tables.columns, row)
        for word in case.lexicon.words:
            spelled = word if word in case.known else "<unk>"
            number = numbers_of(case.tables, case.lexicon, [word])[0]
            expected = math.exp(0.7 * case.score(history, spelled, begin=True))
            assert row[number] == pytest.approx(expected, rel=1e-4)


@pytest.mark.nojit
def test_a_tiny_model():
    model = NGramModel.train([["a", "b"], ["a", "c"]], 2)
    lexicon = Lexicon(["a", "b", "ab"], ALPHABET)
    tables = LanguageTables(model, model.words.numbers(lexicon.words, unknown=-1))
    assert tables.known == 2
    assert list(lexicon.words) == ["a", "ab", "b"]
    context = int(tables.columns[6][1])  # after "a"
    expected = [
        math.exp(model.word_scores(["a", word], begin=False, end=False)[0][-1])
        for word in ("a", "<unk>", "b")
    ]
    found = look_ahead(context, 0, 3, 2, tables.columns)
    assert found == pytest.approx(math.log(sum(expected)), abs=1e-5)
