"""What is slow to build is kept on disk, and mapped into memory the next time.

The folder is that of the environment variable ``CTCKIT_CACHE_DIR``, else the user's usual one for
caches. Where it cannot be written, or ``CTCKIT_CACHE_DIR`` is empty, things are built each time.
Files may be removed at any time; a damaged one is built again.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ctckit.arrayfile import Arrays, read_arrays, write_arrays
from ctckit.errors import InvalidValueError

UNUSED_DAYS = 90
"""After so long without use a file is removed, when another one is written."""


def cache_folder() -> Path | None:
    """Return the folder of the cache, whether it is there or not; None: no cache is wanted."""
    named = os.environ.get("CTCKIT_CACHE_DIR")
    if named is not None:
        return Path(named) if named else None
    import platformdirs

    return Path(platformdirs.user_cache_dir("ctckit", appauthor=False))


def file_identity(path: Path) -> list[Any]:
    """Return what changes when a file does: its place, size and time, for a key."""
    status = path.stat()
    return [str(path.resolve()), status.st_size, status.st_mtime_ns]


def cached(
    kind: str, key: Sequence[Any], build: Callable[[], tuple[Arrays, dict[str, Any]]]
) -> tuple[Arrays, dict[str, Any]]:
    """Return what `build` returns, from the cache if it was built before.

    Parameters
    ----------
    kind : a short name for what is built; begins the file's name
    key : what the result depends on, the version of the code that builds it included; JSON
    build : makes the arrays, and what else is to be known of them as JSON

    Returns
    -------
    The arrays, read-only and mapped into memory where the cache holds them, and the rest.
    """
    folder = cache_folder()
    if folder is None:
        return build()
    digest = hashlib.sha256(json.dumps([kind, *key]).encode()).hexdigest()[:32]
    path = folder / f"{kind}-{digest}.arrays"
    with suppress(InvalidValueError, OSError):
        found = read_arrays(path)
        with suppress(OSError):
            os.utime(path)
        return found
    arrays, about = build()
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True)
        write_arrays(path, arrays, about)
        _remove_unused(folder)
        return read_arrays(path)
    return arrays, about


def _remove_unused(folder: Path) -> None:
    oldest = time.time() - UNUSED_DAYS * 86400
    for path in folder.glob("*.arrays*"):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
