"""The commands `decoders` and `decoders check`."""

from __future__ import annotations

import json
import sys

import pytest

from ctckit import InvalidValueError, list_decoders
from ctckit.bench.specs import parse_spec
from ctckit.cli.thorough import command_line_fault
from ctckit.decoders.options import Option
from ctckit.testing.checks import CHECKS


def test_json_is_one_array_of_what_list_decoders_says(invoke, plugins):
    result = invoke("decoders", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
            "description": info.description,
            "summary": info.summary,
        }
        for info in list_decoders()
    ]
    assert {"broken", "bestpath", "twin"} <= {one["name"] for one in json.loads(result.stdout)}


def test_piped_table_has_a_header_and_tabs(invoke):
    rows = [line.split("\t") for line in invoke("decoders").stdout.splitlines()]
    assert rows[0] == ["name", "distribution", "version", "description"]
    assert ["bestpath", "ctckit"] in [row[:2] for row in rows[1:]]


def test_broken_and_twice_registered_decoders_stay_listed(invoke, plugins):
    result = invoke("decoders")
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert ["broken", "fakes", "1.2.0", "Naughty decoders"] in rows
    assert [row[:3] for row in rows if row[0] == "twin"] == [
        ["twin", "fakes", "1.2.0"],
        ["twin", "twins", "0.9"],
    ]
    assert result.exit_code == 0
    assert result.stderr == (
        "ctckit: warning: decoder names must be unique, got 'twin' from fakes 1.2.0 and "
        "twins 0.9; uninstall one\n"
    )


@pytest.mark.parametrize("name", ["bestpath", "beamsearch", "tokenpassing", "template"])
def test_check_says_ok_to_ours(invoke, name):
    result = invoke("decoders", "check", name)
    assert result.stdout == f"name\tresult\n{name}\tok\n"
    assert result.exit_code == 0


CHECKS_OF_PLUGINS = {
    "broken": (
        "failed",
        "decoder 'broken' of fakes 1.2.0 must be importable, got ModuleNotFoundError: "
        "No module named 'ctckit_no_such_module'; reinstall or uninstall that distribution",
    ),
    "crasher": (
        "failed",
        "decoder 'impossible' must read nothing in no frames, got 'a' with blank 0",
    ),
    "impossible": (
        "failed",
        "decoder 'impossible' must read nothing in no frames, got 'a' with blank 0",
    ),
    "needy": ("skipped", "size must be given, and has no default"),
    "quitter": (
        "failed",
        "decoder 'quitter' of fakes 1.2.0 must start, got SystemExit: I quit; check its options, "
        "or tell its author",
    ),
    "quitting": (
        "failed",
        "decoder 'quitting' of fakes 1.2.0 must be importable, got SystemExit: 3; "
        "reinstall or uninstall that distribution",
    ),
    "stumbler": (
        "failed",
        "decoder 'stumbler' of fakes 1.2.0 must start, got KeyError: 'lost'; check its options, "
        "or tell its author",
    ),
    "twin": (
        "failed",
        "decoder names must be unique, got 'twin' from fakes 1.2.0 and twins 0.9; uninstall one",
    ),
}


@pytest.mark.parametrize("name", sorted(CHECKS_OF_PLUGINS))
def test_check_says_what_is_wrong(invoke, plugins, name):
    outcome, reason = CHECKS_OF_PLUGINS[name]
    result = invoke("decoders", "check", name)
    reason = reason.replace("'impossible'", f"'{name}'")
    assert result.stdout == f"name\tresult\treason\n{name}\t{outcome}\t{reason}\n"
    assert result.exit_code == 1


def test_check_goes_on_after_a_failure(invoke, plugins):
    result = invoke("decoders", "check", "broken", "bestpath")
    assert result.stdout.splitlines()[2] == "bestpath\tok\t"
    assert result.exit_code == 1


def test_a_missing_package_is_a_failure_only_of_a_decoder_that_is_named(
    invoke, without_peers, lacking
):
    reason = "NeedsPip needs pip-of-dreams"
    result = invoke("decoders", "check")
    rows = {line.split("\t")[0]: line.split("\t")[1:] for line in result.stdout.splitlines()}
    assert rows["lacking"] == ["skipped", reason]
    assert result.exit_code == 0
    result = invoke("decoders", "check", "lacking")
    assert result.stdout == f"name\tresult\treason\nlacking\tskipped\t{reason}\n"
    assert result.exit_code == 1
    result = invoke("decoders", "check", "--thorough", "lacking")
    assert result.stdout.splitlines()[1:] == [f"lacking\tload\tskipped\t{reason}"]
    assert result.exit_code == 0


def test_check_without_names_takes_all(invoke, plugins):
    result = invoke("decoders", "check")
    names = [line.split("\t")[0] for line in result.stdout.splitlines()[1:]]
    assert names == sorted({info.name for info in list_decoders()})
    assert result.exit_code == 1


