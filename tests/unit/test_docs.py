"""What the documents say works: their code runs, their commands run, their links lead somewhere."""

from __future__ import annotations

import csv
import doctest
import importlib
import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import ctckit
from ctckit.cli.main import COMMANDS, cli
from ctckit.decoders.options import REQUIRED
from ctckit.registry import decoder_class
from ctckit.testing.checks import CHECKS, Subject, run_checks
from ctckit.testing.conformance import DecoderConformance

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("corpora/*/README.md")),
    *sorted(ROOT.glob("plugins/*/README.md")),
]
BLOCK = re.compile(r"^( *)```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)\s]+)\)")
WORDS = ("cheese", "hands")
"""Images of the demo that the documents' code finds in the folder `words`."""
TUTORIAL = ROOT / "docs" / "tutorial.md"
"""Followed by a test of its own."""


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def blocks(path, language):
    found = BLOCK.findall(path.read_text(encoding="utf-8"))
    return [code for _, kind, code in found if kind == language]


def with_blocks(language):
    paths = [path for path in DOCUMENTS if path != TUTORIAL and blocks(path, language)]
    return [pytest.param(path, id=name_of(path)) for path in paths]


def said_outputs(code):
    """Return the lines that a block says it prints: after a print, or below it."""
    outputs = []
    below = False
    for line in code.splitlines():
        if "print(" in line:
            _, comment, said = line.partition(")  # ")
            outputs += [said] if comment else []
            below = not comment
        elif below and line.startswith("# "):
            outputs.append(line[2:])
        else:
            below = False
    return outputs


