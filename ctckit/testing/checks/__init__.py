"""The checks of the conformance suite, by name, and how one is run."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from ctckit.decoders.claims import Sometimes
from ctckit.errors import (
    CtckitWarning,
    InvalidValueError,
    MissingExtraError,
    described,
    did_you_mean,
)
from ctckit.testing.checks import invariance, options, processes, results
from ctckit.testing.checks.registered import Check
from ctckit.testing.subject import CheckFailed, Make, NotApplicable, Oracle, Subject

__all__ = [
    "CHECKS",
    "Check",
    "CheckFailed",
    "CheckResult",
    "Make",
    "NotApplicable",
    "Oracle",
    "Subject",
    "run_check",
    "run_checks",
]

_DECLARED = (*results.CHECKS, *invariance.CHECKS, *options.CHECKS, *processes.CHECKS)

CHECKS: Mapping[str, Check] = {one.name: one for one in _DECLARED}
"""Every check by its name, in the order in which they run."""


@dataclass(frozen=True)
class CheckResult:
    """What came of a check.

    Attributes
    ----------
    check : its name
    result : ok, failed, known (it fails, and the decoder declares so;
        or it may fail) or skipped
    reason : why it is not ok; else empty
    error : what was raised, where it failed
    """

    check: str
    result: str
    reason: str = ""
    error: BaseException | None = None


def check_names(known_failings: Mapping[str, str]) -> None:
    """Raise InvalidValueError unless known failings are of checks that there are."""
    for name in known_failings:
        if name not in CHECKS:
            raise InvalidValueError(
                f"known_failings must be of checks, got {name!r};{did_you_mean(name, CHECKS)} "
                f"checks: {', '.join(CHECKS)}"
            )


def judged(found: CheckResult, known_failings: Mapping[str, str]) -> CheckResult:
    """Return what came of a check, seen with what the decoder declares to fail."""
    reason = known_failings.get(found.check)
    if reason is None or found.result == "skipped":
        return found
    if found.result == "failed" or isinstance(reason, Sometimes):
        return replace(found, result="known", reason=str(reason))
    unexpected = f"declared as a known failing ({reason}), but passes: take it out"
    return replace(found, result="failed", reason=unexpected)


def run_check(name: str, subject: Subject, *, judge: bool = True) -> CheckResult:
    """Run a check, whatever the decoder raises.

    judge : whether what the decoder declares to fail is taken into account

    Raises
    ------
    InvalidValueError : `known_failings` names no check
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", CtckitWarning)
        found = _run(name, subject)
        if not judge:
            return found
        try:
            known = subject.known_failings
        except (Exception, SystemExit):  # then it has failed, too
            return found
    check_names(known)
    return judged(found, known)


def _run(name: str, subject: Subject) -> CheckResult:
    try:
        subject.decoder()  # what it raises for the example is no refusal
        CHECKS[name].run(subject)
    except (NotApplicable, MissingExtraError) as error:  # what it is made of is not installed
        return CheckResult(name, "skipped", str(error))
    except CheckFailed as error:
        return CheckResult(name, "failed", str(error), error)
    except (Exception, SystemExit) as error:
        return CheckResult(name, "failed", _told(error), error)
    return CheckResult(name, "ok")


def _told(error: BaseException) -> str:
    from hypothesis.errors import Flaky

    if not isinstance(error, Flaky):
        return described(error)
    several = getattr(error, "exceptions", ())
    first = f": {several[0]}" if several else ""
    return f"it does not always do the same{first}"


def run_checks(subject: Subject, names: Iterable[str] | None = None) -> list[CheckResult]:
    """Run checks, by default all, one after the other."""
    return [run_check(name, subject) for name in (CHECKS if names is None else names)]
