# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What Prometheus may read: HAProxy's exporter, and the folder of node_exporter."""

from __future__ import annotations

import posixpath
import typing as t

from ..intent._errors import Problems, Where
from ..intent._spec import OWN_ADDRESS, Metrics, Spec
from ._features import EXPORTER
from ._ports import Ports
from ._versions import Version, version_text

if t.TYPE_CHECKING:
    from ...module_utils.model import _model as model


def check_metrics(findings: Problems, specs: list[Spec], metrics: Metrics, health_port: int,
                  ports: list[Ports]) -> None:
    """The exporter has a port to itself, and somebody may ask; no kubelet takes our file of metrics for a pod."""
    textfiles = posixpath.normpath(metrics.textfile_dir or "/") + "/"
    folder = next((spec.manifest_dir for spec in specs
                   if textfiles.startswith(posixpath.normpath(spec.manifest_dir) + "/")), None)
    if folder:
        Where(findings, "endpoint_metrics_textfile_dir").problem(
            "metrics_dir_of_pods", metrics.textfile_dir, folder=folder)
    if not metrics.exporter:
        return
    taken = {health_port: "haproxy_health_port"}
    for spec, planned in zip(specs, ports):
        taken.update(dict.fromkeys((planned.port, *spec.former_ports), spec.name))
    if metrics.port in taken:
        Where(findings, "endpoint_metrics_port").problem(
            "metrics_port_taken", metrics.port, other=taken[metrics.port])
    if metrics.address == OWN_ADDRESS and not metrics.allow:
        Where(findings, "endpoint_metrics_allow").problem("metrics_allow_missing", [])


def plan_metrics(findings: Problems, metrics: Metrics, haproxy: Version, host: str, said: str) -> model.Metrics | None:
    """What is on, as far as the oldest HAProxy among the balancers can do it: ``host`` has that, ``said`` in words."""
    exporter: model.Exporter | None = None
    if metrics.exporter and not EXPORTER.known_to(haproxy):
        findings.warn("metrics_need_version", needed=version_text(EXPORTER.since), host=host, found=said)
    elif metrics.exporter:
        own = metrics.address == OWN_ADDRESS
        exporter = {"address": None if own else metrics.address, "port": metrics.port,
                    "allow": [str(subnet) for subnet in metrics.allow]}
    if exporter is None and metrics.textfile_dir is None:
        return None
    return {"exporter": exporter, "textfile_dir": metrics.textfile_dir}