def run_block(code, namespace):
    """Run a block; one that begins with the name of a file becomes that file, and is imported."""
    file = re.match(r"# (\w+)/(\w+)\.py\n", code)
    if not file:
        exec(compile(code, "<block>", "exec"), namespace)
        return
    Path(file[1]).mkdir(exist_ok=True)
    Path(file[1], f"{file[2]}.py").write_text(code, encoding="utf-8")
    importlib.invalidate_caches()
    namespace.update(vars(importlib.import_module(f"{file[1]}.{file[2]}")))


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the corpora and a folder of some images, current and importable."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "corpora").symlink_to(ROOT / "corpora")
    demo, words = ROOT / "corpora" / "demo" / "images", tmp_path / "words"
    words.mkdir()
    with (demo / "labels.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.reader(file) if row[1] in WORDS]
    for file_name, _ in rows:
        shutil.copy(demo / file_name, words)
    lines = [",".join(row) + "\n" for row in [["file", "text"], *rows]]
    (words / "labels.csv").write_text("".join(lines), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        if str(tmp_path) in str(getattr(sys.modules[name], "__file__", "")):
            del sys.modules[name]


@pytest.fixture
def users_files(folder):
    """What a user has: matrices of 80 classes, characters, texts, a corpus, words."""
    characters = "".join(map(chr, range(32, 32 + 79)))
    rng = np.random.default_rng(3)
    logits = rng.normal(size=(3, 12, 80)).astype(np.float32) * 4
    np.savez("matrices.npz", logits=logits)
    for name in ("chars.txt", "charList.txt"):
        Path(name).write_text(characters, encoding="utf-8")
    Path("texts.csv").write_text("id,text\n0,a friend\n1,tea\n2,of it\n", encoding="utf-8")
    Path("corpus.txt").write_text("a friend of mine had tea; it was cold", encoding="utf-8")
    Path("names.txt").write_text("Niamh Keal\nBadge 4\t8\n", encoding="utf-8")
    Path("items.csv").write_text("id,lexicon\n0,a beach\n", encoding="utf-8")
    Path("my_model.py").write_text("score_texts = lambda texts: [-len(one) for one in texts]\n")
    Path("csvs").mkdir()
    for i, matrix in enumerate(logits):
        rows = [";".join(map(str, row)) + ";\n" for row in matrix.tolist()]
        Path("csvs", f"line{i}.csv").write_text("".join(rows))
    return folder


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("path", with_blocks("python"))
def test_python_blocks_run(path, folder, capsys):
    if any("ctckit.recognizer" in code for code in blocks(path, "python")):
        for module in ("cv2", "safetensors"):
            pytest.importorskip(module, reason="needs ctckit[recognizer]")
    namespace = {"__name__": "document"}
    capsys.readouterr()
    for code in blocks(path, "python"):
        run_block(code, namespace)
        assert capsys.readouterr().out.splitlines() == said_outputs(code)


def test_the_decoders_of_the_plugin_page_conform(folder):
    namespace = {"__name__": "document"}
    decoders = []
    for code in blocks(ROOT / "docs" / "plugins.md", "python"):
        run_block(code, namespace)
        for name in ("surepath", "SurePath"):
            if name in namespace and namespace[name] not in decoders:
                decoders.append(namespace[name])
    assert len(decoders) == 3
    assert issubclass(namespace["TestSurePath"], DecoderConformance)
    batch = ctckit.MatrixBatch.from_logits(
        np.random.default_rng(0).normal(size=(20, 30, 4)) * 3, ctckit.Alphabet("ab c", blank=2)
    )
    texts = [one(batch.alphabet, floor=0.6).decode_batch(batch).texts() for one in decoders]
    assert texts == [texts[0]] * 3
    for decoder in decoders:
        found = run_checks(Subject(decoder, examples=5))
        # What a block defines is in no module, so other processes cannot import it.
        assert {one.result for one in found} == {"ok", "skipped"}, found


def test_the_conformance_page_tells_every_check():
    text = (ROOT / "docs" / "conformance.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", text, re.MULTILINE)
    assert rows == [(name, check.summary) for name, check in CHECKS.items()]


def test_the_readme_shows_the_template():
    template = (ROOT / "plugins" / "template" / "ctckit_template.py").read_text(encoding="utf-8")
    code = template.partition('"""\n\n')[2]
    assert code
    assert code in blocks(ROOT / "README.md", "python")


def commands(path):
    """Return the words of each command of a document's shell blocks."""
    codes = [code.replace("\\\n", " ") for code in blocks(path, "sh")]
    lines = [line for code in codes for line in code.splitlines()]
    return [words for words in (shlex.split(line, comments=True) for line in lines) if words]


def sessions(path):
    """Return the commands of a console block, those after a $, and what each of them prints."""
    found = []
    for code in blocks(path, "console"):
        for part in re.split(r"^\$ ", code.replace("\\\n", " "), flags=re.MULTILINE)[1:]:
            command, _, said = part.partition("\n")
            found.append((shlex.split(command), said))
    return found


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize("path", with_blocks("console"))
def test_sessions_print_what_they_say(path, users_files):
    checker = doctest.OutputChecker()
    assert sessions(path)
    for words, said in sessions(path):
        assert words[0] == "ctckit"
        result = CliRunner().invoke(cli, words[1:], prog_name="ctckit", catch_exceptions=False)
        assert result.exit_code == 0, (words, result.output)
        assert checker.check_output(said, result.stdout, doctest.ELLIPSIS), (words, result.stdout)


@pytest.mark.xdist_group("keras")
@pytest.mark.parametrize(
    "path",
    [one for one in with_blocks("sh") if any(w[0] == "ctckit" for w in commands(one.values[0]))],
)
def test_commands_run(path, users_files):
    named = [words[1:] for words in commands(path) if words[0] == "ctckit"]
    invoke = CliRunner().invoke
    if not any(words[0] == "convert" for words in named):
        options = ["--alphabet", "chars.txt", "--blank", "79", "--kind", "logits"]
        options += ["--references", "texts.csv"]
        assert invoke(cli, ["convert", "matrices.npz", "dump", *options]).exit_code == 0
    for words in named:
        result = invoke(cli, words, prog_name="ctckit", catch_exceptions=False)
        assert result.exit_code == 0, (words, result.output)


def test_other_commands_are_those_that_there_are():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"test", "demo"} <= targets
    for path in DOCUMENTS:
        text = path.read_text(encoding="utf-8")
        for said in re.findall(r"^make ([a-z ]+)$|`make ([a-z ]+)`", text, re.MULTILINE):
            assert set("".join(said).split()) <= targets, (name_of(path), said)
        for words in commands(path):
            assert words[0] in ("pip", "make", "ctckit", "pytest", "python", "twine")
            local = [word for word in words if words[0] == "pip" and re.match(r"\.|\w+/", word)]
            projects = [] if path == TUTORIAL else [word.partition("[")[0] for word in local]
            assert all((ROOT / project / "pyproject.toml").is_file() for project in projects)


@pytest.mark.parametrize("path", [pytest.param(path, id=name_of(path)) for path in DOCUMENTS])
def test_local_links_resolve(path):
    for link in LINK.findall(path.read_text(encoding="utf-8")):
        if link.startswith(("http://", "https://")):
            continue
        target, _, anchor = link.partition("#")
        resolved = (path.parent / target).resolve() if target else path
        assert resolved.exists(), link
        if anchor:
            headings = re.findall(r"^#+ (.*)$", resolved.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w -]", "", one).lower().replace(" ", "-") for one in headings]
            assert anchor in anchors, link


def test_the_commands_page_is_up_to_date():
    # In a process of its own: click remembers the help option of a command that ran alone before.
    script = ROOT / "docs" / "make_commands.py"
    code = f"import runpy; print(runpy.run_path({str(script)!r})['make_page'](), end='')"
    made = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    page = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
    assert page == made.stdout, "run python docs/make_commands.py"
    for name in COMMANDS:
        assert f"ctckit {name}" in page


def test_the_readme_tells_every_option(own_decoders, options_cell):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \|[^|]*\| ([^|]*) \|$", text, re.MULTILINE))
    assert len(own_decoders) == 7
    for name in own_decoders:
        assert rows[name] == options_cell(name)


def test_the_plugin_readme_tells_every_option():
    text = (ROOT / "plugins" / "ctcwordbeamsearch" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \|", text, re.MULTILINE)
    said = [
        (
            one.name,
            "required" if one.default is REQUIRED else f"`{one.default!r}`".replace("'", '"'),
        )
        for one in decoder_class("wordbeamsearch").options.values()
    ]
    assert rows == said


def test_the_api_page_tells_every_error():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+Error)` \|", text, re.MULTILINE)
    errors = [name for name in ctckit.__all__ if name.endswith("Error") and name != "CtckitError"]
    assert sorted(rows) == sorted(errors)


def test_the_api_page_names_what_tests_have():
    text = (ROOT / "docs" / "api.md").read_text(encoding="utf-8").partition("## Test a dec")[2]
    named = re.findall(r"^\| `ctckit\.testing\.(\w+)\.?(\w*)`", text, re.MULTILINE)
    assert len(named) > 8
    for module, name in named:
        loaded = importlib.import_module(f"ctckit.testing.{module}")
        assert not name or hasattr(loaded, name)


@pytest.mark.parametrize("name", ["speed", "language"])
def test_the_readme_has_a_place_for_the_tables_of_speed(name):
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    begin, end = f"<!-- {name}:begin -->", f"<!-- {name}:end -->"
    assert text.count(begin) == text.count(end) == 1
    assert text.index("## Speed") < text.index(begin) < text.index(end)
