from __future__ import annotations

import importlib
import pickle
import re
import sys
import textwrap

import numpy as np
import pytest

import ctckit
from ctckit import (
    Alphabet,
    InvalidValueError,
    MatrixBatch,
    NotFoundError,
    PluginError,
    list_decoders,
    load_decoder,
)
from ctckit.registry import decoder_class

pytestmark = pytest.mark.nojit

ALPHABET = Alphabet("ab-", 2)

GOOD = '''
from ctckit import Decoder, SearchResult

class Echo(Decoder):
    """Say the first token to all."""

    def search(self, batch, n_best):
        return SearchResult.from_best([[0]] * len(batch))

class Alien(Echo):
    """Return what is no token."""

    def search(self, batch, n_best):
        return SearchResult.from_best([[77]] * len(batch))
'''


@pytest.fixture
def install(tmp_path, monkeypatch):
    """Return a function that installs a fake distribution on sys.path."""
    monkeypatch.syspath_prepend(tmp_path)
    before = set(sys.modules)

    def make(distribution, points, code="", version="1.2.0", summary="A fake"):
        module = distribution.replace("-", "_")
        (tmp_path / f"{module}.py").write_text(textwrap.dedent(code))
        info = tmp_path / f"{module}-{version}.dist-info"
        info.mkdir()
        if summary is not None:
            (info / "METADATA").write_text(
                f"Metadata-Version: 2.1\nName: {distribution}\nVersion: {version}\n"
                f"Summary: {summary}\n"
            )
        lines = "".join(f"{name} = {module}:{value}\n" for name, value in points.items())
        (info / "entry_points.txt").write_text(f"[ctckit.decoders]\n{lines}")
        importlib.invalidate_caches()

    yield make
    for name in set(sys.modules) - before:
        if name.startswith("ctckit_"):
            del sys.modules[name]


def test_ours_are_listed_as_anybodys():
    found = {info.name: info for info in list_decoders()}
    assert {"bestpath", "beamsearch"} <= set(found)
    assert found["bestpath"].distribution == "ctckit"
    assert found["bestpath"].summary.startswith("Best path and exact prefix beam search")
    assert found["bestpath"].owner == f"ctckit {found['bestpath'].version}"
    assert [info.name for info in list_decoders()] == sorted(info.name for info in list_decoders())


def test_a_plugin_is_listed_without_being_imported(install):
    install("ctckit-fake", {"echo": "Echo"}, GOOD)
    info = next(info for info in list_decoders() if info.name == "echo")
    assert (info.distribution, info.version, info.summary) == ("ctckit-fake", "1.2.0", "A fake")
    assert "ctckit_fake" not in sys.modules


def test_a_plugin_decodes(install):
    install("ctckit-fake", {"echo": "Echo"}, GOOD)
    batch = MatrixBatch.from_logits(np.zeros((2, 3, 3)), ALPHABET)
    assert load_decoder("echo", ALPHABET).decode_batch(batch).texts() == ["a", "a"]
    assert decoder_class("echo").__name__ == "Echo"


def test_a_fault_names_the_decoder_and_its_distribution(install):
    install("ctckit-fake", {"alien": "Alien"}, GOOD)
    batch = MatrixBatch.from_logits(np.zeros((2, 3, 3)), ALPHABET)
    with pytest.raises(
        PluginError, match=r"decoder 'alien' of ctckit-fake 1\.2\.0 returned token id 77"
    ):
        load_decoder("alien", ALPHABET).decode_batch(batch)