def test_check_of_an_unknown_name(invoke):
    result = invoke("decoders", "check", "bestpth")
    assert result.exit_code == 2
    assert result.stderr.startswith(
        "ctckit: error: decoder must be installed, got 'bestpth'; did you mean 'bestpath'? "
        "installed: "
    )


def test_check_finds_a_decoder_whose_result_depends_on_the_batch(invoke, plugins):
    code = '''
import numpy as np
from ctckit import Decoder, SearchResult

class Impossible(Decoder):
    """Let the first line of a batch win."""

    def search(self, batch, n_best):
        token = 1 if self.alphabet.blank == 0 else 0
        ids = [[token] * min(len(matrix), len(batch)) for matrix in batch]
        return SearchResult.from_best(ids, [0.0] * len(ids))

Chatty = Clash = Crasher = LateRule = Needy = Quitter = Stumbler = Impossible
'''
    (plugins / "ctckit_fakes.py").write_text(code)
    result = invoke("decoders", "check", "impossible")
    assert result.exit_code == 1
    assert (
        "decoder 'impossible' must read a line the same in any batch, got 'aaaaa' and alone 'a' "
        "for matrix 2 with blank 0"
    ) in result.stdout


def test_check_reports_what_a_decoder_raises_besides(invoke, plugins, monkeypatch):
    def fail(*args):
        raise SystemExit(5)

    monkeypatch.setattr("ctckit.cli.check._try_out", fail)
    result = invoke("decoders", "check", "bestpath")
    assert result.exit_code == 1
    assert result.stdout.splitlines()[1] == (
        "bestpath\tfailed\tdecoder 'bestpath' must run, got SystemExit: 5; tell its author"
    )


def test_check_shows_what_is_known_to_fail(invoke):
    result = invoke("decoders", "check", "bestpath", "wordbeamsearch")
    assert result.exit_code == 0
    assert result.stdout == (
        "name\tresult\treason\nbestpath\tok\t\nwordbeamsearch\tok\tknown to fail "
        "impossible-classes: the last word is completed even where the matrix has no room for its "
        "end\n"
    )


def test_check_as_json(invoke, plugins):
    result = invoke("decoders", "check", "wordbeamsearch", "needy", "--json")
    assert result.exit_code == 1
    words, needy = json.loads(result.stdout)
    assert words["known_failings"].keys() == {"impossible-classes"}
    assert (words["name"], words["result"], words["reason"]) == ("wordbeamsearch", "ok", "")
    assert needy == {
        "name": "needy",
        "result": "skipped",
        "reason": "size must be given, and has no default",
        "known_failings": {},
    }


def test_check_takes_options(invoke, plugins):
    spec = "wordbeamsearch:complete-last-word=false,mode=NGrams"
    result = invoke("decoders", "check", spec, "needy:size=3")
    assert result.stdout.splitlines()[1] == f"{spec}\tok\t"
    assert "must read nothing in no frames" in result.stdout.splitlines()[2]
    result = invoke("decoders", "check", "beamsearch:beam_width=0")
    assert result.exit_code == 2
    assert "beam_width must be an integer from 1 to 100000, got 0" in result.stderr


DECLARED = """
from ctckit import Decoder, InvalidValueError, SearchResult

class Impossible(Decoder):
    known_failings = {"no-frames": "none", "blank-anywhere": "last", "one-by-one": "together"}

    def prepare(self):
        if self.alphabet.blank != len(self.alphabet) - 1:
            raise InvalidValueError("blank must be last; reorder the classes")

    def search(self, batch, n_best):
        if 0 in batch.lengths:
            raise ValueError("nothing there")
        return SearchResult.from_best([[len(batch) % 3]] * len(batch), [0.0] * len(batch))

Chatty = Clash = Crasher = LateRule = Needy = Quitter = Stumbler = Impossible
"""


def test_check_forgives_what_is_known_to_fail(invoke, plugins):
    (plugins / "ctckit_fakes.py").write_text(DECLARED)
    result = invoke("decoders", "check", "impossible")
    assert result.stdout.splitlines()[1] == (
        "impossible\tok\tknown to fail no-frames: none; blank-anywhere: last; one-by-one: together"
    )
    assert result.exit_code == 0


def rows_of(result):
    return [line.split("\t") for line in result.stdout.splitlines()]


def test_thorough_checks(invoke):
    result = invoke("decoders", "check", "--thorough", "template", "wordbeamsearch:mode=NGrams")
    header, *rows = rows_of(result)
    assert header == ["name", "check", "result", "reason"]
    assert [row[:2] for row in rows] == [
        [name, check] for name in ("template", "wordbeamsearch:mode=NGrams") for check in CHECKS
    ]
    assert [row[1:3] for row in rows[20:] if row[2] != "ok"] == [
        ["one-class", "skipped"],
        ["impossible-classes", "known"],
        ["exhaustive", "skipped"],
        ["true-scores", "skipped"],
    ]
    assert {row[2] for row in rows[:20]} == {"ok", "skipped"}
    assert result.exit_code == 0


