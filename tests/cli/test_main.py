"""The group: help, version, cold start, and how errors end a command."""

from __future__ import annotations

import json
import os
import pty
import resource
import signal
import subprocess
import sys
import time
from importlib import import_module

import pytest

import ctckit as package
from ctckit.cli.errors import say_warnings
from ctckit.cli.group import COMMANDS, cli
from ctckit.errors import CtckitError, warn_user

SLOW = {"numba", "llvmlite", "pandas", "pyarrow", "tensorflow", "keras"}
LOADED = """
import contextlib, io, json, sys
from ctckit.cli.group import cli
for args in json.load(sys.stdin):
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        try:
            cli.main(args, prog_name="ctckit")
        except SystemExit as end:
            code = end.code
    print(json.dumps([code, sorted({name.partition(".")[0] for name in sys.modules})]))
"""
WITHOUT_KERNELS = [
    (["--help"], 0),
    (["decoders"], 0),
    (["decoders", "--json"], 0),
    (["decode", "--help"], 0),
    (["decode", "--decoder", "bestpath", "--help"], 0),
    (["decod"], 2),
    (["decode", "--beam-wdith", "5"], 2),
    (["decode", "--beam-width", "0"], 2),
    (["decode", "--decoder", "beamserch"], 2),
    (["decode", "--output", "x.doc"], 2),
    (["decode", "--corpus", "none.txt"], 2),
    (["decode", "--n-best", "30"], 2),
    (["decode", "--decoder", "wordbeamsearch", "--corpus", "none.txt"], 1),
    (["bench", "--decoder", "beamsearch:beam_width=0"], 2),
    (["bench", "--output", "x.doc"], 2),
    (["convert", "--help"], 0),
]


def test_version(invoke):
    result = invoke("--version")
    assert (result.exit_code, result.stdout) == (0, f"ctckit {package.__version__}\n")


def test_python_dash_m(ctckit):
    result = ctckit("--version")
    assert (result.returncode, result.stdout) == (0, f"ctckit {package.__version__}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_short_helps_in_the_list_are_the_commands_own(name):
    place, short_help = COMMANDS[name]
    module, _, attribute = place.partition(":")
    assert getattr(import_module(module), attribute).get_short_help_str(100) == short_help


def test_help_lists_every_command(invoke):
    lines = invoke("--help").stdout.splitlines()
    assert [line.split()[0] for line in lines[lines.index("Commands:") + 1 :]] == sorted(COMMANDS)


def test_nothing_slow_is_loaded_for_help_lists_and_wrong_arguments(folder):
    result = subprocess.run(
        [sys.executable, "-c", LOADED],
        input=json.dumps([args for args, _ in WITHOUT_KERNELS]),
        capture_output=True,
        text=True,
        cwd=folder,
        check=True,
    )
    found = [json.loads(line) for line in result.stdout.splitlines()]
    assert [code for code, _ in found] == [code for _, code in WITHOUT_KERNELS]
    for (args, _), (_, loaded) in zip(WITHOUT_KERNELS, found, strict=True):
        assert "click" in loaded
        assert SLOW.intersection(loaded) == set(), args


def test_help_takes_less_than_300_milliseconds_of_cpu(ctckit):
    ctckit("--help")

    def cpu():
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    times = []
    for _ in range(4):
        before = cpu()
        ctckit("--help")
        times.append(cpu() - before)
    assert min(times) < 0.3


def test_unknown_command_gets_a_proposal(invoke):
    result = invoke("decod")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: command must be one of bench, convert, decode, decoders, dump, export, lm, "
        "pack, plot, read, train, validate, got 'decod'; did you mean 'decode'?\n"
    )
    assert invoke("xyz").stderr.endswith("got 'xyz'; see ctckit --help\n")


def test_unknown_option_of_the_group(invoke):
    result = invoke("--colour")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: option must be one of ctckit's, got '--colour'; see 'ctckit --help'\n"
    )


def test_surplus_argument(invoke):
    result = invoke("decode", "a", "b")
    assert result.exit_code == 2
    assert result.stderr == (
        "ctckit: error: arguments must be DUMP, got 'b' besides; see 'ctckit decode --help'\n"
    )