@pytest.mark.parametrize(
    ("code", "value", "error"),
    [
        ("import no_such_module_at_all", "X", "ModuleNotFoundError: No module named 'no_such"),
        ("raise RuntimeError('broken inside')", "X", "RuntimeError: broken inside"),
        ("def f(:", "X", "SyntaxError: invalid syntax"),
        ("", "Missing", "AttributeError: module 'ctckit_broken' has no attribute 'Missing'"),
    ],
    ids=["import", "error", "syntax", "attribute"],
)
def test_a_plugin_that_cannot_be_imported_hurts_only_itself(install, code, value, error):
    install("ctckit-broken", {"broken": value}, code)
    with pytest.raises(
        PluginError,
        match=re.escape(f"decoder 'broken' of ctckit-broken 1.2.0 must be importable, got {error}"),
    ) as caught:
        load_decoder("broken", ALPHABET)
    assert "reinstall or uninstall that distribution" in str(caught.value)
    assert caught.value.__cause__ is not None
    assert "broken" in {info.name for info in list_decoders()}
    assert load_decoder("bestpath", ALPHABET).label.startswith("'bestpath' of ctckit ")


@pytest.mark.parametrize(
    ("value", "advice"),
    [
        ("search", "decorate it with ctckit.decoder"),
        ("Other", "tell its author"),
        ("number", "tell its author"),
    ],
)
def test_what_is_registered_must_be_a_decoder(install, value, advice):
    code = "number = 5\nclass Other:\n    pass\ndef search(batch, n_best):\n    pass\n"
    install("ctckit-odd", {"odd": value}, code)
    with pytest.raises(
        PluginError,
        match=rf"decoder 'odd' of ctckit-odd 1\.2\.0 must be a subclass of ctckit\.Decoder, got "
        rf".* from 'ctckit_odd:{value}'; {advice}$",
    ):
        load_decoder("odd", ALPHABET)


def test_two_owners_of_a_name(install):
    install("ctckit-one", {"echo": "Echo", "mine": "Echo"}, GOOD)
    install("ctckit-two", {"echo": "Echo"}, GOOD, version="2.0")
    with pytest.raises(
        PluginError,
        match=r"decoder names must be unique, got 'echo' from ctckit-one 1\.2\.0 and "
        r"ctckit-two 2\.0; uninstall one",
    ):
        load_decoder("echo", ALPHABET)
    assert [info.distribution for info in list_decoders() if info.name == "echo"] == [
        "ctckit-one",
        "ctckit-two",
    ]
    assert load_decoder("mine", ALPHABET)


def test_nobody_takes_a_built_in_name_silently(install):
    install("ctckit-foo", {"bestpath": "Echo"}, GOOD)
    with pytest.raises(
        PluginError, match=r"got 'bestpath' from ctckit \S+ and ctckit-foo 1\.2\.0; uninstall one"
    ):
        load_decoder("bestpath", ALPHABET)


def test_a_distribution_without_metadata(install):
    install("ctckit-bare", {"bare": "Echo"}, GOOD, summary=None)
    found = next(info for info in list_decoders() if info.name == "bare")
    assert (found.distribution, found.version, found.summary) == ("unknown", "", "")
    assert load_decoder("bare", ALPHABET)


def test_an_unknown_decoder():
    names = ", ".join(sorted({info.name for info in list_decoders()}))
    with pytest.raises(
        NotFoundError,
        match=re.escape(
            "decoder must be installed, got 'beamserch'; did you mean 'beamsearch'? "
            f"installed: {names}"
        ),
    ):
        load_decoder("beamserch", ALPHABET)
    with pytest.raises(NotFoundError, match=r"got 'qqq'; installed: "):
        load_decoder("qqq", ALPHABET)


@pytest.mark.parametrize("name", [None, 5])
def test_a_name_that_is_no_string(name):
    with pytest.raises(NotFoundError, match=f"decoder must be installed, got {name!r};"):
        load_decoder(name, ALPHABET)


def test_options_are_checked():
    with pytest.raises(InvalidValueError, match=r"beam_width must be an integer .*, got 0"):
        load_decoder("beamsearch", ALPHABET, beam_width=0)
    with pytest.raises(NotFoundError, match="got 'beam_size'; did you mean 'beam_width'"):
        load_decoder("beamsearch", ALPHABET, beam_size=5)


