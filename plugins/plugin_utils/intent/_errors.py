# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""How the plan says no: every problem and warning that it knows, and the classes that carry them.

The wording of all problems stands in `PROBLEMS`, of all warnings in `WARNINGS`; docs/problems.md is made from both.
"""

from __future__ import annotations

import math
import re
import typing as t
from collections.abc import Mapping
from dataclasses import dataclass

from ...module_utils.model._secrets import HIDDEN, without_user_info
from ...module_utils.model._shapes import printable

_SECRET_NAME = re.compile(r"pass|secret|auth|token|user|login|credential", re.IGNORECASE)
# YAML with a line break at the wrong place is a text, and so is JSON in quotes.
_SECRET_WITHIN = re.compile(r"(?:%s)\w*\W*[:=]" % _SECRET_NAME.pattern, re.IGNORECASE)

# code: (rule, fix). Words in braces are filled in by whoever finds the problem; {more} is a remark or nothing.
PROBLEMS: dict[str, tuple[str, str]] = {
    # Values as written
    "value_type": (
        "must be {expected}; YAML read it as {found}",
        "write {expected}{more}"),
    "value_empty": (
        "must not be empty",
        "write {expected}, or leave the variable out where it has a default"),
    "value_characters": (
        "must be {expected}",
        "use only {allowed}"),
    "number_range": (
        "must be {expected}",
        "write {expected}"),
    "choice_unknown": (
        "must be one of {choices}",
        "write {fix}"),
    "key_unknown": (
        "there is no such {kind}",
        "{fix}"),
    "address_invalid": (
        "must be one IPv4 or IPv6 address: {reason}",
        "{fix}"),
    "network_invalid": (
        "must be a network such as 10.96.0.0/12: {reason}",
        "{fix}"),
    "dns_name_invalid": (
        "must be a DNS name such as api.example.org: {reason}",
        "write a name of letters, digits and hyphens between dots, or leave it out to use the VIP"),
    "path_invalid": (
        "must be an absolute path without .., of {allowed}",
        "write a path such as {example}"),
    "image_invalid": (
        "must be an image reference: registry/name:tag or registry/name@sha256:digest",
        "write a reference such as {example}"),
    "registry_invalid": (
        "must be a registry, perhaps with a folder: registry.example.org:5000/mirror",
        "write it without https:// and without a slash at its end"),
    "image_auth_invalid": (
        "must be a mapping of username and password, both printable text, the username without a colon",
        "write {{username: pull, password: ...}}, best from a vault"),
    "interface_name_invalid": (
        "must be a network interface's name: 1 to 15 of A-Z a-z 0-9 _ . -, but not . or .., and no - at its beginning",
        "write the name that `ip link` shows before the @ or the colon{more}"),
    "host_name_unsafe": (
        "host names are written into the daemons' files: 1 to 253 of A-Z a-z 0-9 _ . -, the first a letter or digit",
        "rename the host in the inventory, and set ansible_host to how it's reached"),
    "version_invalid": (
        "must be a version such as 2.2.7 or 1:2.3.3-1",
        "write the version that {daemon} -v prints, in quotes"),

    # Several endpoints
    "list_empty": (
        "endpoint_list must have at least one endpoint",
        "remove endpoint_list to have one endpoint made of the other variables"),
    "list_and_single": (
        "every endpoint of endpoint_list has its own {key}, so one beside the list belongs to none of them",
        "move it into the entry that it's meant for"),
    "name_duplicate": (
        "each endpoint needs a name of its own; {other} has this one already",
        "give one of them another name"),
    "modes_mixed": (
        "{host} balances {other} in mode {mode}; one host runs one HAProxy and one keepalived for all of its endpoints",
        "use the same endpoint_mode for endpoints that share a balancer"),
    "manifest_dirs_mixed": (
        "{host} also balances {other}, whose manifests lie in {directory}; a kubelet reads one folder",
        "use the same endpoint_manifest_dir for endpoints that share a balancer"),

    # Static pods
    "image_missing": (
        "endpoint_mode: static_pod needs an image of {daemon}, and nobody maintains an official one",
        "build one from images/{daemon}/Containerfile of this collection, push or import it, and write its reference"),
    "image_too_old": (
        "{daemon} {found} is too old; {needed} is the oldest that is supported",
        "write a newer image, or set {daemon}_version if its tag doesn't mean the version"),
    "image_port_privileged": (
        "in its pod HAProxy is user {user} (haproxy_image_user), who may not listen on ports below 1024",
        "choose port 1024 or above, or set haproxy_image_user: 0"),
    "manifest_dir_taken": (
        "{folder} is this collection's own, and a kubelet would take all files there for manifests",
        "write the kubelet's staticPodPath, such as /etc/kubernetes/manifests"),

    # Hosts
    "hosts_missing": (
        "must name at least one host",
        "name hosts, or put hosts into the group {group}"),
    "host_unknown": (
        "is neither a host nor a group of the inventory",
        "{fix}"),
    "host_duplicate": (
        "each host can be named once",
        "remove one of them"),
    "host_not_member": (
        "is neither a balancer nor an API server of this endpoint",
        "{fix}"),
    "host_data_invalid": (
        "what is known of a host must be a mapping",
        "give a mapping such as {{inventory_address: 198.51.100.11}}"),

    # VIPs
    "vip_missing": (
        "an endpoint needs at least one virtual IP",
        "set it to a free address of the balancers' subnet, such as 198.51.100.100"),
    "vip_kind": (
        "{kind} can't be a virtual IP",
        "choose a free unicast address of the balancers' subnet"),
    "vip_duplicate": (
        "each virtual IP can be used once; {other} has it already",
        "remove one of them, or choose another free address"),
    "vip_is_host_address": (
        "it's {host}'s own address, and a virtual IP moves between hosts",
        "choose an address that no host has"),
    "vip_is_ansible_host": (
        "it's a virtual IP of {endpoint}, which moves between hosts, so this name leads to whoever holds it",
        "set ansible_host of {host} to its own address, as a dynamic inventory may report a virtual IP that a host"
        " holds; or choose another virtual IP if this is the host's own address"),
    "vip_network_address": (
        "it's {kind} of {subnet}",
        "choose a free address of {subnet} that isn't reserved"),
    "vip_prefix": (
        "the balancers' subnet is {subnet}",
        "write {fix}, or leave the prefix out"),
    "vip_outside_subnet": (
        "must lie in the balancers' subnet; they have {networks}",
        "choose a free address there, or set endpoint_vip_routed: true if routers carry it to the balancers"),
    "former_unusable": (
        "{endpoint} goes on serving its former VIPs and ports, and {reason}",
        "set it to true, which lets them go; kubeconfigs that use them stop working then"),
    "vip_in_cluster_network": (
        "lies in the pods' or services' network {subnet} ({variable})",
        "choose an address outside of it, or correct {variable} if the cluster uses another network"),
    "subnet_unknown": (
        "the prefix of the balancers' subnet isn't known: no facts, and no address with its prefix",
        "write {fix} with the subnet's prefix, or let the hosts be asked"),

    # Members
    "address_kind": (
        "{kind} can't be a host's address here",
        "write the host's own unicast address in the VIP's subnet"),
    "address_twice": (
        "can hold one address per family",
        "keep one of each family; hosts: of endpoint_list sets another one for each endpoint"),
    "address_unknown": (
        "no {family} address of {host} is known: none in its variables, no facts, no stored plan",
        "set endpoint_address for {host}, or let the host be asked"),
    "address_ambiguous": (
        "{host} has several {family} addresses and none in the VIP's subnet: {addresses}",
        "set endpoint_address or endpoint_interface for {host}"),
    "address_not_on_host": (
        "{host} doesn't have this address{more}; it has {addresses}",
        "correct it, or remove it and let it be found"),
    "address_is_vip": (
        "it's a virtual IP of {endpoint}, and a host's own address must stay when that moves",
        "write the host's own address in the VIP's subnet"),
    "address_duplicate": (
        "{other} has the same address",
        "give each host its own, and each machine one name in the inventory; a variable of a group reaches all hosts in"
        " it"),
    "prefix_contradicts": (
        "{host} has this address with prefix /{actual}",
        "write {fix}, or leave the prefix out"),
    "member_left": (
        "{host} still has {endpoint}, and isn't among its balancers any more: once the others have forgotten it, it"
        " would hear nobody and hold the VIP as well",
        "run the playbook remove with -e endpoint_hosts={host} first, or keep it in endpoint_lb_hosts"),
    "member_outside_subnet": (
        "all balancers of an endpoint share one subnet, and the others are in {subnet}",
        "set endpoint_address of {host} to its address in {subnet}, or take the host out of endpoint_lb_hosts"),
    "inventory_outside_subnet": (
        "{host} is reached at this address, which isn't in the balancers' subnet {subnet}, so another one has to be"
        " its own there",
        "set endpoint_address for {host} to its address in {subnet}, or let the host be asked"),
    "interface_unknown": (
        "which interface of {host} holds {address} isn't known: no facts and no stored plan",
        "set endpoint_interface for {host}, or let the host be asked"),
    "interface_ambiguous": (
        "the VIP's subnet is on several interfaces of {host}: {interfaces}",
        "set endpoint_interface for {host} to one of them"),
    "interface_not_on_host": (
        "{host} has no {family} address on this interface; it has some on {interfaces}",
        "correct it, or remove it and let it be found"),
    "backend_address_unknown": (
        "no address of {host} is known under which its API server can be reached",
        "set endpoint_address for {host}, or let the host be asked"),

    # Priorities
    "priority_tie": (
        "{host} and {other} have the same priority, and then either could hold the VIP{more}",
        "give each host another priority; {free} is free"),
    "priorities_too_wide": (
        "priorities from {low} to {high} leave no room for the checks: {need}",
        "bring endpoint_priority of all balancers closer together, for example to 150, 149, 148"),
    "too_many_balancers": (
        "at most {limit} balancers can share one endpoint{more}: priorities and checks must fit into 1 to 254",
        "name at most {limit} hosts in endpoint_lb_hosts; more API servers are no problem"),

    # VRIDs
    "vrid_duplicate": (
        "{other} has this virtual router ID in {subnet} already",
        "choose another one; {free} is free"),
    "vrid_family_missing": (
        "names a family that the endpoint has no virtual IP of",
        "remove {family}, or add a virtual IP of it"),
    "vrid_exhausted": (
        "a subnet has 255 virtual router IDs for a family, and {subnet} has more {family} virtual routers",
        "move endpoints to another subnet, or give one endpoint several virtual IPs"),

    # Ports
    "port_taken_by_apiserver": (
        "{host} balances this endpoint, and its API server ({endpoint}) listens on the same port",
        "set {variable} to another port, such as {free}"),
    "port_taken_by_health": (
        "HAProxy's local health listener uses this port (haproxy_health_port)",
        "choose another port here or for haproxy_health_port"),
    "port_taken_by_kubernetes": (
        "{host} runs an API server, and Kubernetes' {service} uses this port there",
        "choose another port, such as {free}"),
    "hosts_disagree": (
        "the hosts of {endpoint} have stored different values of its {what}, and none that at least half of them have"
        " and more than any other: {said}",
        "set {variable} to the one that counts, by what clients use and what `ip address` shows on the holder"),
    "bad_stored_plan": (
        "the plan stored there can't be read ({reason}), and too few others tell what {endpoint} has, so its"
        " port and virtual router ID could change unnoticed, and two hosts hold the VIP",
        "put the file of a member back that is whole; or set {ports} and {vrid} to what keepalived.conf and haproxy.cfg"
        " there have, and endpoint_accept_findings: [bad_stored_plan]"),
    "newer_stored_plan": (
        "the plan stored there was written by a later version of this collection ({reason}), so nobody here knows what"
        " {endpoint} runs there",
        "use that version or a later one; or set {ports} and {vrid} to what keepalived.conf and haproxy.cfg there have,"
        " and endpoint_accept_findings: [newer_stored_plan]"),
    "port_would_change": (
        "the port isn't written and would change from {deployed}, which is deployed, to {default}, which is the default"
        " now; clients and certificates know the old one",
        "set {variable} to {deployed} to keep it, or to {default} to change it"),

    # Timing
    "source_above_maxconn": (
        "one client may not have more connections than all together, which is {maxconn} (haproxy_maxconn)",
        "choose at most half of that, or remove it"),
    "timing_order": (
        "keepalived must be slower than HAProxy to see dead API servers: check_interval x check_fall is {keepalived} s,"
        " and HAProxy can need {haproxy} s",
        "set check_fall to {fall} or more, or make HAProxy's checks quicker"),
    "timing_needs_version": (
        "needs keepalived {needed} or newer on all hosts that share balancers, and {host} has {found}",
        "{fix}"),
    "timing_needs_vrrp3": (
        "VRRP version 2, which endpoint_auth: pass needs, counts whole seconds",
        "write whole seconds, or set endpoint_auth: none and remove the password"),

    # Authentication
    "auth_password_missing": (
        "endpoint_auth: {auth} needs a password",
        "set endpoint_auth_password, best from a vault"),
    "auth_password_unused": (
        "there is a password, but endpoint_auth is none, so nothing would be authenticated",
        "set endpoint_auth: pass or hmac, or remove the password"),
    "auth_password_invalid": (
        "must be {expected}{more}",
        "{fix}"),
    "auth_pass_ipv6": (
        "endpoint_auth: pass is VRRP version 2, which knows no IPv6",
        "set endpoint_auth: none and remove the password, or use IPv4 only"),
    "auth_needs_version": (
        "endpoint_auth: hmac needs keepalived {needed} or newer on all hosts that share balancers; {host} has {found}",
        "set endpoint_auth: none and remove the password, upgrade keepalived, or set keepalived_version if the hosts"
        " have a newer one"),

    # Versions
    "version_too_old": (
        "{daemon} {found} is too old; {needed} is the oldest that is supported",
        "upgrade {daemon} on {host}"),
}

# code: text
WARNINGS: dict[str, str] = {
    "auth_pass_slow": (
        "endpoint_auth: pass is VRRP version 2, which counts whole seconds: adverts go out every second and a lost host"
        " is noticed after 3 to 4 s instead of about {seconds} s"),
    "backend_guessed": (
        "{endpoint} looks for API servers where the inventory reaches their hosts: {hosts}. These addresses are in no"
        " subnet of the balancers, and the hosts haven't confirmed them; set endpoint_address where it's another one"),
    "balancer_alone": "{host} is the only balancer of {endpoint}, so nothing takes over when it fails",
    "deployed_unreadable": (
        "the plan stored on {host} can't be read and is ignored: {reason}. What it runs isn't known, so backups are"
        " stopped until the holder has changed"),
    "host_differs": (
        "{hosts} stored {value} as {what} of {endpoint}; {elected} counts, which more hosts have. See whether something"
        " there is old or was changed by hand"),
    "facts_unreadable": "{host} reported networks that can't be read; they are ignored: {reason}",
    "former_kept": (
        "{endpoint} goes on serving {what}, which {are} not written any more, so that kubeconfigs can be changed in"
        " peace; endpoint_release_former: true lets go"),
    "former_released": (
        "{endpoint} lets {what} go, as endpoint_release_former says: whoever still uses that has to use {new}"),
    "hmac_untried": "endpoint_auth: hmac is untried: no distribution had a keepalived that can do it",
    "image_floating": (
        "image {image} ({variable}) has {what}, so hosts may run different versions of it, and a restart may change"
        " them; write a tag with a version, or best a digest"),
    "member_gone": (
        "{hosts} balanced {endpoint} until now. What was cleaned by the playbook remove is gone; what couldn't be"
        " reached goes on by itself when it's back: run remove with -e endpoint_hosts={names} then"),
    "port_changes": (
        "the port of {endpoint} changes from {deployed} to {planned}: what knows it, such as kubeconfigs and kubeadm's"
        " controlPlaneEndpoint, has to be changed, too"),
    "version_unknown": (
        "the version of {daemon} isn't known for {hosts}; planned for {floor}, the oldest that is supported."
        " Set {daemon}_version or let the hosts be asked"),
    "vrid_changes": (
        "the virtual router ID of {instance} changes from {deployed} to {planned}: backups are stopped until the"
        " holder has changed, and nobody could take over meanwhile"),
    "vrid_kept": (
        "{instance} keeps virtual router ID {deployed}, which is deployed, though {derived} would follow from its VIP;"
        " set {variable} to {pin} to make that permanent"),
    "vrid_moved": (
        "{instance} uses virtual router ID {planned}, because {derived} is taken in {subnet} by {other};"
        " set {variable} to {pin} to pin it"),
}


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with the intent.

    ``where`` names the variable and, where it has one, the host: ``endpoint_list[1].port``, ``cp2: endpoint_priority``.
    ``value`` is what was written, cut short and of plain types; a password never shows.
    """

    code: str
    where: str
    value: t.Any
    rule: str
    fix: str

    def to_dict(self) -> dict[str, t.Any]:
        """The problem as modules return it."""
        return {"code": self.code, "where": self.where, "value": self.value, "rule": self.rule, "fix": self.fix}

    def __str__(self) -> str:
        value = "" if self.value is None else " is {0!r}".format(self.value)
        return "{0}{1}: {2}. Fix: {3}. [{4}]".format(self.where, value, self.rule, self.fix, self.code)


