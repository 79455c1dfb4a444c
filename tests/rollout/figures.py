# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What clients saw of each run of a change, what they may see, and the table of it all. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from _lab.measure import Measurement

# As long as a handover may take: so long two hosts may have the VIP.
HANDOVER = 0.2
# One host's kernel says that the address has gone a moment before the next one's says that it has come.
MOMENT = 0.05
BEAT = 0.01
# Of its beats, a client with a processor to itself misses fewer.
MISSED = 0.004
# Share of its connections that may be answered late without anybody looking for the reason.
LATE = 0.001
# Where clients miss their beats, hosts do so, too: what takes a moment takes so many times as long.
BUSY = 3


@dataclass(frozen=True)
class Limits:
    """What clients may see of a change, in one run of it."""

    failed: int = 0
    failed_each: int = 0
    """Connections that fail, and so many more for each time that the VIP comes to a host."""
    not_held: float = 0
    not_held_each: float = 0
    """Seconds in all without a holder, and so many more for each time."""
    held_twice: float = HANDOVER
    """Seconds, the longest."""
    moves: int | None = None
    streams: int | None = None
    """Where they count: how often the VIP comes to a host, and how many streams break."""


# The VIP stays where it is, and what is open goes on.
UNNOTICED = Limits(moves=0, streams=0)
# Handed over, as often as it takes.
HANDED_OVER = Limits(failed_each=3, not_held_each=MOMENT)
DRAINED = Limits(failed=3, not_held=MOMENT)
OTHER_MODE = Limits(failed=10, not_held=0.2)
ROLLED_BACK = Limits(failed=5, not_held=0.1)
# Others miss the holder's adverts before they take over. Its API server is gone with it, too: so connections fail until
# every HAProxy has noticed.
HOLDER_LOST = Limits(failed=400, not_held=1.2, not_held_each=MOMENT)
BACKUP_LOST = Limits(failed=400, not_held_each=MOMENT)


@dataclass(frozen=True)
class Figures:
    """One run of a change, as its clients saw it."""

    attempts: int
    failed: int
    late: int
    """Of those that failed: had no answer in time, but none that said no either."""
    missed: float
    """Share of its beats that the client missed, for want of a processor."""
    not_held: float
    held_twice: float
    moves: int
    streams: int
    seconds: float
    """How long the change took."""

    @classmethod
    def of(cls, seen: Measurement, streams: int) -> Figures:
        lost = [text for _start, latency, text in seen.attempts if latency is None]
        # Since the first attempt; what comes before is who has it at the start.
        moves = sum(change.held and change.at > 0 for change in seen.changes)
        return cls(
            attempts=len(seen.attempts), failed=len(lost), late=lost.count("timeout"),
            missed=round(max(0.0, 1 - len(seen.attempts) * BEAT / seen.end), 3),
            not_held=round(seen.without_holder(), 3), held_twice=round(seen.longest_two_holders(), 3),
            moves=moves, streams=streams, seconds=round(seen.mended - seen.fault, 1))

    @property
    def counted(self) -> int:
        """Those that the endpoint has to answer for. A few late answers may have any reason, and on a busy machine many
        do."""
        usual = self.late if self.missed > MISSED else min(self.late, int(self.attempts * LATE))
        return self.failed - usual

    def beyond(self, limits: Limits) -> list[str]:
        """What is more than clients may see."""
        found = []
        longer = BUSY if self.missed > MISSED else 1
        failed = longer * (limits.failed + limits.failed_each * self.moves)
        if self.counted > failed:
            found.append("%d connections failed, %d of them late: at most %d may" % (self.failed, self.late, failed))
        not_held = longer * (limits.not_held + limits.not_held_each * self.moves)
        if self.not_held > not_held:
            found.append("for %.3f s nobody held the VIP: at most %.3f s" % (self.not_held, not_held))
        held_twice = longer * limits.held_twice
        if self.held_twice > held_twice:
            found.append("for %.3f s two held the VIP: at most %.3f s" % (self.held_twice, held_twice))
        if limits.moves is not None and self.moves > limits.moves:
            found.append("the VIP came to a host %d times: at most %d" % (self.moves, limits.moves))
        if limits.streams is not None and self.streams > limits.streams:
            found.append("%d streams broke: at most %d" % (self.streams, limits.streams))
        return found


HEADINGS = ("change", "runs", "failed", "worst", "of", "most", "late", "not held", "held twice", "streams", "seconds")


def cells(title: str, runs: Sequence[Figures]) -> tuple[str, ...]:
    """One row: medians, and the worst of all runs."""
    failed = [run.failed for run in runs]
    attempts = [run.attempts for run in runs]
    return (
        title, str(len(runs)), "%g" % statistics.median(failed), str(max(failed)), "%d" % statistics.median(attempts),
        str(max(attempts)), str(max(run.late for run in runs)), "%.2f" % max(run.not_held for run in runs),
        "%.2f" % max(run.held_twice for run in runs), str(max(run.streams for run in runs)),
        "%.0f" % statistics.median(run.seconds for run in runs))


def table(rows: Mapping[str, Sequence[Figures]]) -> str:
    """For a terminal."""
    lines = [HEADINGS, *(cells(title, runs) for title, runs in rows.items())]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    return "\n".join(
        "  ".join(cell.ljust(width) if column == 0 else cell.rjust(width)
                  for column, (cell, width) in enumerate(zip(line, widths)))
        for line in lines)


def markdown(rows: Mapping[str, Sequence[Figures]]) -> str:
    """For the documentation."""
    lines = ["| change | runs | failed connections, median (worst) | of | VIP not held, worst | held twice, worst "
             "| streams broken, worst |", "|---|---|---|---|---|---|---|"]
    for title, runs in rows.items():
        _title, number, failed, worst, attempts, _most, _late, not_held, twice, streams, _seconds = cells(title, runs)
        lines.append("| %s | %s | %s (%s) | %s | %s s | %s s | %s |" % (
            title, number, failed, worst, attempts, not_held, twice, streams))
    return "\n".join(lines) + "\n"


def document(rows: Mapping[str, Sequence[Figures]]) -> list[dict[str, Any]]:
    """Every run, for programs."""
    return [{"change": title, "runs": [asdict(run) for run in runs]} for title, runs in rows.items()]
