# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The dashboard, asked of the Prometheus that has seen all faults: so this comes after them."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

from drawing import drawing, values
from monitored import Monitored
from user import ROOT

DASHBOARD = json.loads((ROOT / "monitoring" / "dashboard.json").read_text(encoding="utf-8"))
# What Grafana puts in.
VARIABLES = {"$endpoint": ".*", "$__rate_interval": "1m"}
POINTS = 300


def test_each_query_has_data(monitored: Monitored) -> None:
    start, end = monitored.prometheus.began, time.time()
    data = {}
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            expression = target["expr"]
            for name, value in VARIABLES.items():
                expression = expression.replace(name, value)
            assert "$" not in expression, expression
            found = monitored.prometheus.series(expression, start, end, max(1.0, (end - start) / POINTS))
            data[panel["title"]] = [item for item in found if values(item)]
    assert len(data) > 10 and not [title for title, found in data.items() if not found]
    labels = monitored.prometheus.ask("label/endpoint/values", **{"match[]": "kubeha_endpoint_members"})
    # A change may have had a second one for a while.
    assert "kube-apiserver" in labels
    assert [item["metric"] for item in monitored.prometheus.query("count by (endpoint) (kubeha_endpoint_members)")] == [
        {"endpoint": "kube-apiserver"}]
    picture = Path(os.environ["KUBEHA_CACHE"]) / "dashboard.svg"
    minutes = (end - start) / 60
    note = "A drawing of the dashboard with a real Prometheus' data of %d min of faults; no screenshot." % minutes
    picture.write_text(drawing(DASHBOARD, data, start, end, note), encoding="utf-8")
    print("\n  drawn: %s" % picture)
