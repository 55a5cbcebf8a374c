"""Medians of interleaved runs: A B C A B C ..., so that a drifting machine is fair to all."""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inputs import ROOT, Float32Array, batch_of

import ctckit


@dataclass(frozen=True)
class Contestant:
    """Something to time: a call that handles `lines` matrices, and how often it runs a round."""

    name: str
    call: Callable[[], object]
    lines: int
    repeats: int = 1


@dataclass(frozen=True)
class Timing:
    """Median seconds for one matrix."""

    cpu: float
    wall: float


def ours(
    name: str,
    log_probs: Float32Array,
    alphabet: ctckit.Alphabet,
    *,
    label: str = "ctckit",
    **options: Any,
) -> Contestant:
    """Return a decoder's call over a batch, texts included, long enough to be timed."""
    decoder = ctckit.load_decoder(name, alphabet, **options)
    batch = batch_of(log_probs, alphabet)
    return repeated(label, lambda: decoder.decode_batch(batch, threads=1).texts(), len(batch))


def repeated(label: str, call: Callable[[], object], lines: int) -> Contestant:
    """Return a call that is repeated until it lasts long enough to be timed."""
    call()
    start = time.perf_counter()
    call()
    took = time.perf_counter() - start
    return Contestant(label, call, lines, max(1, round(0.02 / max(took, 1e-6))))


def grown(contestants: dict[int, Contestant], rounds: int = 7) -> list[dict[str, Any]]:
    """Return a table of growth: what grew, and the CPU time for one matrix."""
    timings = interleave(list(contestants.values()), rounds)
    return [
        {"value": value, "us": timings[one.name].cpu * 1e6} for value, one in contestants.items()
    ]


def interleave(contestants: list[Contestant], rounds: int) -> dict[str, Timing]:
    """Run each contestant once uncounted, then all in turn; return each one's medians."""
    for contestant in contestants:
        contestant.call()
    cpu: dict[str, list[float]] = {one.name: [] for one in contestants}
    wall: dict[str, list[float]] = {one.name: [] for one in contestants}
    for _ in range(rounds):
        for one in contestants:
            start_cpu, start_wall = time.process_time(), time.perf_counter()
            for _ in range(one.repeats):
                one.call()
            count = one.repeats * one.lines
            cpu[one.name].append((time.process_time() - start_cpu) / count)
            wall[one.name].append((time.perf_counter() - start_wall) / count)
    return {
        one.name: Timing(statistics.median(cpu[one.name]), statistics.median(wall[one.name]))
        for one in contestants
    }


def where_and_when() -> dict[str, Any]:
    """Return the date, the commit, the processor and Python's version."""
    import llvmlite.binding

    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    cpu = platform.processor() or "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        names = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        cpu = names[0].split(":", 1)[1].strip() if names else cpu
    return {
        "date": time.strftime("%Y-%m-%d"),
        "commit": commit.stdout.strip(),
        "cpu": f"{cpu}, {llvmlite.binding.get_host_cpu_name()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
    }
