# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What `./dev model` explores: everything that is small enough, the rest at random; and that every mistake is found."""

from __future__ import annotations

import argparse
import sys
from typing import List, Sequence

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._table import table
from ansible_collections.kubeha.apiserver.tests.model import cases, group, rollout, search

COLUMNS = ("CONFIGURATION", "SEEN", "STATES", "TRANSITIONS", "DEPTH", "PROPERTIES", "SECONDS")
EXHAUSTIVE = 3
WALKS, LENGTH = 1000, 100


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev model", description=__doc__)
    parser.add_argument("--hosts", type=int, default=5, help="at most so many; up to 3 whole, more at random (5)")
    parser.add_argument("--seconds", type=float, default=120, help="for each that isn't seen whole before (120)")
    parser.add_argument("--mishaps", type=int, help="in a rollout (%d, at random 4)" % cases.MISHAPS)
    parser.add_argument("--seed", type=int, default=1, help="of what is done at random (1)")
    options = parser.parse_args()
    rows: List[Sequence[object]] = []
    stories: List[str] = []
    for case in [case for count in range(2, min(options.hosts, EXHAUSTIVE) + 1)
                 for case in cases.groups(count) + cases.rollouts(count)]:
        _row(case, options, rows, stories, False)
    for count in range(EXHAUSTIVE + 1, options.hosts + 1):
        for case in cases.walks(count):
            _row(case, options, rows, stories, True)
    print(table(COLUMNS, rows))
    for where, properties in (("In a group", group.PROPERTIES), ("In a rollout", rollout.PROPERTIES)):
        print("%s never: %s." % (where, ", ".join((*properties, search.LIVELOCK))))
    missed = _missed()
    print("Mistakes found: %d of %d." % (len(cases.MISTAKES) - len(missed), len(cases.MISTAKES)))
    for name in missed:
        print("  missed: " + name)
    for fault in cases.KNOWN:
        model = fault.make()
        stories.append("Known: %s\n%s" % (fault.name, _told(model, search.explore(model))))
    print("\n" + "\n\n".join(stories))
    return int(bool(missed) or len(stories) > len(cases.KNOWN))


def _row(case: cases.Case, options: argparse.Namespace, rows: List[Sequence[object]], stories: List[str],
         random: bool) -> None:
    is_rollout = isinstance(case.make(0), rollout.Rollout)
    most = options.mishaps if is_rollout and options.mishaps is not None else case.most
    model = case.make(most)

    def told(known: int, waiting: int) -> None:
        print("  %d states, %d to be looked at" % (known, waiting), file=sys.stderr, flush=True)

    print(case.name, file=sys.stderr, flush=True)
    found = (search.walk(model, options.seed, WALKS, LENGTH, options.seconds) if random
             else search.explore(model, options.seconds, told))
    seen = "at random" if random else "all" if found.complete or found.wrong else "so far"
    limit = "" if most is None else "; %d %s" % (most, "mishaps" if is_rollout else "faults")
    rows.append((case.name, seen + limit, found.states, found.transitions, found.depth,
                 found.wrong.what if found.wrong else "hold", "%.1f" % found.seconds))
    if found.wrong:
        stories.append("%s:\n%s" % (case.name, _told(model, found)))


def _told(model: search.Model[search.S], found: search.Found) -> str:
    return search.story(model, found) if found.wrong else "It isn't found any more."


def _missed() -> List[str]:
    found = [(mistake, search.explore(mistake.make()).wrong) for mistake in cases.MISTAKES]
    return [mistake.name for mistake, wrong in found if wrong is None or wrong.what != mistake.breaks]


if __name__ == "__main__":
    sys.exit(main())
