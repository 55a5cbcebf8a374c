"""docs/tutorial.md, followed to the letter: files written, commands run, outputs compared.

It runs in an environment of its own, in which pip installs what the tutorial writes. ctckit and all
else come from the environment of the tests, since there is no network here.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "tutorial.md"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE = re.compile(r"# ([\w./-]+\.py)\n")
PROJECT = Path("ctckit-surepath", "pyproject.toml")
SCRIPTS = ("ctckit", "pip", "pytest", "twine")
TOOLS = ("build", "editables", "hatchling", "twine")
USUAL = ("CTCKIT_CACHE_DIR", "HOME", "LANG", "PATH", "SYSTEMROOT", "TEMP", "TMP", "TMPDIR")
COMPILING = re.compile(r"^ctckit: compiling kernels .*\n", re.MULTILINE)
VARIES = (
    (re.compile(r"(\d+/\d+\s+)\d+$", re.MULTILINE), r"\1#"),  # lines/s
    (re.compile(r"\b\d+\.\d+s\b"), "#s"),
)
"""What may differ from the page: how long something took."""


@dataclass(frozen=True)
class Step:
    """A block of the page: a file, a table of pyproject.toml, or commands with their output."""

    kind: str
    text: str
    output: str | None = None

    @property
    def title(self) -> str:
        return self.text.partition("\n")[0]


def steps() -> list[Step]:
    found: list[Step] = []
    for kind, text in BLOCK.findall(PAGE.read_text(encoding="utf-8")):
        if kind == "text":
            commands = found.pop()
            assert commands.kind == "sh", f"an output follows no commands: {text}"
            found.append(Step("sh", commands.text, text))
        else:
            found.append(Step(kind, text))
    return found


@pytest.fixture(scope="module")
def environment(tmp_path_factory) -> dict[str, str]:
    """One that sees the packages of this environment; pip installs into it, without a network."""
    for tool in TOOLS:
        pytest.importorskip(tool, reason="needs the dependency group dev")
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    scripts = folder / ("Scripts" if os.name == "nt" else "bin")
    (site,) = folder.glob("lib/python*/site-packages")
    paths = [path for path in sys.path if path and Path(path).is_dir()]
    (site / "tests.pth").write_text("\n".join(paths), encoding="utf-8")
    points = {one.name: one for one in entry_points(group="console_scripts") if one.name in SCRIPTS}
    for name in SCRIPTS:
        module, _, attribute = points[name].value.partition(":")
        script = scripts / name
        script.write_text(
            f"#!{scripts / 'python'}\nimport sys\nfrom {module} import {attribute}\n"
            f"sys.argv[0] = {name!r}\nsys.exit({attribute}())\n"
        )
        script.chmod(0o755)
    # What any shell has; others may change outputs, as CI does those of pytest.
    kept = {name: os.environ[name] for name in USUAL if name in os.environ}
    return kept | {
        "PATH": os.pathsep.join([str(scripts), kept["PATH"]]),
        "VIRTUAL_ENV": str(folder),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_NO_BUILD_ISOLATION": "0",  # pip means by it that there is none
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "NO_COLOR": "1",
        "COLUMNS": "100",
    }


def test_the_tutorial_works_as_it_is_written(environment, tmp_path):
    done = {"python": write_file, "toml": set_table}
    for step in steps():
        if step.kind == "sh":
            run_commands(step, environment, tmp_path)
        else:
            done[step.kind](step, tmp_path)


def write_file(step: Step, folder: Path) -> None:
    """Write a file, which the first line names; in the package, it replaces or joins others."""
    name = FILE.match(step.text)
    assert name, f"a block of Python names no file: {step.title}"
    path = folder / name[1]
    path.parent.mkdir(exist_ok=True)
    path.write_text(step.text, encoding="utf-8")


def set_table(step: Step, folder: Path) -> None:
    """Put a table into the package's pyproject.toml in place of the one that has its name."""
    path = folder / PROJECT
    text = path.read_text(encoding="utf-8")
    found = re.findall(rf"^{re.escape(step.title)}\n(?:.+\n)*", text, re.MULTILINE)
    assert len(found) == 1, f"{PROJECT} has no table {step.title}"
    path.write_text(text.replace(found[0], step.text), encoding="utf-8")


def run_commands(step: Step, environment: dict[str, str], folder: Path) -> None:
    """Run commands; one may fail if the page shows that it does."""
    outputs = []
    for command in step.text.replace("\\\n", " ").splitlines():
        ran = subprocess.run(
            ["sh", "-c", command],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            timeout=300,
        )
        outputs.append(ran.stdout)
        assert ran.returncode == shown_exit_code(step.output), f"{command}\n{ran.stdout}"
    if step.output is not None:
        output = "".join(outputs)
        assert matches(step.output, output), f"{step.text}{output}\ninstead of\n\n{step.output}"


def shown_exit_code(output: str | None) -> int:
    """Return the exit code of commands with an output: 2 for wrong usage, 1 for failed tests."""
    if output is None or not re.search("error: |failed", output):
        return 0
    return 2 if "error: " in output else 1


def matches(shown: str, output: str) -> bool:
    """Whether an output is what the page shows; ``...`` is anything, any white space the same."""
    parts = [re.escape(part) for part in comparable(shown).split("...")]
    return re.fullmatch(".*".join(parts), comparable(output), re.DOTALL) is not None


def comparable(text: str) -> str:
    text = COMPILING.sub("", text)
    for pattern, replacement in VARIES:
        text = pattern.sub(replacement, text)
    return " ".join(text.split())


@pytest.mark.parametrize(
    ("shown", "output", "same"),
    [
        ("a  b\n", "a\tb\n", True),
        ("a\n...\nd\n", "a\nb\nc\nd\n", True),
        ("a\n...\nd\n", "a\nb\nc\n", False),
        ("x 0.1 3/4 1200\n", "x\t0.1\t3/4\t99\n", True),
        ("x 0.1 3/4 1200\n", "x\t0.2\t3/4\t1200\n", False),
        ("1 passed in 0.31s\n", "1 passed in 12.00s\n", True),
        ("1 passed\n", "ctckit: compiling kernels for this machine (once)\n2 passed\n", False),
    ],
)
def test_what_counts_as_the_same_output(shown, output, same):
    assert matches(shown, output) == same


def test_the_tutorial_shows_most_outputs():
    found = [step for step in steps() if step.kind == "sh"]
    assert len([step for step in found if step.output]) >= 8
