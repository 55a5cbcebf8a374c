"""The shim under the name pyctcdecode, for libraries that import that themselves."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from collections.abc import Iterable
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

from ctckit.errors import InvalidValueError

VERSION = "0.5.0"
"""Of pyctcdecode, whose calls these are."""
SUBMODULES = ("alphabet", "constants", "decoder", "language_model")
KENLM_VERSION = "0.3.0"


class _StandIn(ModuleType):
    """A module under another's name."""

    def __init__(self, name: str, source: ModuleType, version: str) -> None:
        super().__init__(name, source.__doc__)
        self.__dict__.update(
            {one: value for one, value in vars(source).items() if not one.startswith("__")}
        )
        self.__file__ = source.__file__
        self.__version__ = version
        self.__spec__ = ModuleSpec(name, None, origin=source.__file__, is_package=True)
        self.__path__ = []


class _Metadata(importlib.metadata.DistributionFinder):
    """Tells `importlib.metadata` the versions of the stand-ins, where it is asked by name."""

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> None:
        """Find no module: the stand-ins are imported already."""

    def find_distributions(
        self, context: importlib.metadata.DistributionFinder.Context | None = None
    ) -> Iterable[importlib.metadata.Distribution]:
        """Return the stand-in of a name."""
        name = context.name if context is not None else None
        module = sys.modules.get(name) if name is not None else None
        return [_Distribution(module)] if isinstance(module, _StandIn) else []


class _Distribution(importlib.metadata.Distribution):
    def __init__(self, module: _StandIn) -> None:
        self._module = module

    def read_text(self, filename: str) -> str | None:
        if filename != "METADATA":
            return None
        name, version = self._module.__name__, self._module.__version__
        return f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\nSummary: by ctckit\n"

    def locate_file(self, path: Any) -> Any:
        return Path(str(self._module.__file__)).parent / path


_metadata = _Metadata()


def install() -> None:
    """Let ``import pyctcdecode`` give the shim, in this process from now on.

    For libraries that import pyctcdecode themselves, such as transformers: call it before they are
    imported. The package need not be installed; if it is, it is hidden. Where kenlm cannot be
    imported, its name gets a stand-in, too, since transformers asks for it.

    Raises
    ------
    InvalidValueError : pyctcdecode has been imported already
    """
    present = sys.modules.get("pyctcdecode")
    if isinstance(present, _StandIn):
        return
    if present is not None:
        raise InvalidValueError(
            f"pyctcdecode must not be imported before install(), got it from "
            f"'{getattr(present, '__file__', None)}'; call install() first, before what imports it"
        )
    package = __name__.rpartition(".")[0]
    shim = _StandIn("pyctcdecode", importlib.import_module(package), VERSION)
    sys.modules["pyctcdecode"] = shim
    for name in SUBMODULES:
        module = importlib.import_module(f"{package}.{name}")
        sys.modules[f"pyctcdecode.{name}"] = module
        setattr(shim, name, module)
    if "kenlm" not in sys.modules and importlib.util.find_spec("kenlm") is None:
        stand_in = importlib.import_module(f"{package}.kenlm")
        sys.modules["kenlm"] = _StandIn("kenlm", stand_in, KENLM_VERSION)
    sys.meta_path.append(_metadata)


def uninstall() -> None:
    """Take back what `install` did; what has imported the shim keeps it."""
    names = ["pyctcdecode", *(f"pyctcdecode.{name}" for name in SUBMODULES)]
    if isinstance(sys.modules.get("pyctcdecode"), _StandIn):
        for name in names:
            sys.modules.pop(name, None)
    if isinstance(sys.modules.get("kenlm"), _StandIn):
        del sys.modules["kenlm"]
    if _metadata in sys.meta_path:
        sys.meta_path.remove(_metadata)
