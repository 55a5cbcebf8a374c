"""Array files: what is written is read, mapped; damage is named."""

from __future__ import annotations

import numpy as np
import pytest

from ctckit.arrayfile import MAGIC, is_array_file, read_arrays, write_arrays
from ctckit.errors import InvalidValueError

ARRAYS = {
    "ids": np.arange(7, dtype=np.int32),
    "none": np.zeros((0, 3), dtype=np.float32),
    "table": np.arange(12.0).reshape(3, 4),
    "big_endian": np.arange(3, dtype=">i8"),
}
ABOUT = {"order": 3, "words": ["é", "b"]}


@pytest.fixture
def path(tmp_path):
    write_arrays(tmp_path / "file", ARRAYS, ABOUT)
    return tmp_path / "file"


def test_what_is_written_is_read(path):
    arrays, about = read_arrays(path)
    assert about == ABOUT
    assert list(arrays) == list(ARRAYS)
    for name, array in ARRAYS.items():
        np.testing.assert_array_equal(arrays[name], array)
        assert arrays[name].ctypes.data % 64 == 0 or not array.size
        assert not arrays[name].flags.writeable
    assert [one.name for one in path.parent.iterdir()] == ["file"]


def test_it_knows_its_files(path, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(b"\\data\\\n")
    assert is_array_file(path)
    assert not is_array_file(other)


@pytest.mark.parametrize("keep", [0, 5, len(MAGIC) + 4, 60, -1])
def test_a_part_of_a_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(InvalidValueError, match="must be a whole array file of ctckit, got '"):
        read_arrays(path)


def test_a_file_that_grew_is_refused(path):
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(InvalidValueError, match="make it again"):
        read_arrays(path)


def test_what_cannot_be_written_leaves_nothing(tmp_path):
    write_arrays(tmp_path / "file", {"a": np.arange(3)}, {})
    with pytest.raises(TypeError):
        write_arrays(tmp_path / "file", {"a": np.arange(4)}, {"not": object()})
    assert len(read_arrays(tmp_path / "file")[0]["a"]) == 3
    assert len(list(tmp_path.iterdir())) == 1
