"""Decoders that print where the results go, fail in every way, and do not stop."""

from __future__ import annotations

import os
import re
import select
import signal
import subprocess
import sys
import time
from importlib.util import find_spec

import pytest

from ctckit.cli.diverting import diverted

CODE = '''
import ctypes
import itertools
import os
import subprocess
import sys
import time

from ctckit import Decoder, SearchResult, decoder, option

libc = ctypes.CDLL(None)
as_imported = sys.stdout


class Quiet(Decoder):
    """Say nothing."""

    def search(self, batch, n_best):
        return SearchResult.from_best([[]] * len(batch))


class Printer(Quiet):
    how: str = option("python", help="How to print.")
    when: str = option("search", help="When to print.")

    def prepare(self):
        if self.when == "prepare":
            self.print()

    def search(self, batch, n_best):
        if self.when == "search":
            self.print()
        return super().search(batch, n_best)

    def print(self):
        if self.how == "python":
            print("spilt\\u00e9")
        elif self.how == "imported":
            as_imported.write("spilt\\u00e9\\n")
        elif self.how == "bytes":
            sys.stdout.buffer.write("spilt\\u00e9\\n".encode())
        elif self.how == "original":
            print("spilt\\u00e9", file=sys.__stdout__, flush=True)
        elif self.how == "descriptor":
            os.write(1, "spilt\\u00e9\\n".encode())
        elif self.how == "native":
            libc.printf("spilt\\u00e9\\n".encode())
        elif self.how == "child":
            subprocess.run([sys.executable, "-c", "print('spilt\\\\u00e9')"], check=True)


class Late(Quiet):
    """Print when all is done."""

    def prepare(self):
        import atexit
        atexit.register(print, "spilt late")
        libc.printf(b"")


class Failing(Quiet):
    where: str = option("prepare", help="Where to fail.")
    error: str = option("RuntimeError('out of luck')", help="What to raise.")
    line: str = option("line 2", help="What the line's id ends with.")

    def prepare(self):
        if self.where == "prepare":
            raise eval(self.error)

    def check_n_best(self, n_best):
        if self.where == "check":
            raise eval(self.error)

    def search(self, batch, n_best):
        if self.where == "search" and any(one.endswith(self.line) for one in batch.ids):
            raise eval(self.error)
        return super().search(batch, n_best)


class Stuck(Quiet):
    how: str = option("python", help="How to be stuck.")

    def search(self, batch, n_best):
        if len(batch) < 2:
            return super().search(batch, n_best)
        os.write(1, b"a last word\\n")
        tell = [lambda: os.write(2, b"stuck now\\n")]
        if self.how == "locked":
            sum(itertools.chain((one() for one in tell), itertools.repeat(0)))
        while True:
            try:
                tell[0]()
                if self.how == "native":
                    libc.sleep(100)
                else:
                    time.sleep(100)
            except BaseException as error:
                if self.how == "odd":
                    raise RuntimeError("woken up") from error
            if self.how == "once":
                return super().search(batch, n_best)


@decoder
def function(log_probs, alphabet):
    """Read what is not there."""
    return "ab"[: len(log_probs)] if len(log_probs) != 9 else "x"
'''
POINTS = {
    "broken": "ctckit_bad_import:Quiet",
    "chattyimport": "ctckit_chatty:Quiet",
    "failing": "ctckit_bad:Failing",
    "function": "ctckit_bad:function",
    "late": "ctckit_bad:Late",
    "printer": "ctckit_bad:Printer",
    "stuck": "ctckit_bad:Stuck",
    "stuckimport": "ctckit_stuck:Quiet",
}
MODULES = {
    "ctckit_bad": CODE,
    "ctckit_chatty": "print('spilt\\u00e9')\nfrom ctckit_bad import Quiet\n",
    "ctckit_bad_import": "print('spilt\\u00e9')\nraise RuntimeError('no luck')\n",
    "ctckit_stuck": "import os\nos.write(2, b'stuck now\\n')\nimport time\ntime.sleep(100)\n",
}
WARNING = (
    "ctckit: warning: decoder '{}' of bad 1.2 printed to stdout, which holds the results; it went "
    "to stderr\n"
)


