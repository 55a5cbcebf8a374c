"""The one decorator under which every numba kernel is compiled, and the array types it uses.

Kernels have explicit signatures, so that importing a kernel's module compiles it (or loads it
from numba's cache) and no call ever compiles a second version. Input arrays are declared
read-only: numba passes writable arrays to them too, and memory maps need it.

numba's cache does not notice when a function that a kernel calls in another file changes. So a
kernel's cache is bound here to all files of its own folder and of this one.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

from numba import njit, types
from numba.core import event

Function = TypeVar("Function", bound=Callable[..., Any])

F32 = types.float32
F64 = types.float64
I32 = types.int32
I64 = types.int64
BOOL = types.boolean
F32_2D = types.Array(F32, 2, "C", readonly=True)
F32_1D = types.Array(F32, 1, "C", readonly=True)
F64_1D = types.Array(F64, 1, "C", readonly=True)
F64_2D = types.Array(F64, 2, "C", readonly=True)
I32_1D = types.Array(I32, 1, "C", readonly=True)
I32_2D = types.Array(I32, 2, "C", readonly=True)
I64_1D = types.Array(I64, 1, "C", readonly=True)
I64_2D = types.Array(I64, 2, "C", readonly=True)
U8_1D = types.Array(types.uint8, 1, "C", readonly=True)
OUT_F32_1D = types.Array(F32, 1, "C")
OUT_F32_2D = types.Array(F32, 2, "C")
OUT_F64_1D = types.Array(F64, 1, "C")
OUT_F64_2D = types.Array(F64, 2, "C")
OUT_I32_1D = types.Array(I32, 1, "C")
OUT_I32_2D = types.Array(I32, 2, "C")
OUT_I64_2D = types.Array(I64, 2, "C")
OUT_I64_1D = types.Array(I64, 1, "C")
OUT_U8_1D = types.Array(types.uint8, 1, "C")
VOID = types.void


class _CompileNotice(event.Listener):
    """Says once a process, on stderr, that kernels are being compiled."""

    def __init__(self) -> None:
        self.said = False

    def on_start(self, event: Any) -> None:
        dispatcher = event.data["dispatcher"]
        if not self.said and getattr(dispatcher.py_func, "__ctckit_kernel__", False):
            self.said = True
            when = "once; then cached"
            if type(dispatcher._cache).__name__ == "NullCache":
                when = "each time: no cache folder can be written, see NUMBA_CACHE_DIR"
            print(
                f"ctckit: compiling kernels for this machine (seconds to a minute, {when})",
                file=sys.stderr,
                flush=True,
            )

    def on_end(self, event: Any) -> None:
        pass


_notice = _CompileNotice()
event.register("numba:compile", _notice)


def kernel(signature: Any, *, reorder_sums: bool = False) -> Callable[[Function], Function]:
    """Compile a function for `signature` with caching and without the interpreter lock.

    Where no cache folder can be written, or the disk is full, it compiles each time.
    `reorder_sums` lets LLVM add floats in any order, which a vectorised sum needs; the rest of
    fastmath stays off everywhere, since -inf is data here.
    """
    fastmath = {"contract", "reassoc", "nsz"} if reorder_sums else {"contract"}
    options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": fastmath}

    def decorate(function: Function) -> Function:
        function.__ctckit_kernel__ = True  # type: ignore[attr-defined]
        try:
            dispatcher = njit(cache=True, **options)(function)
            if hasattr(dispatcher, "compile"):  # not so under NUMBA_DISABLE_JIT
                _bind_cache_to_sources(dispatcher)
                _tolerate_full_disk(dispatcher)
        except (RuntimeError, AttributeError):
            # No folder to write a cache to, or a numba whose cache cannot be bound to the sources.
            return cast(Function, njit(signature, **options)(function))
        if hasattr(dispatcher, "compile"):
            dispatcher.compile(signature)
            dispatcher.disable_compile()
        return cast(Function, dispatcher)

    return decorate


_HELPER: dict[str, Any] = {
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract"},
    "_nrt": False,  # no reference counting of its own, which costs a hundred cycles a call
}


def inline(function: Function) -> Function:
    """Compile a helper that is inlined into the kernels that call it. It allocates nothing."""
    return cast(Function, njit(forceinline=True, **_HELPER)(function))


def outline(function: Function) -> Function:
    """Compile a helper that kernels call; for what is long, called at several places, or rare."""
    return cast(Function, njit(**_HELPER)(function))


def _bind_cache_to_sources(dispatcher: Any) -> None:
    """Let the cache of a kernel count as stale once any file that it may call into changes."""
    own = Path(dispatcher.py_func.__code__.co_filename).parent
    files = {*own.glob("*.py"), *Path(__file__).parent.glob("*.py")}
    stamp = [(file.name, file.stat().st_mtime_ns, file.stat().st_size) for file in sorted(files)]
    cache_file = dispatcher._cache._cache_file
    if not hasattr(cache_file, "_source_stamp"):
        raise AttributeError("numba keeps the stamp of a cache's sources elsewhere")
    cache_file._source_stamp = tuple(stamp)


def _tolerate_full_disk(dispatcher: Any) -> None:
    """Let a failed write of the cache cost a later compilation, not this run."""
    save = dispatcher._cache.save_overload

    def save_or_skip(*args: Any) -> None:
        try:
            save(*args)
        except OSError:
            return

    dispatcher._cache.save_overload = save_or_skip
