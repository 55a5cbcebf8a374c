"""The commands `decoders` and `decoders check`."""

from __future__ import annotations

import json

import pytest

from ctckit import list_decoders


def test_json_is_one_array_of_what_list_decoders_says(invoke, plugins):
    result = invoke("decoders", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == [
        {
            "name": info.name,
            "distribution": info.distribution,
            "version": info.version,
            "summary": info.summary,
        }
        for info in list_decoders()
    ]
    assert {"broken", "bestpath", "twin"} <= {one["name"] for one in json.loads(result.stdout)}


def test_piped_table_has_a_header_and_tabs(invoke):
    rows = [line.split("\t") for line in invoke("decoders").stdout.splitlines()]
    assert rows[0] == ["name", "distribution", "version", "summary"]
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


CHECKS = {
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


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_check_says_what_is_wrong(invoke, plugins, name):
    outcome, reason = CHECKS[name]
    result = invoke("decoders", "check", name)
    reason = reason.replace("'impossible'", f"'{name}'")
    assert result.stdout == f"name\tresult\treason\n{name}\t{outcome}\t{reason}\n"
    assert result.exit_code == 1


def test_check_goes_on_after_a_failure(invoke, plugins):
    result = invoke("decoders", "check", "broken", "bestpath")
    assert result.stdout.splitlines()[2] == "bestpath\tok\t"
    assert result.exit_code == 1


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


UNKNOWN = [
    (["bogus"], "got 'bogus'; see 'ctckit decoders --help'"),
    (["chek"], "got 'chek'; did you mean 'check'? see 'ctckit decoders --help'"),
]


@pytest.mark.parametrize(("args", "end"), UNKNOWN)
def test_unknown_command_of_the_group(invoke, args, end):
    result = invoke("decoders", *args)
    assert result.exit_code == 2
    assert (
        result.stderr == f"ctckit: error: command of ctckit decoders must be one of check, {end}\n"
    )