@pytest.fixture
def site(tmp_path_factory, monkeypatch):
    """Install faulty decoders, as the distribution bad 1.2, here and for processes."""
    site = tmp_path_factory.mktemp("site")
    for name, code in MODULES.items():
        (site / f"{name}.py").write_text(code, encoding="utf-8")
    info = site / "bad-1.2.dist-info"
    info.mkdir()
    points = "".join(f"{name} = {value}\n" for name, value in POINTS.items())
    (info / "entry_points.txt").write_text(f"[ctckit.decoders]\n{points}", encoding="utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bad\nVersion: 1.2\n")
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("PYTHONPATH", str(site))
    yield site
    for name in MODULES:
        sys.modules.pop(name, None)


@pytest.mark.parametrize(
    ("how", "when"),
    [("python", "prepare"), ("native", "prepare"), ("original", "search"), ("native", "search")],
)
def test_what_a_decoder_prints_goes_to_stderr(ctckit, dump, site, how, when):
    result = ctckit("decode", "--decoder", "printer", "--how", how, "--when", when)
    assert result.returncode == 0
    assert [line.split("\t")[0] for line in result.stdout.splitlines()] == dump.ids
    assert result.stderr.count("spilté") >= 1
    assert result.stderr.count(WARNING.format("printer")) == 1
    assert re.sub("spilté\n", "", result.stderr) == WARNING.format("printer")


def test_what_a_decoder_prints_in_this_process_goes_to_stderr(invoke, dump, site, capfd):
    for how in ("python", "imported", "bytes", "descriptor", "native", "child"):
        result = invoke("decode", "--decoder", "printer", "--how", how, "--threads", "1")
        assert (result.exit_code, result.stdout.count("\n")) == (0, 10)
        assert result.stderr == "spilté\n" + WARNING.format("printer")
    assert capfd.readouterr() == ("", "")


def test_a_decoder_that_prints_while_it_is_imported(ctckit, dump, site):
    result = ctckit("decode", "--decoder", "chattyimport")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 10
    assert result.stderr == "spilté\n" + WARNING.format("chattyimport")
    result = ctckit("decode", "--decoder", "chattyimport", "--help")
    assert result.returncode == 0
    assert result.stdout.startswith("Usage: ")
    assert result.stderr == "spilté\n" + WARNING.format("chattyimport")


def test_what_is_printed_at_the_very_end_goes_to_stderr(ctckit, dump, site):
    result = ctckit("decode", "--decoder", "late")
    assert result.returncode == 0
    assert result.stdout.count("\n") == 10
    assert result.stderr == "spilt late\n"


def test_a_quiet_decoder_is_not_warned_of(ctckit, dump, site):
    result = ctckit("decode", "--decoder", "printer", "--when", "never")
    assert (result.returncode, result.stderr) == (0, "")


def test_the_results_may_go_through_the_standard_output_by_name(ctckit, dump, site):
    args = ("decode", "--decoder", "printer", "--how", "descriptor", "--output", "/dev/stdout")
    result = ctckit(*args)
    assert result.returncode == 0
    assert result.stdout.count("\n") == 10
    assert "spilt" not in result.stdout


def test_results_into_a_closed_pipe(big_dump, folder, site):
    command = [sys.executable, "-m", "ctckit", "decode", "big", "--decoder", "printer"]
    with subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        process.stdout.close()
        process.stdout = None
        errors = process.communicate(timeout=60)[1].decode()
    assert "spilté\n" in errors
    assert "Traceback" not in errors
    assert "Exception" not in errors
    assert process.returncode == 1


