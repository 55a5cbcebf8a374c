"""The cache: built once, mapped after that, never in the way."""

from __future__ import annotations

import os
import time

import numpy as np
import pytest

from ctckit.cache import UNUSED_DAYS, cache_folder, cached, file_identity


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("CTCKIT_CACHE_DIR", str(tmp_path / "a" / "cache"))
    return tmp_path / "a" / "cache"


class Builder:
    def __init__(self):
        self.calls = 0

    def __call__(self):
        self.calls += 1
        return {"a": np.arange(self.calls)}, {"calls": self.calls}


def test_it_is_built_once(folder):
    build = Builder()
    for _ in range(3):
        arrays, about = cached("x", [1, "k"], build)
        assert (len(arrays["a"]), about) == (1, {"calls": 1})
    cached("x", [2, "k"], build)
    cached("y", [1, "k"], build)
    assert build.calls == 3
    assert len(list(folder.iterdir())) == 3


def test_a_damaged_file_is_built_again(folder):
    build = Builder()
    cached("x", [], build)
    next(folder.iterdir()).write_bytes(b"")
    assert cached("x", [], build)[1] == {"calls": 2}
    assert cached("x", [], build)[1] == {"calls": 2}


def test_without_a_folder_it_is_built_each_time(tmp_path, monkeypatch):
    build = Builder()
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("CTCKIT_CACHE_DIR", str(tmp_path / "file" / "cache"))
    cached("x", [], build)
    assert cached("x", [], build)[1] == {"calls": 2}
    monkeypatch.setenv("CTCKIT_CACHE_DIR", "")
    assert cache_folder() is None
    assert cached("x", [], build)[1] == {"calls": 3}


def test_by_default_it_is_the_users(monkeypatch):
    monkeypatch.delenv("CTCKIT_CACHE_DIR")
    assert cache_folder().name.lower() == "ctckit" or "ctckit" in cache_folder().parts


def test_what_is_not_used_goes(folder):
    build = Builder()
    cached("x", [], build)
    old = next(folder.iterdir())
    past = time.time() - (UNUSED_DAYS + 1) * 86400
    os.utime(old, (past, past))
    cached("x", [2], build)
    assert not old.exists()
    cached("x", [2], build)
    assert build.calls == 2


def test_a_file_that_changes_has_another_identity(tmp_path):
    path = tmp_path / "file"
    path.write_text("a")
    before = file_identity(path)
    path.write_text("ab")
    assert file_identity(path) != before
