"""Dumps of matrices on disk."""

from typing import Any


def open_dump(path: Any) -> Any: ...


def write_dump(path: Any, batch: Any, ids: Any = None, references: Any = None) -> Any: ...
