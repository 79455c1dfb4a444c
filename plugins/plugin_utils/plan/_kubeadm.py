# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What kubeadm has to be told of an endpoint: its piece of ClusterConfiguration. Pure: a plan in, the piece out."""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any, Dict, List, NamedTuple, Optional

if TYPE_CHECKING:
    from ...module_utils.model._model import Endpoint, Plan


API_VERSIONS = ("v1beta4", "v1beta3")

# One request in a thousand closes its connection, so that clients spread over API servers that came back. Kubernetes
# allows at most 0.02.
_GOAWAY_CHANCE = "0.001"
# The kubelet kills an API server 30 s after it told it to stop; the rest is for requests that are still running.
_LONGEST_DELAY = 25
# The one path that says "down" while the API server still serves.
_READINESS = "/readyz"


class Setting(NamedTuple):
    value: Any
    why: str


def cluster_configuration(endpoint: Endpoint, api_version: str = API_VERSIONS[0]) -> Dict[str, Any]:
    """The piece as kubeadm reads it; a user merges it into the rest."""
    arguments = {name: setting.value for name, setting in apiserver_arguments(endpoint).items()}
    apiserver: Dict[str, Any] = {"certSANs": certificate_names(endpoint)}
    if arguments and api_version == "v1beta3":
        apiserver["extraArgs"] = arguments
    elif arguments:
        apiserver["extraArgs"] = [{"name": name, "value": value} for name, value in arguments.items()]
    return {
        "apiVersion": "kubeadm.k8s.io/" + api_version,
        "kind": "ClusterConfiguration",
        "controlPlaneEndpoint": endpoint["control_plane_endpoint"],
        "apiServer": apiserver,
    }


def document(plan: Plan, api_version: str = API_VERSIONS[0]) -> str:
    """A file for people and kubeadm: one YAML document for each endpoint, with the reasons beside the values."""
    return "".join(_yaml(endpoint, api_version) for endpoint in plan["endpoints"])


def certificate_names(endpoint: Endpoint) -> List[str]:
    """What clients may call the endpoint. kubeadm adds the controlPlaneEndpoint by itself, but only that."""
    name = endpoint["dns_name"]
    return ([name] if name else []) + [vip["address"] for vip in endpoint["vips"]]


def apiserver_arguments(endpoint: Endpoint) -> Dict[str, Setting]:
    """{argument: value and why}, without those that would do nothing or harm."""
    arguments: Dict[str, Setting] = {}
    if len(endpoint["backends"]) > 1:
        why = "A balancer of connections can't move clients; this moves a few to API servers that came back"
        arguments["goaway-chance"] = Setting(_GOAWAY_CHANCE, why)
    delay = _shutdown_delay(endpoint)
    if delay is not None:
        arguments["shutdown-delay-duration"] = delay
    return arguments


def _shutdown_delay(endpoint: Endpoint) -> Optional[Setting]:
    """An API server that stops says so at once and serves on, until HAProxy has understood."""
    haproxy = endpoint["haproxy"]
    if (haproxy["check"]["path"] or "").partition("?")[0] != _READINESS:
        return None
    fall, inter, timeout = haproxy["fall"], haproxy["inter_ms"] / 1000, haproxy["check_timeout_ms"] / 1000
    # The last good check may still be running, and is answered within its own time.
    notices = fall * inter + timeout
    why = "HAProxy needs up to %g s to see that it stops: fall %d, inter %g s, and a check's %g s; it serves on so long"
    why %= (notices, fall, inter, timeout)
    if notices > _LONGEST_DELAY:
        why += "; no longer, because the kubelet kills it after 30 s"
    return Setting("%ds" % min(math.ceil(notices), _LONGEST_DELAY), why)


def _yaml(endpoint: Endpoint, api_version: str) -> str:
    """Written by hand: YAML's own writers keep no comments. JSON's strings are YAML's."""
    piece = cluster_configuration(endpoint, api_version)
    head = "# Endpoint %s, for kubeadm: merge this into the ClusterConfiguration of the cluster." % endpoint["name"]
    lines = ["---", head]
    lines += ["%s: %s" % (key, json.dumps(piece[key])) for key in ("apiVersion", "kind", "controlPlaneEndpoint")]
    lines += ["apiServer:", "  # Every name and address by which clients come."]
    lines += ["  certSANs:"] + ["    - %s" % json.dumps(name) for name in piece["apiServer"]["certSANs"]]
    arguments = apiserver_arguments(endpoint)
    if arguments:
        lines.append("  extraArgs:")
    for name, setting in arguments.items():
        lines.append("    # %s" % setting.why)
        if api_version == "v1beta3":
            lines.append("    %s: %s" % (name, json.dumps(setting.value)))
        else:
            lines += ["    - name: %s" % name, "      value: %s" % json.dumps(setting.value)]
    return "\n".join(lines) + "\n"