WORDINGS = [
    (["convert", "a"], "DST must be given, got nothing; see 'ctckit convert --help'"),
    (
        ["convert", "a", "b", "--kind", "prbs"],
        "kind must be one of log-probs, probs, logits, got 'prbs'; did you mean 'probs'?",
    ),
    (
        ["convert", "a", "b", "--blank", "-1"],
        "blank must be an integer of at least 0, got -1; see 'ctckit convert --help'",
    ),
    (
        ["convert", "a", "b", "--blank", "x"],
        "blank must be an integer of at least 0, got 'x'; see 'ctckit convert --help'",
    ),
    (
        ["convert", "a", "b", "c"],
        "arguments must be SRC and DST, got 'c' besides; see 'ctckit convert --help'",
    ),
    (["decoders", "--json=3"], "json must have no value, got one; write --json alone"),
]


@pytest.mark.parametrize(("args", "message"), WORDINGS)
def test_clicks_messages_are_worded_as_ours(invoke, args, message):
    result = invoke(*args)
    assert result.exit_code == 2
    assert result.stderr == f"ctckit: error: {message}\n"


def test_messages_stay_on_one_line_and_without_control_characters(invoke):
    result = invoke("decode", "no\nsuch\x1b[31m dump")
    assert result.exit_code == 1
    assert result.stderr == (
        r"ctckit: error: dump must be an existing folder, got 'no such\x1b[31m dump'; "
        "check the path\n"
    )


@pytest.mark.parametrize("args", [["--help"], ["decode", "--decoder", "bestpath"]])
def test_full_disk_behind_the_standard_output(ctckit, dump, args):
    with open("/dev/full", "w") as full:  # noqa: PTH123
        result = ctckit(*args, stdout=full)
    assert result.returncode == 1
    assert result.stderr.splitlines()[-1] == (
        "ctckit: error: output must be writable, got standard output (No space left on device); "
        "free some space"
    )
    assert "Traceback" not in result.stderr
    assert "Exception ignored" not in result.stderr


def test_an_error_of_the_system_names_the_file(invoke, monkeypatch):
    def fail():
        raise PermissionError(13, "Permission denied", "/some/file")

    monkeypatch.setattr("ctckit.cli.decoders.list_decoders", fail)
    result = invoke("decoders")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: file must be usable, got '/some/file' (Permission denied); check the path\n"
    )