def test_a_plugin_that_exits_on_import_is_named(install):
    install("quitter", {"quitter": "Quitter"}, "raise SystemExit('need foo')")
    with pytest.raises(PluginError, match=r"'quitter' of quitter 1.2.0 .* got SystemExit: need"):
        load_decoder("quitter", ALPHABET)


def test_a_malformed_list_of_entry_points_hurts_only_its_distribution(install, tmp_path):
    install("fine", {"fine": "Echo"}, GOOD)
    install("mangled", {"mangled": "Echo"}, GOOD)
    (tmp_path / "mangled-1.2.0.dist-info" / "entry_points.txt").write_text("bad bad bad\n")
    names = [info.name for info in list_decoders()]
    assert "fine" in names
    assert "bestpath" in names
    assert "mangled" not in names


def test_beside_a_malformed_list_a_distribution_counts_once(install, tmp_path, monkeypatch):
    """Where it is found twice, as one that shadows another."""
    install("mangled", {"mangled": "Echo"}, GOOD)
    (tmp_path / "mangled-1.2.0.dist-info" / "entry_points.txt").write_text("bad bad bad\n")
    for version in ("2.0", "1.0"):
        info = tmp_path / version / f"double_one-{version}.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: double-one\nVersion: {version}\n"
        )
        (info / "entry_points.txt").write_text("[ctckit.decoders]\ndouble = x:Y\n")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "2.0"), str(tmp_path / "1.0"), *sys.path])
    owners = [info.owner for info in list_decoders() if info.name == "double"]
    assert owners == ["double-one 2.0"]


def test_errors_in_options_say_the_installed_name():
    with pytest.raises(NotFoundError, match=r"the decoder beamsearch's, got 'beamwidth'"):
        load_decoder("beamsearch", ALPHABET, beamwidth=3)


VERSIONED = '''
from ctckit import Decoder, SearchResult, decoder

class Echo(Decoder):
    """Say the first token to all."""

    contract = {contract}

    def search(self, batch, n_best):
        return SearchResult.from_best([[0]] * len(batch))

@decoder(contract={contract})
def echo(log_probs, alphabet):
    """Say it, too."""
    return "a"
'''


@pytest.mark.parametrize("value", ["Echo", "echo"])
@pytest.mark.parametrize(
    ("contract", "message"),
    [
        (
            2,
            f"decoder 'echo' of ctckit-fake 1.2.0 is for version 2 of the decoder contract, this "
            f"is ctckit {ctckit.__version__} with version 1; upgrade ctckit",
        ),
        (
            0,
            f"decoder 'echo' of ctckit-fake 1.2.0 is for version 0 of the decoder contract, this "
            f"is ctckit {ctckit.__version__} with version 1; upgrade ctckit-fake",
        ),
        (
            "'1'",
            "decoder 'echo' of ctckit-fake 1.2.0 must say the version of the decoder contract as "
            "an integer, got contract '1'; tell its author",
        ),
        (True, "contract as an integer, got contract True; tell its author"),
    ],
)
def test_a_decoder_for_another_contract_is_refused_and_listed(install, value, contract, message):
    install("ctckit-fake", {"echo": value}, VERSIONED.format(contract=contract))
    for load in (lambda: load_decoder("echo", ALPHABET), lambda: decoder_class("echo")):
        with pytest.raises(PluginError, match=re.escape(message) + "$"):
            load()
    assert "echo" in {info.name for info in list_decoders()}


def test_a_decoder_for_this_contract_is_taken(install):
    code = VERSIONED.format(contract="__import__('ctckit').CONTRACT_VERSION")
    install("ctckit-fake", {"echo": "Echo", "reecho": "echo"}, code)
    batch = MatrixBatch.from_logits(np.zeros((2, 3, 3)), ALPHABET)
    for name in ("echo", "reecho"):
        assert load_decoder(name, ALPHABET).decode_batch(batch).texts() == ["a", "a"]


