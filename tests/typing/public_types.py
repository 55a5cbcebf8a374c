"""Check the types of the public API as a user's mypy sees them, beside the package's own check.

python tests/typing/public_types.py

runs ``mypy --strict`` on user_code.py, away from the checkout, so that ctckit is the installed one.
Then it looks at every public name and every public attribute of public classes, and fails where one
has no annotation or is Any, but for those in `MAY_BE_ANY`.
"""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from mypy.build import build
from mypy.main import process_options
from mypy.nodes import FuncDef, MypyFile, TypeInfo

import ctckit

USER_CODE = Path(__file__).with_name("user_code.py")
SHIMS = {file.stem for file in Path(ctckit.__file__).parent.glob("compat/*.py")}
MODULES = (
    "ctckit",
    "ctckit.decoders.options",
    "ctckit.dumps",
    "ctckit.dumps.convert",
    "ctckit.language",
    "ctckit.metrics",
    "ctckit.testing.conformance",
    "ctckit.testing.oracles",
    "ctckit.testing.strategies",
    *(f"ctckit.compat.{name}" for name in sorted(SHIMS) if not name.startswith("_")),
)
"""What the documents say is public."""
MAY_BE_ANY = {
    "ctckit.decoder": "takes functions with any options",
    "ctckit.option": "its value has the type of the attribute's annotation",
    "ctckit.decoders.options.option": "the same",
    "ctckit.decoders.options.Option": "holds values of any of the types that options have",
    "ctckit.decoders.options.checked_options": "the same",
    "ctckit.load_decoder": "takes the options that the decoder declares",
    "ctckit.Decoder.__init__": "the same",
    "ctckit.Decoder.given_options": "the same",
    "ctckit.Decoder.exhaustive": "the same",
    "ctckit.Decoder.checked_n_best": "checks what was given",
    "ctckit.BeamDecoder.run_kernel": "hands on what the kernel takes",
    "ctckit.MatrixBatch.from_": "takes arrays of any library",
    "ctckit.write_dump": "takes any JSON as the source",
    "ctckit.dumps.write_dump": "the same",
    "ctckit.dumps.DumpWriter.__init__": "the same",
    "ctckit.dumps.Dump.source": "any JSON",
    "ctckit.language.NGramModel.__init__": "not for users, who call its constructors",
    "ctckit.testing.conformance.DecoderConformance.oracle": "texts as strings or token ids",
    "ctckit.testing.conformance.factory": "checks what the fixture returned",
    "ctckit.testing.strategies.with_numbers": "takes any strategy",
}
"""Names, or beginnings of names, and why Any is right there."""
HARMLESS = re.compile(
    r"tuple\[Any, \.\.\.\]|numpy\.(dtype|floating)\[Any\]"  # of an array
    r"|slice\[Any, Any, Any\]"
)
SPECIAL = ("__call__", "__contains__", "__getitem__", "__init__", "__iter__", "__len__")


def public_types(name: str, module: MypyFile) -> Iterator[tuple[str, str]]:
    """Yield the names in a module and in its classes, and their types as mypy writes them."""
    listed = module.names.get("__all__") is not None
    if name.startswith("ctckit.compat.") and not listed:
        return  # what several shims use
    for own, symbol in module.names.items():
        node = symbol.node
        imported = isinstance(node, MypyFile) or getattr(node, "is_suppressed_import", False)
        if own.startswith("_") or node is None or imported:
            continue
        if not (symbol.module_public if listed else node.fullname == f"{name}.{own}"):
            continue
        if isinstance(node, TypeInfo):
            for attribute, inner in node.names.items():
                if attribute in SPECIAL or not attribute.startswith("_"):
                    yield f"{name}.{own}.{attribute}", type_of(inner.node)
        else:
            yield f"{name}.{own}", type_of(node)


def type_of(node: object) -> str:
    """Return a type as mypy writes it; a function without annotations is Any."""
    found = getattr(node, "type", None)
    if isinstance(node, FuncDef) and found is None:
        return "def (Any) -> Any"
    return str(found) if found is not None else ""


def says_any(name: str, text: str) -> bool:
    """Return whether a type is Any or holds it where that says too little."""
    if name.startswith("ctckit.compat."):  # takes, and may hold, what other libraries have
        return text == "Any" or text.endswith("-> Any")
    return "Any" in HARMLESS.sub("", text)


def main() -> int:
    """Check, print what is wrong, and return the exit code."""
    code = USER_CODE.read_text(encoding="utf-8")
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        imports = "".join(f"import {name}\n" for name in MODULES)
        Path("user_code.py").write_text(code, encoding="utf-8")
        Path("every_module.py").write_text(imports, encoding="utf-8")
        options = ["--strict", "--no-incremental", "user_code.py", "every_module.py"]
        sources, settings = process_options(options)
        result = build(sources, settings)
    faults = list(result.errors)
    if result.files["ctckit"].path.startswith(folder):
        faults.append("ctckit must be installed, got one in the folder of the test")
    unused = [name for name in ctckit.__all__ if not re.search(rf"\b{name}\b", code)]
    faults += [f"ctckit.{name} must be used in {USER_CODE.name}, got no use" for name in unused]
    types = {}
    for name in MODULES:
        types |= dict(public_types(name, result.files[name]))
    any_at = {name for name, text in types.items() if says_any(name, text)}
    allowed = {name for name in any_at if name.startswith(tuple(MAY_BE_ANY))}
    faults += [f"{name} must not be Any, got {types[name]}" for name in sorted(any_at - allowed)]
    for name in MAY_BE_ANY:
        if not any(one.startswith(name) for one in allowed):
            faults.append(f"{name} stands in MAY_BE_ANY, but is not Any")
    print("\n".join(faults) or f"public types: {len(types)} names have one")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
