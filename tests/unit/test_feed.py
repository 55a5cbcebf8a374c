"""Batches from other processes: what comes out, and what happens when one fails or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

DRIVER = '''
import itertools, os, signal, sys, time
import numpy as np
from ctckit.errors import InvalidValueError
from ctckit.recognizer.feed import Feed, FeedError
from ctckit.recognizer.samples import TrainingBatch


def make(seed):
    """What the processes call: `seed` says how it goes wrong."""
    def batches():
        for i in itertools.count():
            if seed == 1 and i == 3:
                raise InvalidValueError("texts must be nice, got none; be nicer")
            if seed == 2 and i == 3:
                raise KeyError("lost")
            if seed == 3 and i == 3:
                os.kill(os.getpid(), signal.SIGKILL)
            images = np.full((64, 32, 96), i % 256, np.uint8)
            yield TrainingBatch(images, *(np.full(1, seed, np.int32) for _ in range(3)))
    if seed == 4:
        raise MemoryError
    return batches()


if __name__ == "__main__":
    seeds = [int(seed) for seed in sys.argv[2].split(",")]
    seen = []
    try:
        with Feed(make, seeds) as feed:
            print(*[process.pid for process in feed._processes], flush=True)
            for batch in feed:
                assert (batch.images == batch.images[0, 0, 0]).all()
                seen.append((int(batch.frames[0]), int(batch.images[0, 0, 0])))
                if sys.argv[1] == "wait":
                    print("batch", flush=True)
                    time.sleep(60)
                if len(seen) == int(sys.argv[1]):
                    break
    except FeedError as error:
        print("FeedError:", error)
    except KeyboardInterrupt:
        print("KeyboardInterrupt")
    for seed in seeds:
        numbers = [i for one, i in seen if one == seed]
        assert numbers == [i % 256 for i in range(len(numbers))]
    print(len(seen), "seen")
'''


@pytest.fixture
def driver(tmp_path: Path) -> list[str]:
    (tmp_path / "driver.py").write_text(DRIVER, encoding="utf-8")
    return [sys.executable, str(tmp_path / "driver.py")]


def run(driver: list[str], *args: str) -> list[str]:
    """Run to the end; return what is printed after the numbers of the processes."""
    done = subprocess.run([*driver, *args], capture_output=True, text=True, timeout=60, check=False)
    assert done.stderr == ""
    pids, *lines = done.stdout.splitlines()
    assert not any(alive(int(pid)) for pid in pids.split())
    return lines


def alive(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


def test_batches_of_two_processes_in_order(driver: list[str]) -> None:
    assert run(driver, "60", "10,11") == ["60 seen"]


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        ("1", "FeedError: texts must be nice, got none; be nicer"),
        ("2", "FeedError: training images could not be made: KeyError: 'lost'"),
        ("4", "FeedError: training images could not be made: MemoryError: "),
    ],
)
def test_a_process_that_raises(driver: list[str], seed: str, message: str) -> None:
    assert run(driver, "1000", seed)[0] == message


def test_one_of_two_that_is_killed(driver: list[str]) -> None:
    (message, seen) = run(driver, "100000", "3,10")
    assert message == (
        "FeedError: processes that make training images must go on, got one that is gone (ended by "
        "SIGKILL, as when memory runs out); see its message above, or take fewer --workers"
    )
    assert int(seen.split()[0]) >= 3


def start(driver: list[str]) -> tuple[subprocess.Popen[str], list[int]]:
    process = subprocess.Popen(
        [*driver, "wait", "10,11"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert process.stdout is not None
    pids = [int(pid) for pid in process.stdout.readline().split()]
    assert process.stdout.readline() == "batch\n"
    assert all(map(alive, pids))
    return process, pids


def test_ctrl_c_ends_all_without_a_word(driver: list[str]) -> None:
    process, pids = start(driver)
    os.killpg(process.pid, signal.SIGINT)
    output, errors = process.communicate(timeout=30)
    assert (output, errors) == ("KeyboardInterrupt\n1 seen\n", "")
    assert not any(map(alive, pids))


def test_processes_end_with_their_parent(driver: list[str]) -> None:
    process, pids = start(driver)
    process.kill()
    process.communicate(timeout=30)
    deadline = time.monotonic() + 20
    while any(map(alive, pids)) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not any(map(alive, pids))