def test_a_function_as_a_plugin(install):
    code = '''
from ctckit import decoder

@decoder
def says(log_probs, alphabet, *, text: str = "a"):
    """Say it."""
    return text if len(log_probs) else 5
'''
    install("ctckit-fake", {"says": "says"}, code)
    made = load_decoder("says", ALPHABET, text="bab")
    batch = MatrixBatch.from_logits([np.zeros((3, 3)), np.zeros((0, 3))], ALPHABET, ids=["x", "y"])
    again = pickle.loads(pickle.dumps(made))
    assert again.decode_batch(batch[:1]).texts() == ["bab"]
    with pytest.raises(
        PluginError,
        match=r"decoder 'says' of ctckit-fake 1\.2\.0 returned 5 \(int\) instead of a text for "
        r"matrix 'y' \(line 2 of 2\); this is a fault of it",
    ):
        again.decode_batch(batch)
    with pytest.raises(
        PluginError,
        match=r"decoder 'says' of ctckit-fake 1\.2\.0 returned the text 'baé' for matrix 'x' "
        r"\(line 1 of 2\), whose 'é' at position 2 the alphabet lacks",
    ):
        load_decoder("says", ALPHABET, text="baé").decode_batch(batch)


@pytest.mark.parametrize("error", ["SystemExit('I quit')", "KeyError('lost')", "BaseException()"])
def test_a_decoder_that_does_not_start(install, error):
    code = f"{GOOD}\n    def prepare(self):\n        raise {error}\n"
    install("ctckit-fake", {"alien": "Alien"}, code)
    with pytest.raises(
        PluginError,
        match=r"decoder 'alien' of ctckit-fake 1\.2\.0 must start, got \w+(: I quit|: 'lost')?; "
        "check its options, or tell its author",
    ):
        load_decoder("alien", ALPHABET)


def test_a_decoder_without_search(install):
    install("ctckit-fake", {"idle": "Idle"}, "import ctckit\nclass Idle(ctckit.Decoder): ...\n")
    with pytest.raises(
        PluginError,
        match=r"decoder 'idle' of ctckit-fake 1\.2\.0 must implement search, got the abstract "
        "class 'ctckit_fake:Idle'; tell its author",
    ):
        decoder_class("idle")


def test_a_decoder_with_an_init_of_its_own(install):
    code = f"{GOOD}\n    def __init__(self, alphabet, **options):\n        pass\n"
    install("ctckit-fake", {"alien": "Alien"}, code)
    with pytest.raises(
        PluginError,
        match=r"decoder 'alien' of ctckit-fake 1\.2\.0 must be set up by ctckit\.Decoder, got an "
        r"__init__ of its own that leaves that out; tell its author to write prepare instead",
    ):
        load_decoder("alien", ALPHABET)


def test_a_decoder_whose_declarations_are_wrong(install):
    code = f"{GOOD}\n    known_failings = ['quiet']\n"
    install("ctckit-fake", {"alien": "Alien"}, code)
    with pytest.raises(
        PluginError,
        match=r"decoder 'alien' of ctckit-fake 1\.2\.0 must be importable, got InvalidValueError: "
        r"Alien\.known_failings must be a mapping of .*; tell its author$",
    ):
        decoder_class("alien")


@pytest.mark.parametrize("error", ["KeyboardInterrupt()", "CtckitWarning('hm')", "OurError('x')"])
def test_what_passes_while_a_decoder_starts(install, error):
    code = f"from ctckit import CtckitWarning, InvalidValueError as OurError\n{GOOD}\n"
    install(
        "ctckit-fake", {"alien": "Alien"}, f"{code}    def prepare(self):\n        raise {error}\n"
    )
    with pytest.raises((KeyboardInterrupt, ctckit.CtckitWarning, InvalidValueError)):
        load_decoder("alien", ALPHABET)


@pytest.mark.parametrize("error", ["BaseException('panicked')", "Exception('panicked')"])
def test_a_plugin_that_panics_on_import(install, error):
    install("ctckit-fake", {"alien": "Alien"}, f"raise {error}")
    with pytest.raises(
        PluginError, match=r"must be importable, got .*xception: panicked; reinstall"
    ):
        load_decoder("alien", ALPHABET)