def test_much_native_output_is_no_trouble(folder):
    """As it would be for a pipe."""
    code = (
        "import ctypes, sys\n"
        "from ctckit.cli.diverting import diverted\n"
        "with diverted() as end:\n"
        "    for _ in range(5000):\n"
        "        ctypes.PyDLL(None).printf(b'spilt ' * 100 + b'\\n')\n"
        "print(end())\n"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout == "True\n"
    assert result.stderr == ("spilt " * 100 + "\n") * 5000


def test_diverting_twice_is_diverting_once(capfd):
    with diverted() as outer:
        with diverted() as inner:
            print("inside")
        assert not inner()
        print("outside")
    assert outer()
    assert capfd.readouterr().err == "inside\noutside\n"


def test_without_a_folder_for_a_file_native_output_goes_to_stderr_unnoticed(monkeypatch, capfd):
    monkeypatch.setattr("ctckit.cli.diverting._capture", lambda: None)
    with diverted() as end:
        os.write(1, b"spilt\n")
    assert not end()
    assert capfd.readouterr() == ("", "spilt\n")


def test_what_a_stream_of_stdout_can_do_the_stand_in_can(capfd):
    with diverted():
        kept = sys.stdout
        print("a", end="")
        kept.reconfigure(line_buffering=True)
        kept.writelines(["b", "c"])
        kept.buffer.write(memoryview(b"d\xff"))
        kept.buffer.flush()
        assert (kept.isatty(), kept.writable(), kept.encoding) == (False, True, "utf-8")
        os.write(kept.fileno(), b"e")
        kept.close()
    print("f", end="", file=kept, flush=True)
    assert capfd.readouterr() == ("", "abcd\\xffef")


def test_bench_keeps_its_table_and_names_who_printed(invoke, dump, site):
    specs = ["printer:how=native", "bestpath", "printer:when=prepare", "broken", "chattyimport"]
    result = invoke("bench", *[arg for spec in specs for arg in ("--decoder", spec)])
    rows = [line.split("\t") for line in result.stdout.splitlines()]
    assert [row[0] for row in rows[1:]] == specs
    assert rows[4][5] == (
        "decoder 'broken' of bad 1.2 must be importable, got RuntimeError: no luck; reinstall or "
        "uninstall that distribution"
    )
    assert result.exit_code == 1
    for name in ("printer", "broken", "chattyimport"):
        assert result.stderr.count(WARNING.format(name)) == 1
    assert "spilt" not in result.stdout


ERRORS = [
    "RuntimeError('out of luck')",
    "SystemExit(3)",
    "BaseException()",
    "MemoryError()",
    "StopIteration()",
    "ImportError('no foo')",
    "__import__('ctckit').InvalidValueError('size must be even, got 3; halve it')",
]


@pytest.mark.parametrize("where", ["prepare", "check", "search"])
@pytest.mark.parametrize("error", ERRORS)
def test_a_decoder_that_fails_anyhow_is_a_row_of_bench(invoke, dump, site, where, error):
    spec = f"failing:where={where},error={error}"
    result = invoke("bench", "--decoder", spec, "--decoder", "bestpath")
    failed, fine = (line.split("\t") for line in result.stdout.splitlines()[1:])
    assert result.exit_code == 1
    assert fine[0] == "bestpath"
    assert float(fine[4]) > 0
    assert failed[:5] == [spec, "-", "-", "-", "-"]
    kind = error.partition("(")[0]
    start = "decoder 'failing' of bad 1.2 "
    told = {
        "prepare": "must start, got ",
        "check": "must say whether n_best 1 can be had, got ",
        "search": "failed on matrix 'line 2' (line 3 of 8): ",
    }[where]
    if kind.startswith("_"):
        kind = "size must be even, got 3; halve it"
        told = start + told if where == "search" else ""
        assert failed[5] == told + kind
    else:
        assert failed[5].startswith(start + told + kind)


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("prepare", "must start, got RuntimeError: out of luck; check its options, or tell its "),
        ("check", "must say whether n_best 1 can be had, got RuntimeError: out of luck; this is a"),
        ("search", "failed on matrix 'line 2' (line 3 of 10): RuntimeError: out of luck\n"),
    ],
)
def test_a_decoder_that_fails_ends_decode_in_one_line(invoke, dump, site, where, message):
    result = invoke("decode", "--decoder", "failing", "--where", where)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"ctckit: error: decoder 'failing' of bad 1.2 {message}")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""


def test_a_function_that_reads_what_the_alphabet_lacks(invoke, dump, site):
    result = invoke("decode", "--decoder", "function")
    assert result.exit_code == 1
    assert result.stderr == (
        "ctckit: error: decoder 'function' of bad 1.2 returned the text 'x' for matrix 'line 2' "
        "(line 3 of 10), whose 'x' at position 0 the alphabet lacks; this is a fault of it\n"
    )


