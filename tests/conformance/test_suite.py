"""How the suite is used: processes of its own, what is declared, the class for pytest."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ctckit import (
    Alphabet,
    Decoder,
    InvalidValueError,
    MatrixBatch,
    SearchResult,
    Sometimes,
    load_decoder,
)
from ctckit.testing.checks import CHECKS, CheckFailed, Subject, run_check, run_checks
from ctckit.testing.conformance import factory
from ctckit.testing.isolated import check_installed

EMPTY = """
class Faulty(Decoder):
    def search(self, batch, n_best):
        return SearchResult.from_lists([[[]]] * len(batch), [[float("-inf")]] * len(batch))
"""


class Empty(Decoder):
    """Read nothing, and say that it is impossible."""

    def search(self, batch, n_best):
        return SearchResult.from_lists([[[]]] * len(batch), [[float("-inf")]] * len(batch))


class Declared(Empty):
    known_failings = {"certain-path": "reads nothing", "no-frames": "why not"}  # noqa: RUF012


def run(name, make=Empty, **options):
    found = run_check(name, Subject(make, **options))
    return found.result, found.reason


# A process of its own


def test_a_module_that_loads_much_is_found(install):
    name = install("heavy", f"import pandas\n{EMPTY}")
    assert run("import-weight", lambda alphabet: load_decoder(name, alphabet)) == (
        "failed",
        "importing ctckit_heavy must load nothing heavy, got pandas; import it in prepare",
    )


INTERRUPTED = """
import time

class Faulty(Decoder):
    hit = False

    def search(self, batch, n_best):
        if self.hit:
            raise RuntimeError("no")
        try:
            time.sleep(0.2)
        except KeyboardInterrupt:
            {}
        return SearchResult.from_best([[]] * len(batch))
"""


@pytest.mark.parametrize(
    ("then", "reason"),
    [
        ("pass", "ctrl-C must end decoding, but did not in 1 s, pressed twice"),
        (
            "type(self).hit = True",
            "ctrl-C must end decoding by a KeyboardInterrupt, got PluginError: decoder 'stubborn' "
            "of stubborn 1.0 failed on matrix '0' (line 1 of 5): RuntimeError: no",
        ),
        (
            "import os; os._exit(7)",
            "ctrl-C must end decoding by a KeyboardInterrupt, got exit code 7",
        ),
        ("raise", ""),
    ],
)
def test_what_an_interrupt_does_not_end_is_found(install, then, reason):
    name = install("stubborn", INTERRUPTED.format(then))
    make = lambda alphabet: load_decoder(name, alphabet)  # noqa: E731
    assert run("interrupt", make, seconds=1.0) == ("failed" if reason else "ok", reason)


CRASHES = """
import os, signal, time
class Faulty(Decoder):
    def search(self, batch, n_best):
        if len(self.alphabet) == 1:
            {}
        return SearchResult.from_lists([[[]]] * len(batch), [[float("-inf")]] * len(batch))
"""
THREE = ("no-frames", "one-class", "other-alphabet")


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "the process must go on, got its end (SIGSEGV)"),
        ("os._exit(3)", "the process must go on, got its end (exit code 3)"),
        ("time.sleep(600)", "it must end, got nothing in 4 s"),
    ],
)
def test_a_crash_spoils_no_other_check(install, fault, reason):
    name = install("crashes", CRASHES.format(fault))
    found = list(check_installed(name, {}, THREE, time_limit=4.0))
    assert [(one.check, one.result, one.reason) for one in found] == [
        ("no-frames", "ok", ""),
        ("one-class", "failed", reason),
        ("other-alphabet", "ok", ""),
    ]


def test_a_crash_may_be_declared(install):
    code = CRASHES.format("os._exit(3)") + '    known_failings = {"one-class": "it ends"}\n'
    found = list(check_installed(install("ends", code), {}, THREE))
    assert [(one.result, one.reason) for one in found] == [
        ("ok", ""),
        ("known", "it ends"),
        ("ok", ""),
    ]


def test_what_is_printed_is_not_taken_for_a_result(install):
    code = EMPTY.replace(
        "        return", '        print(\'{"result": "ok"}\', flush=True)\n        return'
    )
    found = list(check_installed(install("talks", code), {}, ("certain-path", "quiet")))
    assert [one.result for one in found] == ["failed", "failed"]
    assert found[1].reason.startswith(
        "nothing must be printed to standard output\n  got: '{\"result"
    )


def test_another_process_finds_the_same(install):
    names = ("valid", "certain-path", "permuted-classes", "one-class", "impossible-classes")
    code = EMPTY.replace("[[[]]] * len(batch)", "[[[0] * (len(one) > 2)] for one in batch]")
    name = install("same", code)
    elsewhere = list(check_installed(name, {}, names))
    here = run_checks(Subject(lambda alphabet: load_decoder(name, alphabet)), names)
    assert [(one.check, one.result, one.reason) for one in elsewhere] == [
        (one.check, one.result, one.reason) for one in here
    ]
    assert sum(one.result == "failed" for one in here) > 2


def test_what_may_fail_is_known_from_elsewhere(install):
    declared = "{'no-frames': ctckit.Sometimes('who knows'), 'valid': 'no'}"
    code = f"import ctckit\n{EMPTY}    known_failings = {declared}\n"
    may, must = check_installed(install("chancy", code), {}, ("no-frames", "valid"))
    assert (may.result, may.reason) == ("known", "who knows")
    assert (must.result, must.reason[:32]) == ("failed", "declared as a known failing (no)")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (EMPTY.replace("Decoder)", "Decoder, no=1)"), "must be importable, got TypeError"),
        (
            f"{EMPTY}    def prepare(self): 1 / 0\n",
            "decoder 'never' of never 1.0 must start, got Zero",
        ),
        (f"{EMPTY}    known_failings = 3\n", "Faulty.known_failings must be a mapping of checks'"),
        (
            f"{EMPTY}    known_failings = {{'quite': ''}}\n",
            "known_failings must be of checks, got 'quite'; did you mean 'quiet'? checks: valid, ",
        ),
    ],
)
def test_what_cannot_be_made_has_one_result(install, code, reason):
    (found,) = check_installed(install("never", code), {})
    assert (found.check, found.result) == ("load", "failed")
    assert reason in found.reason


# What is told


def test_what_is_wrong_can_be_read_without_pytest():
    assert run("certain-path") == (
        "failed",
        """the only path must be read
  alphabet: 'a', 'b', ' ', "'", 'c', blank
  log_probs of matrix '0': [-inf -inf -inf -inf -inf 0] [0 -inf -inf -inf -inf -inf] \
