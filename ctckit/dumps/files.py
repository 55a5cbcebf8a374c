"""Files and folders that appear under their name only when they are complete."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

from ctckit.errors import DumpError


@contextlib.contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn an OSError into a DumpError that names `path`, the folder or file being written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise DumpError(
                f"disk must have room for '{path}', got '{reason}'; free some space, then run again"
            ) from error
        raise DumpError(
            f"output path must be writable, got '{path}' ({reason}); choose another place"
        ) from error


def sync_folder(folder: Path) -> None:
    """Make the names in `folder` survive a power cut, where the system can."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_text(path: Path, text: str) -> None:
    """Write a UTF-8 file by way of ``<name>.tmp``, so that it is there whole or not at all."""
    temporary = path.with_name(path.name + ".tmp")
    with temporary.open("w", encoding="utf-8", newline="") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    sync_folder(path.parent)


def names_in(folder: Path, name: str = "path") -> list[str]:
    """Return the names in a folder, sorted; none where it does not exist.

    Raises
    ------
    DumpError : it is no folder, or cannot be read; `name` is what the folder is
    """
    try:
        return sorted(entry.name for entry in folder.iterdir())
    except FileNotFoundError:
        return []
    except OSError as error:
        raise DumpError(
            f"{name} must be a folder, got '{folder}' ({error.strerror}); choose another"
        ) from None


def check_destination(path: Path, overwrite: bool, is_ours: Callable[[str], bool]) -> None:
    """Refuse a destination folder that holds something, or with `overwrite` something else.

    Raises
    ------
    DumpError : `path` is a file; it holds files and `overwrite` is not set; it holds files other
        than those that `is_ours` names, which `overwrite` must not delete
    """
    names = names_in(path, "destination")
    other = next((name for name in names if not is_ours(name) or (path / name).is_dir()), None)
    if not names:
        return
    if other is not None:
        raise DumpError(
            f"output folder must hold nothing else, got {other!r} in '{path}'; choose a new folder"
        )
    if not overwrite:
        raise DumpError(
            f"output folder must be new or empty, got '{path}' with {len(names)} files; "
            "choose another, or overwrite it (--overwrite)"
        )


def lock_folder(folder: Path) -> int | None:
    """Open a folder and keep other runs out of it, until the descriptor is closed.

    A lock that is gone with its process; None where the system or the file system knows none.

    Raises
    ------
    BlockingIOError : another run has it
    OSError : the folder cannot be opened
    """
    if os.name != "posix":
        return None
    import fcntl

    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        raise
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


class StagedFolder:
    """A folder that is filled beside its destination and takes the name when complete.

    One run at a time: who has made the folder beside the destination, or found it left behind,
    locks it, and nobody else deletes it. What has no lock is taken as left behind.

    Parameters
    ----------
    path : the destination, which `check_destination` has passed
    is_ours : which file names may be deleted in what an earlier, killed run left behind
    """

    def __init__(self, path: Path, is_ours: Callable[[str], bool]) -> None:
        self._destination = path.resolve()
        self._is_ours = is_ours
        self.path = self._beside("partial")
        self._is_held = False
        self._unlock: Callable[[], object] = lambda: None
        with disk_errors(path):
            self._take(path)

    def _take(self, path: Path) -> None:
        """Make or take over the folder, empty and locked."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        is_new = True
        try:
            self.path.mkdir()
        except FileExistsError:
            is_new = False
        try:
            descriptor = lock_folder(self.path)
            if descriptor is not None:
                self._unlock = weakref.finalize(self, os.close, descriptor)
                # What was locked may have been deleted, or given its name, just before.
                if not os.path.samestat(os.fstat(descriptor), self.path.lstat()):
                    raise BlockingIOError
        except (BlockingIOError, FileNotFoundError):
            self._unlock()
            raise DumpError(
                f"output folder must be written by one run at a time, got '{path}', which another "
                "is writing; wait for it, or choose another"
            ) from None
        if not is_new:
            check_destination(self.path, True, self._is_ours)
            for name in names_in(self.path):
                (self.path / name).unlink()
        self._is_held = True

    def _beside(self, ending: str) -> Path:
        return self._destination.with_name(f".{self._destination.name}.{ending}")

    def _remove(self, folder: Path) -> None:
        if not folder.exists():
            return
        check_destination(folder, True, self._is_ours)
        shutil.rmtree(folder)

    def publish(self) -> None:
        """Give the folder its name; what had that name before is deleted afterwards."""
        destination, old = self._destination, self._beside("old")
        with disk_errors(destination):
            self._remove(old)
            if destination.exists():
                check_destination(destination, True, self._is_ours)
            try:
                if destination.exists():
                    destination.rename(old)
                self.path.rename(destination)
            except BaseException:
                if old.exists() and not destination.exists():
                    old.rename(destination)
                raise
            self._is_held = False
            self._unlock()
            sync_folder(destination.parent)
            self._remove(old)

    def discard(self) -> None:
        """Delete what was written, unless it has its name."""
        if not self._is_held:
            return
        self._is_held = False
        with contextlib.suppress(OSError, DumpError):
            self._remove(self.path)
        self._unlock()