def test_thorough_checks_as_json(invoke, plugins):
    result = invoke("decoders", "check", "--thorough", "--json", "impossible", "needy", "broken")
    entries = json.loads(result.stdout)
    assert all(list(one) == ["name", "check", "result", "reason"] for one in entries)
    assert [one["check"] for one in entries] == [*CHECKS, "load", "load"]
    certain = entries[1]
    assert (certain["check"], certain["result"]) == ("certain-path", "failed")
    assert certain["reason"].startswith("the only path must be read\n  alphabet: 'a', 'b', ' '")
    assert entries[-2] == {
        "name": "needy",
        "check": "load",
        "result": "skipped",
        "reason": "size must be given, and has no default",
    }
    assert entries[-1]["result"] == "failed"
    assert entries[-1]["reason"] == CHECKS_OF_PLUGINS["broken"][1]
    assert result.exit_code == 1


def test_thorough_checks_are_one_line_each_in_a_table(invoke, plugins):
    result = invoke("decoders", "check", "--thorough", "impossible", "stumbler")
    rows = rows_of(result)
    assert all(len(row) == 4 for row in rows)
    assert rows[2][3].startswith("the only path must be read; alphabet: 'a', 'b', ' ', \"'\", 'c'")
    assert rows[-1][:3] == ["stumbler", "load", "failed"]
    assert result.exit_code == 1


def test_options_that_the_command_line_has_itself(plugins):
    reason = command_line_fault(parse_spec("clash"))
    assert reason.startswith("options of decoder 'clash' must differ from the command's own, got")
    for name in ("chatty", "wordbeamsearch", "ngrambeamsearch", "bestpath"):
        assert command_line_fault(parse_spec(name)) is None


@pytest.mark.parametrize(
    ("read", "reason"),
    [
        (lambda text: 3.0, "option smoothing must be 0.0 for '--smoothing=0.0', got 3.0"),
        (float, "option mode must be read from '--mode=Words', got mode must be a number"),
    ],
)
def test_a_command_line_that_reads_something_else(plugins, monkeypatch, read, reason):
    parse = Option.parse

    def misread(self, text):
        if self.name != reason.split()[1]:
            return parse(self, text)
        try:
            return read(text)
        except ValueError as error:
            raise InvalidValueError("mode must be a number") from error

    monkeypatch.setattr(Option, "parse", misread)
    assert command_line_fault(parse_spec("chatty" if read is float else "wordbeamsearch")) == reason


PRINTS = """
from ctckit import Decoder, SearchResult

print("imported")

class Impossible(Decoder):
    def search(self, batch, n_best):
        print("searching")
        return SearchResult.from_best([[]] * len(batch))

Chatty = Clash = Crasher = LateRule = Needy = Quitter = Stumbler = Impossible
"""


@pytest.mark.parametrize("thorough", [[], ["--thorough"]])
def test_what_a_decoder_prints_is_not_among_the_results(invoke, plugins, thorough):
    (plugins / "ctckit_fakes.py").write_text(PRINTS)
    result = invoke("decoders", "check", "--json", *thorough, "impossible")
    entries = json.loads(result.stdout)
    assert {one["name"] for one in entries} == {"impossible"}
    assert [one["check"] for one in entries if one["result"] == "failed"] == (
        ["certain-path", "quiet"] if thorough else []
    )
    assert "decoder 'impossible' of fakes 1.2.0 printed to stdout" in result.stderr


def test_thorough_checks_need_the_extra(invoke, monkeypatch):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in [one for one in sys.modules if one.startswith(("ctckit.testing", "ctckit.cli.th"))]:
        monkeypatch.delitem(sys.modules, name)
    result = invoke("decoders", "check", "--thorough", "bestpath")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: hypothesis must be installed for ctckit.testing.strategies, got no such "
        "module; pip install 'ctckit[testing]'\n"
    )
    assert invoke("decoders", "check", "bestpath").exit_code == 0


UNKNOWN = [
    (["bogus"], "got 'bogus'; see 'ctckit decoders --help'"),
    (["chek"], "got 'chek'; did you mean 'check'? see 'ctckit decoders --help'"),
]


@pytest.mark.parametrize(("args", "end"), UNKNOWN)
def test_unknown_command_of_the_group(invoke, args, end):
    result = invoke("decoders", *args)
    assert result.exit_code == 2
    assert result.stderr == (
        f"ctckit: error: command of ctckit decoders must be one of check, new, {end}\n"
    )