@pytest.mark.xdist_group("keras")
@pytest.mark.skipif(find_spec("cv2") is None, reason="needs ctckit[onnx]")
def test_read_and_validate_keep_their_output_and_name_the_image(
    invoke, folder, site, sure_model, draw_word
):
    sure_model()
    draw_word(folder / "data" / "w.png")
    (folder / "data" / "labels.csv").write_text("file,text\nw.png,a\n")
    for command, told in (
        (["read", "data"], "data/w.png\t\t"),
        (["validate", "--data", "data"], "printer\t1\t1.0000"),
    ):
        args = [*command, "--model", "m.safetensors", "--decoder"]
        result = invoke(*args, "printer", "--how", "native")
        assert result.exit_code == 0
        assert "spilt" not in result.stdout
        assert result.stdout.splitlines()[-1].startswith(told)
        assert result.stderr == "spilté\n" + WARNING.format("printer")
        result = invoke(*args, "failing", "--where", "search", "--line", "w.png")
        assert result.exit_code == 1
        assert result.stderr.startswith(
            "ctckit: error: decoder 'failing' of bad 1.2 failed on matrix '"
        )
        assert "w.png' (line 1 of 1): RuntimeError: out of luck\n" in result.stderr


# Ctrl-C


@pytest.fixture
def start(folder, dump, site):
    """Start `ctckit decode` in a process of its own, with a file that it may not lose."""
    (folder / "out.csv").write_text("precious\n")
    started = []

    def run(*args):
        process = subprocess.Popen(
            [sys.executable, "-m", "ctckit", *args],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        process.kill()
        process.communicate()


def read_until(process, text, seconds=60):
    """Return what stderr said until it said `text`."""
    said = ""
    deadline = time.monotonic() + seconds
    while text not in said:
        assert time.monotonic() < deadline, f"no {text!r} in {said!r}"
        if select.select([process.stderr], [], [], 1)[0]:
            piece = os.read(process.stderr.fileno(), 4096)
            assert piece, f"the end instead of {text!r} after {said!r}"
            said += piece.decode()
    return said


HINT = "ctckit: decoder '{}' of bad 1.2 has not stopped; a second ctrl-C ends it at once\n"
interrupts = pytest.mark.xdist_group("interrupts")


@interrupts
@pytest.mark.parametrize(("how", "threads"), [("python", "1"), ("python", "2"), ("native", "2")])
def test_the_second_ctrl_c_ends_a_decoder_that_is_stuck(start, big_dump, folder, how, threads):
    args = ["--how", how, "--threads", threads, "--output", "out.csv"]
    process = start("decode", "big", "--decoder", "stuck", *args)
    read_until(process, "stuck now\n")
    process.send_signal(signal.SIGINT)
    assert HINT.format("stuck") in read_until(process, "at once\n")
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert errors.decode().endswith("ctckit: interrupted\n")
    assert b"a last word\n" in errors
    assert b"Traceback" not in errors
    assert out == b""
    assert (folder / "out.csv").read_text() == "precious\n"
    assert not list(folder.glob(".ctckit-*"))


@interrupts
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs the GNU C library")
def test_the_second_ctrl_c_ends_native_code_that_lets_nobody_else_run(start, big_dump):
    process = start("decode", "big", "--decoder", "stuck", "--how", "locked", "--threads", "2")
    read_until(process, "stuck now\n")
    process.send_signal(signal.SIGINT)
    time.sleep(0.3)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=3)
    except subprocess.TimeoutExpired:  # Python ran for a moment after the first
        process.send_signal(signal.SIGINT)
    process.communicate(timeout=20)
    assert process.returncode == -signal.SIGINT  # which is 130 to a shell


@interrupts
@pytest.mark.parametrize("how", ["once", "odd"])
def test_a_ctrl_c_that_a_decoder_swallows_ends_the_command_all_the_same(start, folder, how):
    process = start("decode", "--decoder", "stuck", "--how", how, "--output", "out.csv")
    read_until(process, "stuck now\n")
    process.send_signal(signal.SIGINT)
    errors = process.communicate(timeout=20)[1]
    assert process.returncode == 130
    assert errors.decode().endswith("ctckit: interrupted\n")
    assert (folder / "out.csv").read_text() == "precious\n"


@interrupts
def test_ctrl_c_while_a_decoder_is_imported_and_in_bench(start):
    process = start("decode", "--decoder", "stuckimport")
    read_until(process, "stuck now\n")
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=20)[1] == b"ctckit: interrupted\n"
    assert process.returncode == 130
    process = start("bench", "--decoder", "bestpath", "--decoder", "stuck")
    read_until(process, "stuck now\n")
    process.send_signal(signal.SIGINT)
    assert HINT.format("stuck") in read_until(process, "at once\n")
    process.send_signal(signal.SIGINT)
    out, errors = process.communicate(timeout=20)
    assert (process.returncode, out) == (130, b"")
    assert errors.decode().endswith("ctckit: interrupted\n")