class PlanError(Exception):
    """The intent can't be planned; ``problems`` has every reason."""

    def __init__(self, problems: t.Iterable[Problem], subject: str = "The plan") -> None:
        self.problems = list(problems)
        self.subject = subject
        super().__init__(self.problems)

    def __str__(self) -> str:
        count = len(self.problems)
        lines = ["{0} has {1} problem{2}; no host was touched.".format(self.subject, count, "" if count == 1 else "s")]
        lines += ["  {0}. {1}".format(number, problem) for number, problem in enumerate(self.problems, 1)]
        return "\n".join(lines)


class Findings:
    """Problems and warnings, in the order in which they are found."""

    def __init__(self) -> None:
        self.problems: list[Problem] = []
        self.warnings: list[str] = []
        self._seen: set[tuple[str, ...]] = set()

    def problem(self, code: str, where: str, value: t.Any = None, **details: t.Any) -> None:
        """Record a problem; ``details`` fill the words in braces of its rule and fix."""
        rule, fix = (template.format(**details) for template in PROBLEMS[code])
        found = Problem(code, printable(where, 200), show(value), printable(rule, 1000), printable(fix, 1000))
        if self._first((code, found.where, repr(found.value), rule)):
            self.problems.append(found)

    def warn(self, code: str, **details: t.Any) -> None:
        """Record a warning."""
        text = "{0} [{1}]".format(printable(WARNINGS[code].format(**details), 1000), code)
        if self._first((text,)):
            self.warnings.append(text)

    def _first(self, key: tuple[str, ...]) -> bool:
        """Whether this is news: the two families of an endpoint often have the same thing wrong."""
        if key in self._seen:
            return False
        self._seen.add(key)
        return True