def test_a_fault_of_ours_is_not_hidden(invoke, monkeypatch):
    monkeypatch.setattr("ctckit.cli.decoders.list_decoders", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        invoke("decoders")


def test_interrupt_in_this_process(invoke, monkeypatch):
    def interrupt():
        raise KeyboardInterrupt

    monkeypatch.setattr("ctckit.cli.decoders.list_decoders", interrupt)
    result = invoke("decoders")
    assert (result.exit_code, result.stderr) == (130, "ctckit: interrupted\n")


def test_interrupt_while_importing(ctckit, folder):
    (folder / "click.py").write_text("raise KeyboardInterrupt\n")
    result = ctckit("decoders", env={"PYTHONPATH": str(folder)})
    assert (result.returncode, result.stdout) == (130, "")
    assert result.stderr == "ctckit: interrupted\n"


def test_nothing_that_is_slow_to_import_comes_before_the_guard():
    code = "import sys, ctckit.cli.main; print({'click', 'numpy'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "set()\n"


@pytest.mark.parametrize("closed", [">&-", "<&- >&-", ">&- 2>&-"])
@pytest.mark.parametrize(
    "args", ["--help", "decode --decoder bestpath", "bench --decoder bestpath", "decoders"]
)
def test_closed_streams(dump, folder, args, closed):
    command = f"{sys.executable} -m ctckit {args} {closed}"
    result = subprocess.run(["sh", "-c", command], cwd=folder, capture_output=True, text=True)
    assert (result.returncode, result.stdout) == (0, "")
    assert "Traceback" not in result.stderr


def test_closed_pipe_ends_quietly(big_dump, folder):
    command = [sys.executable, "-m", "ctckit", "decode", "big", "--decoder", "bestpath"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout.readline().startswith(b"0\t")
        process.stdout.close()
        process.stdout = None
        errors = process.communicate(timeout=60)[1]
    assert b"compiling" in errors or errors == b""
    assert b"Traceback" not in errors
    assert b"Exception" not in errors
    assert process.returncode == 1


@pytest.mark.parametrize("threads", ["1", "2"])
def test_ctrl_c_keeps_the_old_output(big_dump, folder, threads):
    (folder / "out.csv").write_text("precious\n")
    command = [sys.executable, "-m", "ctckit", "decode", "big", "--beam-width", "1000"]
    command += ["--output", "out.csv", "--threads", threads]
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.PIPE, text=True) as process:
        deadline = time.monotonic() + 60
        while not list(folder.glob(".ctckit-*.tmp")) and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        errors = process.communicate(timeout=60)[1]
    assert process.returncode == 130
    assert errors.splitlines()[-1] == "ctckit: interrupted"
    assert "Traceback" not in errors
    assert (folder / "out.csv").read_text() == "precious\n"
    assert sorted(path.name for path in folder.iterdir()) == ["big", "out.csv"]


def run_on_a_terminal(args, folder, stdout=None):
    """Return what a command writes to a terminal of its own, and its exit code."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ctckit", *args],
        cwd=folder,
        stdout=stdout or theirs,
        stderr=theirs,
        stdin=theirs,
        env=os.environ | {"TERM": "xterm", "COLUMNS": "100"},
    )
    os.close(theirs)
    written = b""
    try:
        while piece := os.read(ours, 65536):
            written += piece
    except OSError:  # Linux says so that the other end is closed
        pass
    os.close(ours)
    if process.stdout is not None:
        process.stdout.close()
    return written.decode(), process.wait(timeout=60)


def test_table_and_progress_on_a_terminal(dump, folder):
    written, code = run_on_a_terminal(["decoders"], folder)
    assert code == 0
    assert "─────" in written
    args = ["decode", "--decoder", "bestpath", "--output", "x.csv"]
    written, code = run_on_a_terminal(args, folder)
    assert code == 0
    assert "bestpath" in written
    assert "10/10" in written
    with (folder / "x.txt").open("w") as file:
        written, code = run_on_a_terminal(args[:3], folder, stdout=file)
    assert code == 0
    assert "10/10" in written
    assert "line 0" not in written
    assert (folder / "x.txt").read_text(encoding="utf-8").count("\n") == 10
    for target in ("pipe", "/dev/stdout"):
        more = [] if target == "pipe" else ["--output", target]
        written, code = run_on_a_terminal([*args[:3], *more], folder, stdout=subprocess.PIPE)
        assert code == 0
        assert "10/10" in written
    # What is printed on the same terminal is not mixed with a bar.
    written, code = run_on_a_terminal(["decode", "--decoder", "bestpath"], folder)
    assert code == 0
    assert "10/10" not in written
    assert written.count("line ") == 10
    written, code = run_on_a_terminal([*args[:3], "--output", "/dev/stdout"], folder)
    assert code == 0
    assert "10/10" not in written


def test_piped_output_is_plain(ctckit, dump):
    result = ctckit("decode", "--decoder", "bestpath")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 10
    assert "\x1b" not in result.stdout
    assert "compiling" in result.stderr or result.stderr == ""


def test_characters_that_the_output_cannot_show_are_escaped(ctckit, dump):
    result = ctckit("decode", "--decoder", "bestpath", env={"PYTHONIOENCODING": "ascii"})
    assert result.returncode == 0
    assert "\\xe9" in result.stdout


def test_the_command_object_is_what_the_console_script_runs():
    (script,) = package_scripts()
    assert script.value == "ctckit.cli.main:main"
    assert callable(script.load())
    assert cli.name == "cli"


def package_scripts():
    from importlib.metadata import distribution

    points = distribution("ctckit").entry_points
    return [point for point in points if point.group == "console_scripts"]


def test_without_a_command_the_help_is_shown(invoke):
    result = invoke()
    assert result.exit_code == 2
    assert result.stderr == invoke("--help").stdout


def test_an_empty_path_is_refused(invoke):
    for arguments in (
        ["decode", ""],
        ["bench", ""],
        ["convert", "", "x"],
        ["dump", "--images", ""],
    ):
        result = invoke(*arguments)
        assert result.exit_code == 2
        assert "must be a path, got ''; write . for the current folder" in result.stderr


def test_what_was_warned_of_is_said_before_an_error(capsys):
    def fail():
        warn_user("half of it is missing")
        raise CtckitError("it must be whole")

    with pytest.raises(CtckitError), say_warnings():
        fail()
    assert capsys.readouterr().err == "ctckit: warning: half of it is missing\n"
