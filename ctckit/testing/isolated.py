"""The checks run on an installed decoder in a process of their own.

So one that crashes, or never ends, spoils no other check.
"""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ctckit.decoders.claims import Sometimes
from ctckit.errors import CtckitError, MissingExtraError, described
from ctckit.registry import load_decoder
from ctckit.testing.checks import CHECKS, CheckResult, Subject, check_names, judged, run_check
from ctckit.testing.talking import Talker

LOAD = "load"
"""In place of a check's name: the decoder could not be made."""
TIME_LIMIT = 60.0
"""Seconds that a check may take."""
START_LIMIT = 300.0
"""Seconds that the start may take, in which kernels may be compiled."""

_START = "from ctckit.testing.isolated import work; work()"


def check_installed(
    name: str,
    options: Mapping[str, Any],
    names: Sequence[str] | None = None,
    *,
    time_limit: float = TIME_LIMIT,
) -> Iterator[CheckResult]:
    """Run checks on an installed decoder; yields what came of each, in their order.

    Where the decoder cannot be made, that is the only result, under the name `LOAD`: skipped if
    a package is missing that it needs, else failed.

    Parameters
    ----------
    name, options : as `load_decoder` takes them
    names : of the checks; None: all
    time_limit : seconds after which a check has failed
    """
    left = list(CHECKS if names is None else names)
    known: Mapping[str, str] = {}
    while left:
        sent = pickle.dumps(sys.path) + pickle.dumps((name, dict(options), left))
        with Talker(_START, sent, apart=True) as worker:
            told = _next(worker, START_LIMIT)
            if "known" not in told:
                yield CheckResult(LOAD, told["result"], told["reason"])
                return
            known = told["known"] | {check: Sometimes(why) for check, why in told["may"].items()}
            while left:
                told = _next(worker, time_limit)
                check = left.pop(0)
                yield judged(CheckResult(check, told["result"], told["reason"]), known)
                if told.get("over"):
                    break


def _next(worker: Talker, seconds: float) -> dict[str, Any]:
    """Return what it tells next; `over` is set where it can tell no more."""
    try:
        line = worker.next_line(seconds)
    except TimeoutError:
        return _over(f"it must end, got nothing in {seconds:g} s")
    if line is None:
        return _over(f"the process must go on, got its end ({worker.how_it_ended()})")
    told: dict[str, Any] = json.loads(line)
    return told


def _over(reason: str) -> dict[str, Any]:
    return {"result": "failed", "reason": reason, "over": True}


def work() -> None:
    """Run the checks that standard input names; what comes of them goes to standard output."""
    sys.path[:] = pickle.load(sys.stdin.buffer)
    name, options, names = pickle.load(sys.stdin.buffer)
    # What the decoder prints goes elsewhere, and cannot be taken for what is told here.
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as channel:
        os.dup2(2, 1)

        def tell(**what: Any) -> None:
            channel.write(json.dumps(what) + "\n")
            channel.flush()

        try:
            subject = Subject(lambda alphabet: load_decoder(name, alphabet, **options))
            known = dict(subject.known_failings)
            check_names(known)
            may = {check: why for check, why in known.items() if isinstance(why, Sometimes)}
            tell(known=known, may=may)
        except (Exception, SystemExit) as error:
            missing = isinstance(error, MissingExtraError)
            told = str(error) if isinstance(error, CtckitError) else described(error)
            tell(result="skipped" if missing else "failed", reason=told)
            return
        for check in names:
            found = run_check(check, subject, judge=False)
            tell(result=found.result, reason=found.reason)
    os._exit(0)  # whatever threads the decoder has left
