"""What importing and failing early cost, and what the first compilation says."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys

import pytest

import ctckit
from ctckit.errors import MissingExtraError

HEAVY = ("numba", "llvmlite", "tensorflow", "keras", "pandas", "click", "pyarrow", "rich")

DECODE = """
import numpy as np, ctckit
alphabet = ctckit.Alphabet("ab-", 2)
batch = ctckit.MatrixBatch.from_logits(np.eye(3)[None] * 5, alphabet)
print(ctckit.load_decoder("bestpath", alphabet).decode_batch(batch).texts())
"""
NOTICE = "ctckit: compiling kernels for this machine (seconds to a minute, once; then cached)\n"


def run(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "NUMBA_DISABLE_JIT": "0", **environment},
    )


def loaded_by(code):
    done = run(f"{code}\nimport sys\nprint(*[m for m in {HEAVY} if m in sys.modules])")
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.parametrize(
    "code",
    [
        "import ctckit",
        "import ctckit; assert ctckit.list_decoders()",
        """
import ctckit
try:
    ctckit.load_decoder("beamsearch", ctckit.Alphabet("ab-", 2), beam_width=0)
except ctckit.InvalidValueError as error:
    assert "beam_width" in str(error)
else:
    raise SystemExit("taken")
""",
        """
import ctckit, numpy as np
try:
    ctckit.MatrixBatch.from_log_probs(np.zeros((32, 80)), ctckit.Alphabet("ab-", 2))
except ctckit.InvalidValueError as error:
    assert "shape" in str(error)
else:
    raise SystemExit("taken")
""",
        "import ctckit.testing.oracles",
        "from ctckit.compat.pyctcdecode import install; install()",
    ],
    ids=["import", "list", "wrong option", "wrong shape", "oracles", "pyctcdecode"],
)
def test_what_is_cheap_loads_nothing_heavy(code):
    assert loaded_by(code) == []


def test_the_check_above_can_fail():
    assert loaded_by("import numba")[:1] == ["numba"]


def test_public_names_exist_and_are_all():
    assert ctckit.__all__ == sorted(ctckit.__all__, key=lambda name: (not name.isupper(), name))
    assert all(hasattr(ctckit, name) for name in ctckit.__all__)


def test_the_first_compilation_says_one_line_and_is_cached(tmp_path):
    first = run(DECODE, NUMBA_CACHE_DIR=str(tmp_path))
    assert (first.returncode, first.stdout, first.stderr) == (0, "['ab']\n", NOTICE)
    second = run(DECODE, NUMBA_CACHE_DIR=str(tmp_path))
    assert (second.returncode, second.stdout, second.stderr) == (0, "['ab']\n", "")


def test_without_a_cache_folder_it_still_decodes(tmp_path):
    (tmp_path / "file").write_text("in the way")
    done = run(
        DECODE,
        NUMBA_CACHE_DIR=str(tmp_path / "file" / "cache"),
        NUMBA_CACHE_LOCATOR_CLASSES="UserProvidedCacheLocator",
    )
    assert (done.returncode, done.stdout) == (0, "['ab']\n"), done.stderr
    assert done.stderr == NOTICE.replace(
        "once; then cached", "each time: no cache folder can be written, see NUMBA_CACHE_DIR"
    )


@pytest.mark.parametrize("module", ["strategies", "checks", "isolated", "conformance"])
def test_what_needs_hypothesis_names_the_extra(monkeypatch, module):
    monkeypatch.setitem(sys.modules, "hypothesis", None)
    for name in [one for one in sys.modules if one.startswith("ctckit.testing")]:
        monkeypatch.delitem(sys.modules, name)
    with pytest.raises(MissingExtraError, match=r"pip install 'ctckit\[testing\]'"):
        importlib.import_module(f"ctckit.testing.{module}")