class At:
    """A place in what the user wrote, able to report what is wrong there."""

    __slots__ = ("findings", "where")

    def __init__(self, findings: Findings, where: str) -> None:
        self.findings = findings
        self.where = where

    def __getitem__(self, key: t.Any) -> At:
        """The place of one item below: ``endpoint_vip[1]``, ``endpoint_list[1].port``."""
        suffix = "[{0}]".format(key) if isinstance(key, int) else "." + printable(str(show(str(key))), 60)
        return At(self.findings, self.where + suffix)

    def problem(self, code: str, value: t.Any = None, **details: t.Any) -> None:
        """Record that the value at this place breaks a rule."""
        self.findings.problem(code, self.where, value, **details)


def show(value: t.Any, depth: int = 2) -> t.Any:
    """What was written, as plain types that fit on a line and into JSON: cut short, escaped, without passwords."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return HIDDEN if _SECRET_WITHIN.search(value) else printable(without_user_info(value), 120)
    if isinstance(value, int):
        return int(value) if -2 ** 53 < value < 2 ** 53 else "a number of {0} bits".format(value.bit_length())
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else str(float(value))
    if isinstance(value, (list, tuple)):
        return [show(item, depth - 1) for item in value[:8]] + ["..."] * (len(value) > 8) if depth else "a list"
    if isinstance(value, Mapping):
        return _show_mapping(value, depth) if depth else "a mapping"
    return "something of type {0}".format(printable(type(value).__name__, 60))


def listed(items: t.Iterable[t.Any], limit: int = 5, empty: str = "none") -> str:
    """Some items for a sentence: ``a, b, c and 4 more``."""
    found = [str(item) for item in items]
    if not found:
        return empty
    rest = len(found) - limit
    return ", ".join(found[:limit]) + (" and {0} more".format(rest) if rest > 0 else "")


def _show_mapping(value: Mapping[t.Any, t.Any], depth: int) -> dict[str, t.Any]:
    shown: dict[str, t.Any] = {}
    for key, item in value.items():
        if len(shown) == 8:
            shown["..."] = "..."
            break
        name = str(show(key, 0))
        shown[name] = HIDDEN if _SECRET_NAME.search(name) else show(item, depth - 1)
    return shown
