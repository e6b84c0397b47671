"""How long the rest of a run may take, from what jobs took before and what is done of them now."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median

SHARE = 0.005
"""What jobs take of the time that their rules ask for: the default run, two cores, 0.0054."""
PRIOR_S = 30.0
"""Seconds of work after which the run's own pace weighs as much as what was expected."""


@dataclass(frozen=True)
class Work:
    """A job that is to be done.

    ``minutes`` are those that its rule asks for at most, ``after`` the numbers of the jobs that it
    waits for.
    """

    rule: str
    benchmark: str
    minutes: float
    after: frozenset[int] = frozenset()


def expected_seconds(works: Mapping[int, Work], runs: str | Path) -> dict[int, float]:
    """Return the seconds that each job may take.

    They are those of its own benchmark file of an earlier time, else the median of its rule's files
    there, else of its rule in any run below ``runs``, else :data:`SHARE` of what its rule asks for.
    """
    here = {Path(work.benchmark).parent for work in works.values() if work.benchmark}
    near = _by_rule(here)
    far = _by_rule(set(Path(runs).glob("*/benchmarks")) - here)
    found = {}
    for number, work in works.items():
        seconds = _seconds(Path(work.benchmark)) if work.benchmark else None
        if seconds is None:
            seconds = near.get(work.rule, far.get(work.rule, 60.0 * SHARE * work.minutes))
        found[number] = seconds
    return found


def _by_rule(folders: set[Path]) -> dict[str, float]:
    taken: dict[str, list[float]] = {}
    for folder in folders:
        for file in folder.glob("*.tsv"):
            seconds = _seconds(file)
            if seconds is not None:
                taken.setdefault(file.name.split(".")[0], []).append(seconds)
    return {rule: median(seconds) for rule, seconds in taken.items()}


def _seconds(file: Path) -> float | None:
    """Return the seconds of a benchmark file, the mean of its rows, or None where it has none."""
    try:
        with file.open(encoding="utf-8", newline="") as table:
            rows = [float(row["s"]) for row in csv.DictReader(table, delimiter="\t")]
    except (OSError, KeyError, TypeError, ValueError):
        return None
    return sum(rows) / len(rows) if rows else None


class Pace:
    """What is left of a run's work, and how long that may take.

    Parameters
    ----------
    works
        The jobs by their numbers.
    seconds
        What each may take.
    cores
        How many jobs of one core run at once.
    """

    def __init__(self, works: Mapping[int, Work], seconds: Mapping[int, float], cores: int) -> None:
        self._seconds = dict(seconds)
        self._cores = max(cores, 1)
        self._tails = _tails(works, self._seconds)
        self._total = sum(self._seconds.values())
        self._begun: dict[int, float] = {}
        self._planned = self._spent = 0.0

    def __len__(self) -> int:
        return len(self._seconds)

    def start(self, number: int, now: float) -> None:
        """Note that a job begins at a time in seconds, perhaps again."""
        self._begun[number] = now

    def finish(self, number: int, now: float) -> None:
        """Note that a job has ended well."""
        begun = self._begun.pop(number, now)
        if number in self._tails:
            self._spent += now - begun
            self._planned += self._seconds[number]
            del self._tails[number]

    def left(self, now: float) -> float:
        """Return the seconds that the rest may take.

        It is what cores share evenly, or the longest chain of jobs that wait for each other, both
        at the pace of what is done.
        """
        pace = (self._spent + PRIOR_S) / (self._planned + PRIOR_S)
        shared = longest = 0.0
        for number, tail in self._tails.items():
            own = pace * self._seconds[number]
            gone = min(now - self._begun.get(number, now), own)
            shared += own - gone
            longest = max(longest, pace * tail - gone)
        return max(shared / self._cores, longest)

    def fraction(self, now: float) -> float:
        """Return how much of the work is done, from 0 to 1."""
        done = self._total - sum(self._seconds[number] for number in self._tails)
        for number, begun in self._begun.items():
            if number in self._tails:
                done += min(now - begun, self._seconds[number])
        return done / self._total if self._total else float(not self._tails)


def _tails(works: Mapping[int, Work], seconds: Mapping[int, float]) -> dict[int, float]:
    """Return for each job the seconds of the longest chain that it begins."""
    tails = dict(seconds)
    waiting = dict.fromkeys(works, 0)
    for work in works.values():
        for number in work.after:
            waiting[number] += 1
    last = [number for number, others in waiting.items() if others == 0]
    while last:
        number = last.pop()
        for earlier in works[number].after:
            tails[earlier] = max(tails[earlier], seconds[earlier] + tails[number])
            waiting[earlier] -= 1
            if waiting[earlier] == 0:
                last.append(earlier)
    return tails
