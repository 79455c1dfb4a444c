# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What each member's keepalived has of an endpoint: as our templates render it from the plan.

Priorities and weights are those of `host_view`, which the templates print. What it speaks is read from the rendered
keepalived.conf by `_lease.dialects`, and who takes whose adverts is what `_lease.understands` says, as on hosts. Of
hmac that knows nothing; there it's what keepalived makes of the rendered auth_hmac.
"""

from __future__ import annotations

import functools
import ipaddress
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Tuple

from ansible_collections.kubeha.apiserver.plugins.module_utils.model._accessors import members_of
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files, _render

ROLES = str(Path(__file__).resolve().parents[2] / "roles")
Plan = Any


class Hmac(NamedTuple):
    """IDs of keys, the one that it sends with first."""

    keys: Tuple[str, ...]
    mode: str


@dataclass(frozen=True)
class Member:
    """One member of one endpoint, as its own keepalived has it."""

    host: str
    speaks: _lease.Dialect
    priority: int
    broken: int         # 0: a dead HAProxy is FAULT
    blind: int          # what its HAProxy loses that sees no API server
    fresh: int          # what a HAProxy loses that has just come back, and whose host doesn't hold
    holding: int
    drained: int
    hmac: Hmac

    @property
    def sends(self) -> Optional[str]:
        """The ID of the key of its trailers, where it sends any."""
        return self.hmac.keys[0] if self.hmac.keys and self.hmac.mode != "receive-only" else None

    @property
    def address(self) -> int:
        """Which of two holders with the same rank stays."""
        return int(ipaddress.ip_address(self.speaks.source))

    def rank(self, broken: bool, blind: bool, fresh: bool, drained: bool, holds: bool) -> int:
        """As keepalived.conf(5) adds weights up, and cuts what comes of it."""
        rank = self.priority + self.broken * broken + self.blind * blind + self.drained * drained
        rank += self.holding if holds else self.fresh * fresh
        return min(254, max(1, rank))

    @functools.cached_property
    def advert(self) -> _lease.Heard:
        mine = self.speaks
        return _lease.Heard(mine.interface, mine.source, mine.vrid, mine.version, mine.auth, mine.password,
                            mine.interval, mine.vips, self.priority, not mine.peers)

    def takes(self, other: Member) -> bool:
        """Adverts of the other one: sent here, looked for here, and understood."""
        here, there = self.speaks, other.speaks
        if here.interface != there.interface:
            return False
        if here.peers and there.peers and (here.source not in there.peers or there.source not in here.peers):
            return False
        if not (self.hmac.mode != "enforce" if other.sends is None else other.sends in self.hmac.keys):
            return False
        return _lease.understands(replace(here, auth=_unsigned(here.auth)), replace(
            other.advert, auth=_unsigned(there.auth)))


def _unsigned(auth: str) -> str:
    return "none" if auth == "hmac" else auth


Members = Dict[str, Member]


def members(plans: Mapping[str, Plan], secrets: Optional[Mapping[str, str]] = None) -> List[Members]:
    """Of each endpoint by host, in the order of preference; `plans` has what each host was given, `secrets` its
    password."""
    order = next(iter(plans.values()))["endpoints"]
    found: List[Members] = []
    by_host = {host: _of_host(json.dumps(plan), host, (secrets or {}).get(host, "secret"))
               for host, plan in plans.items()}
    for endpoint in order:
        found.append({host: by_host[host][endpoint["name"]] for host in members_of(endpoint)
                      if endpoint["name"] in by_host.get(host, {})})
    return found


@functools.cache
def _of_host(text: str, host: str, secret: str) -> Dict[str, Member]:
    plan = json.loads(text)
    [entry] = [entry for entry in _render.render_host(plan, host, ROLES, ("keepalived",))
               if entry["kind"] == "keepalived"]
    conf = entry["content"]
    names = [endpoint["name"] for endpoint in plan["endpoints"] if host in members_of(endpoint)]
    for name in names:
        conf = conf.replace(_host_files.placeholder(name), secret)
    instances = _host_files.host_view(plan, host)["keepalived"]["instances"]
    spoken = _lease.dialects(conf)
    assert len(names) == len(instances) == len(spoken), "one address family, please"
    signed = [_signed(part) for part in conf.split("vrrp_instance ")[1:]]
    return {name: Member(host, dialect, instance["priority"], *_weights(instance["tracked"]), hmac)
            for name, dialect, instance, hmac in zip(names, spoken, instances, signed)}


def _signed(text: str) -> Hmac:
    """Keys and mode of an instance's auth_hmac, in keepalived's words."""
    words = dict(re.findall(r"^ +(active_key|mode) (\S+)$", text, re.MULTILINE))
    keys = re.findall(r"^ +key (\d+) file:", text, re.MULTILINE)
    return Hmac(tuple(sorted(keys, key=lambda key: key != words["active_key"])), words.get("mode", ""))


def _weights(tracked: Mapping[str, Any]) -> Tuple[int, int, int, int, int]:
    """By what they watch: HAProxy, API servers, the delay, holding, draining."""
    scripts = {word: script["weight"] for script in tracked["scripts"] for word in ("live", "ready", "settled")
               if " %s " % word in script["command"]}
    files = {word: file["weight"] for file in tracked["files"] for word in ("haproxy/down", "holder-", "drained")
             if word in file["path"]}
    return (scripts["live"] or files["haproxy/down"], scripts["ready"], scripts.get("settled", 0),
            files.get("holder-", 0), files["drained"])
