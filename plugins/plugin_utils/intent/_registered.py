# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""What tasks of this run have registered for hosts, and the one place that reads it of other hosts.

Results of thousands of hosts aren't passed as arguments, because Ansible would template each of them again for each
task, and hosts write part of them. They are read as they are.
"""

from __future__ import annotations

import typing as t
from collections.abc import Mapping

# Variables of the role `endpoint`, which registers or sets each of them.
OBSERVED = "__endpoint_info"  # what a host does: endpoint_info
ASKED = "__endpoint_asked"  # the same of members outside of this play, a loop before the plan
OTHERS = "__endpoint_others"  # the same, a loop after changes
PREFLIGHT = "__endpoint_preflight"  # endpoint_preflight_info
LOOK = "__endpoint_look"  # what a daemon's files lack: endpoint_files
WAVES = "__endpoint_waves"  # the order of the changes: endpoint_waves
LOCK = "__endpoint_lock"  # whether this run may change the host: endpoint_lock

VERDICT = "__endpoint_verdict"  # what is wrong with all of them together: endpoint_verify
DRILL = "__endpoint_drill"  # the plan that it goes by: endpoint_drill
DRILL_POSSIBLE = "__endpoint_drill_possible"  # which faults a host can't make: endpoint_drill_fault
DRILL_BEGUN = "__endpoint_drill_begun"  # clients that have begun: endpoint_drill_client
DRILL_FAULT = "__endpoint_drill_fault"  # that one was armed: endpoint_drill_fault
DRILL_ENDED = "__endpoint_drill_ended"  # when it was: endpoint_drill_fault
DRILL_MEASURED = "__endpoint_drill_measured"  # what clients saw: endpoint_drill_client
DRILLED = "__endpoint_drilled"  # the results so far: endpoint_drill


def registered(task_vars: Mapping[str, t.Any], host: str, name: str) -> Mapping[str, t.Any]:
    """Of a host the result with this name, not templated; empty where there is none."""
    return results(task_vars, host, name)[0]


def results(task_vars: Mapping[str, t.Any], host: str, *names: str) -> list[Mapping[str, t.Any]]:
    """Those with these names. Ansible puts a host's variables together each time it's asked, so it's asked once."""
    hostvars = task_vars["hostvars"]
    variables = hostvars.raw_get(host) if host in hostvars else {}
    found = [variables.get(name) for name in names]
    return [result if isinstance(result, Mapping) else {} for result in found]
