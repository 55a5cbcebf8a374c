"""Medians of interleaved runs: A B C A B C ..., so that a drifting machine is fair to all."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass


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