[0 -inf -inf -inf -inf -inf] [-inf -inf -inf -inf -inf 0] [-inf -inf -inf -inf -inf 0] \
[-inf 0 -inf -inf -inf -inf] [-inf 0 -inf -inf -inf -inf] [-inf -inf -inf -inf -inf 0]
  path: ['blank', 'a', 'a', 'blank', 'blank', 'b', 'b', 'blank']
  expected: 'ab'
  got: ''""",
    )


class TakesThree(Empty):
    def search(self, batch, n_best):
        if 3 in batch.lengths:
            raise KeyError("three")
        return super().search(batch, n_best)


def test_the_smallest_example_is_shown_where_a_decoder_raises():
    result, reason = run("n-best-prefix", TakesThree)
    assert result == "failed"
    lines = reason.split("\n")
    assert lines[0] == ("decoder TakesThree failed on matrix '0' (line 1 of 1): KeyError: 'three'")
    assert lines[1] == "  alphabet: 'a', 'b', blank"
    assert lines[2].startswith("  log_probs of matrix '0': [")
    assert lines[2].count("[") == 3
    assert lines[3:] == ["  n best: 1"]


def test_a_long_matrix_is_told_by_its_length():
    alphabet = Alphabet("ab-", 2)
    batch = MatrixBatch.from_logits([[[0.0, 0, 0]] * 40] * 14, alphabet)
    assert str(CheckFailed("so", batch)) == (
        "so\n  alphabet: 'a', 'b', blank\n  matrices of " + "40, " * 12 + "... frames"
    )


class Moody(Empty):
    calls = 0

    def search(self, batch, n_best):
        Moody.calls += 1
        if Moody.calls % 5 == 0:
            raise KeyError("mood")
        return super().search(batch, n_best)


def test_what_comes_and_goes_is_said_so():
    result, reason = run("valid", Moody)
    assert result == "failed"
    assert reason.startswith("it does not always do the same: decoder Moody failed on matri")


# What is declared


def test_known_failings():
    assert run("certain-path", Declared) == ("known", "reads nothing")
    assert run("no-frames", Declared) == (
        "failed",
        "declared as a known failing (why not), but passes: take it out",
    )
    assert run("valid", Declared) == ("ok", "")


def test_what_fails_in_some_runs_only():
    class Chance(Empty):
        known_failings = {  # noqa: RUF012
            "certain-path": Sometimes("reads nothing"),
            "no-frames": Sometimes("who knows"),
        }

    assert run("certain-path", Chance) == ("known", "reads nothing")
    result, reason = run("no-frames", Chance)
    assert (result, reason) == ("known", "who knows")
    assert type(reason) is str  # pytest-xdist sends nothing else to another process


def test_a_check_that_does_not_apply_may_be_declared():
    class Quiet(Empty):
        known_failings = {"exhaustive": "of course"}  # noqa: RUF012

    assert run("exhaustive", Quiet)[0] == "skipped"


def test_unknown_known_failings():
    class Typo(Empty):
        known_failings = {"thread": "slow"}  # noqa: RUF012

    with pytest.raises(
        InvalidValueError, match="known_failings must be of checks, got 'thread'; did you mean 'thr"
    ):
        run("valid", Typo)


@pytest.mark.parametrize("check", ["pickling", "import-weight", "interrupt"])
def test_a_class_that_no_other_process_finds(check):
    class Local(Empty):
        pass

    result, reason = run(check, Local)
    assert result == "skipped"
    assert reason.startswith("the class test_a_class_that_no_other_process_finds.<locals>.Local of")


def test_a_refusal_of_the_example_is_a_failure():
    def make(alphabet):
        raise InvalidValueError("no")

    assert {one.result for one in run_checks(Subject(make))} == {"failed"}


def test_oracles_are_asked():
    def nothing(log_probs, alphabet):
        return {"": float("-inf")}

    assert run("exhaustive", oracle=nothing) == ("ok", "")
    assert run("exhaustive", oracle=lambda log_probs, alphabet: None) == ("ok", "")
    result, reason = run("exhaustive", oracle=lambda log_probs, alphabet: {"": -1.0})
    assert result == "failed"
    assert reason.startswith("scores must be those of the texts\n")
    result, reason = run("exhaustive", oracle=lambda log_probs, alphabet: {"a": -1.0, "": -2.0})
    assert result == "failed"
    assert reason.startswith("the likeliest texts must be found, best first\n")
    result, reason = run("exhaustive", oracle=lambda log_probs, alphabet: {(0,): -1.0})
    assert result == "failed"
    assert reason.startswith("the likeliest texts must be found, as many as asked\n")


# The class for pytest


@pytest.mark.parametrize("decoder", [3, None, Empty(Alphabet("ab-", 2))])
def test_what_is_no_decoder(tmp_path, decoder):
    with pytest.raises(InvalidValueError, match=r"decoder must be a subclass of ctckit\.Decoder"):
        factory(decoder, tmp_path)


TESTS = """
import pytest
from ctckit import Decoder, SearchResult, load_decoder
from ctckit.testing.conformance import DecoderConformance

class Nothing(Decoder):
    known_failings = {"certain-path": "reads nothing", "no-frames": "why not"}

    def search(self, batch, n_best):
        return SearchResult.from_lists([[[]]] * len(batch), [[float("-inf")]] * len(batch))

class TestClass(DecoderConformance):
    @pytest.fixture
    def decoder(self):
        return Nothing

class TestName(DecoderConformance):
    @pytest.fixture(params=["lexiconsearch", "bestpath"])
    def decoder(self, request):
        return request.param

class TestFunction(DecoderConformance):
    examples = 3

    @pytest.fixture
    def decoder(self):
        return lambda alphabet: load_decoder("beamsearch", alphabet, beam_width=2)

    def oracle(self, log_probs, alphabet):
        return {}

class TestOldWay(DecoderConformance):
    def make_decoder(self, alphabet):
        return load_decoder("bestpath", alphabet)

class TestForgotten(DecoderConformance):
    pass
"""
FOUR = "certain-path or no-frames or other-alphabet or exhaustive"


def test_the_class_for_pytest(tmp_path):
    (tmp_path / "test_mine.py").write_text(TESTS, encoding="utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-rA", "-p", "no:cacheprovider", "-k", FOUR]
    done = subprocess.run(
        [*command, "test_mine.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "COLUMNS": "300"},
    )
    said = {}
    for line in done.stdout.splitlines():
        outcome, _, rest = line.partition(" test_mine.py::")
        if rest and outcome in ("PASSED", "XFAIL", "FAILED", "ERROR"):
            test, _, reason = rest.partition(" - ")
            said[test.replace("::test_conforms", "")] = (outcome, reason)
    assert "does not claim to find the likeliest" in done.stdout
    assert said.pop("TestFunction[exhaustive]")[0] == "FAILED"
    unexpected, reason = said.pop("TestClass[no-frames]")
    assert unexpected == "FAILED"
    assert "declared as a known failing (why not), but passes" in reason
    for check in ("certain-path", "no-frames", "other-alphabet", "exhaustive"):
        forgotten, reason = said.pop(f"TestForgotten[{check}]")
        assert forgotten == "FAILED"
        assert "TestForgotten must override the fixture decoder" in reason
    assert said == {
        "TestClass[certain-path]": ("XFAIL", "reads nothing"),
        "TestClass[other-alphabet]": ("PASSED", ""),
        **{
            f"{name}{check}]": ("PASSED", "")
            for name in (
                "TestName[lexiconsearch-",
                "TestName[bestpath-",
                "TestFunction[",
                "TestOldWay[",
            )
            for check in ("certain-path", "no-frames", "other-alphabet")
        },
    }


def test_every_check_says_what_it_demands():
    for name, check in CHECKS.items():
        assert name == check.name
        assert check.summary.endswith(".")
