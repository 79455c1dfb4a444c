# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.proof import _host_status
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.codes._codes import CODES
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _status as verdict
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge._observation import observation
from ansible_collections.kubeha.apiserver.tests.unit import plans
from ansible_collections.kubeha.apiserver.tests.unit.observing import observe, server
from ansible_collections.kubeha.apiserver.tests.unit.plugins.module_utils.proof.test__host_status import (
    HOSTS,
    NAME,
    VIP4,
    VIP6,
    make_plan,
)
from hypothesis import given
from hypothesis import strategies as st


def observe_all(plan, hosts=tuple(HOSTS), holder="cp1"):
    return {host: observe(plan, host, holder) for host in hosts}


def judge(plan, seen, scope=None):
    """As the controller reads it."""
    return verdict.judge(plan, {host: observation(info) for host, info in seen.items()}, scope)


def codes(result, severity=None):
    return sorted(f["code"] for f in result["findings"] if severity in (None, f["severity"]))


@pytest.mark.parametrize("dual", [False, True])
@pytest.mark.parametrize("failback", [False, True])
def test_all_is_well(dual, failback):
    plan = make_plan(dual, failback)
    result = judge(plan, observe_all(plan))
    assert result["findings"] == []
    assert result["ok"] is True
    assert result["holders"][NAME][VIP4] == ["cp1"]
    assert [row["observed"] for row in result["rows"]] == ["holds", "backup", "backup"]
    assert [row["backends_up"] for row in result["rows"]] == [3, 3, 3]
    assert [row["answered_to"] for row in result["endpoints"]] == ["cp2"] * (2 if dual else 1)


def spoil(change, plan=None, scope=None, holder="cp1"):
    """What the judge says once `change` has been made to what was observed."""
    plan = plan or make_plan()
    seen = observe_all(plan, holder=holder)
    change(seen)
    return judge(plan, seen, scope)


def put(host, *path_and_value):
    *path, last, value = path_and_value

    def change(seen):
        place = seen[host]
        for key in path:
            place = place[key]
        place[last] = value

    return change


def every(*changes):
    def change(seen):
        for each in changes:
            each(seen)

    return change


def everywhere(*path_and_value):
    return every(*(put(host, *path_and_value) for host in HOSTS))


def backend(host, number, status, check="", code=None):
    return put(host, "haproxy", "backends", NAME, number, server("cp%d" % (number + 1), status, check, code))


def attempt(host, **values):
    def change(seen):
        seen[host]["connect"][0].update(values)

    return change


def stored(host, key, value):
    def change(seen):
        seen[host]["deployed"]["plan"]["endpoints"][0][key] = value

    return change


def drop(host):
    return lambda seen: seen.pop(host)


def dormant(host):
    """Static pods lie there, and no kubelet runs."""
    return every(
        put(host, "static_pod_kubelet", "running", False),
        put(host, "pods", {name: {"exists": True, "active": "inactive"} for name in ("haproxy", "keepalived")}),
        put(host, "haproxy", {}),
    )


DUAL = make_plan(dual=True)
PODS = make_plan(mode="static_pod")
# (code, severity, host, what is changed, plan, scope)
NO_NAMES = {"dns": [], "ip": []}


def kubelet(*addresses):
    return {"running": True, "name": "kubelet", "options": {"node-ip": ",".join(addresses)} if addresses else {}}


SPEAKING = plans.plan(plans.endpoint())
STRANGER = {
    "interface": "eth0", "mac": "02:00:00:00:00:99", "source": "198.51.100.66", "family": "ipv4",
    "virtual_router_id": 100, "reason": "checksum", "count": 3,
}  # fmt: skip


def connections(sessions, refused=0):
    said = {"status": "OPEN", "sessions": sessions, "most": 100, "refused": refused}
    return put("cp2", "haproxy", {"frontends": {NAME: said}})


LEASE = {"run": "one@a", "since": 700.0, "left": 0.0, "phase": "silent", "why": "another host has it"}
FINDING_DATA = [
    ("haproxy_nearly_full", "warning", "cp2", connections(80), None, None),
    ("haproxy_source_refused", "warning", "cp2", connections(50, refused=3), None, None),
    ("haproxy_files_ignored", "warning", "cp2", put("cp2", "haproxy_ignored", ["/etc/haproxy/conf.d/a.cfg"]), None,
     None),
    ("drained", "warning", "cp2", put("cp2", "drain", {"drained": True}), None, None),
    ("left_moving", "warning", "cp2", put("cp2", "drain", {"moving": True}), None, None),
    ("stopped_for_change", "warning", "cp2", put("cp2", "lease", dict(LEASE, left=60.0)), None, None),
    ("stopped_for_change", "warning", "cp2", put("cp2", "lease", LEASE), None, None),
    ("started_by_itself", "warning", "cp2", put("cp2", "lease", dict(LEASE, phase="speaking")), None, None),
    ("no_holder", "error", None, put("cp1", "holds", []), None, None),
    ("two_holders", "error", None, put("cp2", "holds", [VIP4]), None, None),
    ("wrong_holder", "error", "cp1", every(put("cp1", "holds", []), put("cp2", "holds", [VIP4])), None, None),
    (
        "takeover_pending",
        "error",
        "cp1",
        every(put("cp1", "holds", []), put("cp2", "holds", [VIP4]), put("cp1", "haproxy", "uptime_s", 12)),
        None,
        verdict.Scope(strict=True),
    ),
    (
        "unsettled",
        "error",
        "cp2",
        lambda seen: seen["cp2"].update(met=False, waited=60.0, unmet=["for only 0.1 s as it is"]),
        None,
        None,
    ),
    ("vips_split", "error", None, every(put("cp1", "holds", [VIP4]), put("cp2", "holds", [VIP6])), DUAL, None),
    ("vip_silent", "error", "cp2", attempt("cp2", tcp="timeout", error="no answer within 1 s"), None, None),
    ("vip_wrong_answer", "error", "cp2", attempt("cp2", http_status=503), None, None),
    ("vip_wrong_answer", "error", "cp2", attempt("cp2", http_status=None, error="reset"), None, None),
    ("vip_untried", "warning", None, everywhere("connect", []), None, None),
    ("stale_vip", "error", "cp2", put("cp2", "holds", ["198.51.100.99"]), None, None),
    ("host_unreachable", "error", "cp3", drop("cp3"), None, verdict.Scope(unreachable={"cp3": "no route"})),
    ("not_observed", "info", "cp3", drop("cp3"), None, None),
    ("not_deployed", "error", "cp3", put("cp3", "deployed", "plan", None), None, None),
    ("not_deployed_yet", "info", "cp3", put("cp3", "deployed", "plan", None), None, verdict.Scope(partial=True)),
    ("bad_stored_plan", "warning", "cp3", put("cp3", "deployed", {"plan": None, "error": "EOF"}), None, None),
    ("newer_stored_plan", "error", "cp3", put("cp3", "deployed", {"plan": None, "error": "schema 2", "newer": True}),
     None, None),
    ("odd_answer", "warning", "cp3", put("cp3", "oddities", ["it.holds isn't a list"]), None, None),
    ("plan_differs", "error", "cp2", stored("cp2", "port", 6443), None, None),
    ("plan_outdated", "warning", "cp2", stored("cp2", "port", 6443), None, verdict.Scope(partial=True)),
    ("service_down", "error", "cp2", put("cp2", "services", "keepalived", "active", "failed"), None, None),
    ("service_down", "error", "cp2", put("cp2", "services", {}), None, None),
    ("service_down", "error", "cp2", put("cp2", "services", "keepalived", {
        **_host_status.NO_DAEMON, "active": "inactive", "masked": True}), None, None),
    ("pod_down", "error", "cp2", put("cp2", "pods", "haproxy", "active", "inactive"), PODS, None),
    ("pod_down", "error", "cp2", put("cp2", "pods", {}), PODS, None),
    ("manifest_missing", "error", "cp2", put("cp2", "pods", "haproxy", "exists", False), PODS, None),
    ("kubelet_absent", "info", "cp2", dormant("cp2"), PODS, None),
    ("kubelet_absent", "error", "cp2", dormant("cp2"), PODS, verdict.Scope(strict=True)),
    ("version_older", "warning", "cp2", put("cp2", "pods", "keepalived", "version", "2.1.5"), PODS, None),
    ("restart_pending", "warning", "cp2", put("cp2", "restart_pending", "keepalived", True), PODS, None),
    ("service_disabled", "warning", "cp2", put("cp2", "services", "haproxy", "enabled", False), None, None),
    ("gives_way", "error", "cp2", put("cp2", "gives_way", "198.51.100.11"), None, None),
    ("watchdog_stopped", "warning", "cp2", put("cp2", "watchdog", False), None, None),
    ("reload_pending", "error", "cp2", put("cp2", "reload_pending", "haproxy", True), None, None),
    (
        "running_unknown",
        "warning",
        "cp2",
        every(put("cp2", "reload_pending", "haproxy", True), put("cp2", "running", "haproxy", None)),
        None,
        None,
    ),
    ("restart_pending", "warning", "cp2", put("cp2", "restart_pending", "keepalived", True), None, None),
    ("restart_pending", "warning", "cp2", put("cp2", "haproxy", "version", "2.6.11"), None, None),
    ("version_older", "warning", "cp2", put("cp2", "packages", "keepalived", "installed", "2.1.5"), None, None),
    ("file_drifted", "warning", "cp2", put("cp2", "drifted", ["/etc/haproxy/haproxy.cfg"]), None, None),
    ("file_drifted", "error", "cp2", put("cp2", "drifted", ["/etc/x"]), None, verdict.Scope(strict=True)),
    ("notes_lost", "warning", "cp2", put("cp2", "notes_lost", ["/var/lib/kubeha/files-haproxy.json"]), None, None),
    ("haproxy_hung", "error", "cp2", put("cp2", "haproxy", {"hung": True, "error": "no answer"}), None, None),
    ("keepalived_hung", "error", "cp2", put("cp2", "keepalived", {"hung": True, "error": "no answer"}), None, None),
    ("not_seen", "warning", "cp2", put("cp2", "unseen", ["keepalived", "listen"]), None, None),
    ("keepalived_silent", "error", "cp2", put("cp2", "keepalived", {"error": "taken"}), None, None),
    ("haproxy_silent", "error", "cp2", put("cp2", "haproxy", {"hung": False, "error": "refused"}), None, None),
    (
        "keepalived_fault",
        "error",
        "cp2",
        put("cp2", "keepalived", "instances", {NAME + "-ipv4": {"state": "fault", "effective_priority": 0}}),
        None,
        None,
    ),
    ("backend_missing", "error", "cp2", put("cp2", "haproxy", "backends", NAME, [server("cp1"), server("cp2")]),
     None, None),
    ("backend_missing", "error", "cp2", put("cp2", "haproxy", "backends", {}), None, None),
    (
        "backend_unplanned",
        "error",
        "cp2",
        put("cp2", "haproxy", "backends", NAME, [server(name) for name in [*HOSTS, "old"]]),
        None,
        None,
    ),
    ("backend_down", "error", "cp2", backend("cp2", 2, "DOWN", "L7STS", 500), None, None),
    (
        "backend_down",
        "error",
        "cp2",
        every(backend("cp2", 2, "DOWN", "L4CON"), put("cp2", "apiservers", {"198.51.100.13:6443": True})),
        None,
        None,
    ),
    ("backend_silent", "warning", "cp2", backend("cp2", 2, "DOWN", "L4CON"), None, None),
    ("backend_silent", "error", "cp2", backend("cp2", 2, "DOWN", "L4TOUT"), None, verdict.Scope(strict=True)),
    (
        "backend_silent",
        "warning",
        "cp2",
        every(backend("cp2", 2, "DOWN", "L6RSP"), put("cp2", "apiservers", {"198.51.100.13:6443": False})),
        None,
        None,
    ),
    ("backend_disabled", "warning", "cp2", backend("cp2", 2, "MAINT"), None, None),
    (
        "no_apiserver",
        "info",
        "cp2",
        every(*(backend("cp2", number, "DOWN", "L4CON") for number in range(3)), attempt("cp2", http_status=None)),
        None,
        None,
    ),
    ("anonymous_denied", "warning", "cp2", backend("cp2", 2, "UP", "L7OK", 401), None, None),
    ("certificate_lacks_vip", "warning", "cp2", put("cp2", "certificates", {NAME: {"cp2": NO_NAMES}}), None, None),
    ("kubelet_took_vip", "error", "cp2", put("cp2", "kubelet", kubelet(VIP4)), None, None),
    ("kubelet_node_ip_unset", "warning", "cp2", put("cp2", "kubelet", kubelet()), None, None),
    ("vrrp_stranger", "warning", None, put("cp2", "heard", [STRANGER]), SPEAKING, None),
    ("vrrp_stranger", "warning", "cp2", put("cp2", "keepalived", "rejects", {NAME + "-ipv4": {"auth_failure": 8}}),
     SPEAKING, None),
]


@pytest.mark.parametrize("code, severity, host, change, plan, scope", FINDING_DATA)
def test_each_finding(code, severity, host, change, plan, scope):
    result = spoil(change, plan, scope)
    found = [f for f in result["findings"] if f["code"] == code]
    assert {(f["severity"], f["host"]) for f in found} == {(severity, host)}
    assert all(f["message"] and f["fix"] for f in found)
    assert result["ok"] is (severity != "error")


def test_below_80_percent_nobody_is_bothered():
    seen = observe_all(make_plan())
    connections(79)(seen)
    assert codes(judge(make_plan(), seen)) == []


@pytest.mark.parametrize("error", ["EOF", "a later schema"])
def test_a_holder_whose_plan_cannot_be_read_is_no_wrong_holder(error):
    result = spoil(put("cp1", "deployed", {"plan": None, "error": error}), None, None)
    assert codes(result) == ["bad_stored_plan"]


def test_every_code_has_a_test():
    assert {data[0] for data in FINDING_DATA} == {code for code, entry in CODES.items() if "status" in entry.by}


def test_a_stranger_is_named_once_with_all_that_it_sends():
    def flood(seen):
        for info in seen.values():
            info["heard"] = [STRANGER, dict(STRANGER, reason="version")]

    result = spoil(flood, SPEAKING)
    assert codes(result) == ["vrrp_stranger"]
    assert message(result, "vrrp_stranger") == (
        "198.51.100.66 (MAC 02:00:00:00:00:99) sends to virtual router 100: packets that are no adverts (checksum); "
        "packets that are no adverts (version) (heard by cp1, cp2, cp3)")


def test_what_keepalived_rejects_comes_with_whom_it_hears():
    def reject(seen):
        seen["cp1"]["keepalived"]["rejects"] = {NAME + "-ipv4": {"auth_failure": 8}}
        advert = {"source": "198.51.100.13", "reason": None, "version": 3, "auth": "none", "priority": 148}
        seen["cp1"]["heard"] = [{**STRANGER, **advert}]

    said = message(spoil(reject, SPEAKING), "vrrp_stranger")
    assert "(auth_failure: 8); it hears 198.51.100.13 (MAC 02:00:00:00:00:99)" in said


def test_services_are_no_pods_and_pods_no_services():
    assert judge(PODS, observe_all(PODS))["findings"] == []
    assert spoil(put("cp2", "services", {}), PODS)["findings"] == []
    assert spoil(put("cp2", "pods", {}))["findings"] == []
    # What the host has installed says nothing of what pods run.
    assert spoil(put("cp2", "packages", "keepalived", "installed", "2.1.5"), PODS)["findings"] == []


def test_hosts_that_wait_for_a_kubelet():
    everybody = spoil(every(*(every(dormant(host), put(host, "holds", [])) for host in HOSTS), nobody_answers), PODS)
    assert everybody["ok"] and codes(everybody) == ["kubelet_absent"] * 3
    assert {row["observed"] for row in everybody["rows"]} == {"waits for kubelet"}
    # The preferred one isn't expected to hold while it can't.
    moved = every(dormant("cp1"), put("cp1", "holds", []), put("cp2", "holds", [VIP4]))
    assert codes(spoil(moved, PODS)) == ["kubelet_absent"]
    seen = observe_all(PODS)
    dormant("cp1")(seen)
    nobody_answers(seen)
    assert _host_status.unmet(PODS, "cp1", seen["cp1"], {NAME: {"cp1": True}}) == []
    # Pods that run on without a kubelet are to work.
    seen = observe_all(PODS)
    put("cp1", "static_pod_kubelet", "running", False)(seen)
    assert judge(PODS, seen)["findings"] == []


def nobody_answers(seen):
    for info in seen.values():
        for tried in info["connect"]:
            tried.update(tcp="unreachable", http_status=None)


def test_the_plan_says_what_is_accepted_too():
    accepting = make_plan()
    accepting["endpoints"][0]["accept_findings"] = ["backend_down"]
    seen = observe_all(accepting)
    backend("cp2", 2, "DOWN", "L7STS", 500)(seen)
    result = judge(accepting, seen)
    assert codes(result, "info") == ["backend_down"] and result["ok"]
    assert _host_status.unmet(accepting, "cp2", seen["cp2"], {}) == []
    assert _host_status.unmet(make_plan(), "cp2", seen["cp2"], {}) != []


def test_accepted_codes_fail_nothing():
    result = spoil(backend("cp2", 2, "DOWN", "L7STS", 500), scope=verdict.Scope(accept=frozenset(["backend_down"])))
    assert codes(result, "info") == ["backend_down"]
    assert result["ok"]


def test_a_wrong_holder_comes_with_its_reason():
    moved = every(put("cp1", "holds", []), put("cp2", "holds", [VIP4]))
    stopped = spoil(every(moved, put("cp1", "services", "keepalived", "active", "inactive")))
    assert "keepalived is down there" in message(stopped, "wrong_holder")
    hung = spoil(every(moved, put("cp1", "haproxy", {"hung": True, "error": ""})))
    assert "HAProxy hangs there" in message(hung, "wrong_holder")
    blind = spoil(every(moved, *(backend("cp1", number, "DOWN", "L4CON") for number in range(3))))
    assert "sees no API server" in message(blind, "wrong_holder")
    fresh = spoil(every(moved, put("cp1", "haproxy", "uptime_s", 12)))
    assert message(fresh, "takeover_pending").endswith("is held by cp2 instead of cp1, which takes it back in 21 s")
    assert fresh["ok"]


def message(result, code):
    return next(f["message"] for f in result["findings"] if f["code"] == code)


def test_a_host_that_waits_for_its_turn_is_no_unsettled_one():
    moved = every(put("cp1", "holds", []), put("cp2", "holds", [VIP4]), put("cp1", "haproxy", "uptime_s", 12))
    waiting = every(moved, lambda seen: seen["cp1"].update(met=False, waited=5.0, unmet=["it should hold"]))
    assert codes(spoil(waiting)) == ["takeover_pending"]


def test_without_failback_anybody_may_hold():
    plan = make_plan(failback=False)
    assert judge(plan, observe_all(plan, holder="cp3"))["ok"]


def test_members_that_are_not_deployed_yet_do_not_count():
    plan = make_plan()
    seen = observe_all(plan, holder="cp2")
    seen["cp1"]["deployed"]["plan"] = None
    seen["cp1"].update(services={}, haproxy={}, packages={})
    result = judge(plan, seen, verdict.Scope(applied=frozenset(["cp2", "cp3"]), partial=True))
    assert codes(result) == ["not_deployed_yet"]
    # After the last batch the preferred one has to hold.
    result = judge(plan, observe_all(plan, holder="cp2"), verdict.Scope(applied=frozenset(HOSTS)))
    assert "wrong_holder" in codes(result)


def test_a_member_that_was_not_looked_at_may_hold():
    plan = make_plan()
    seen = observe_all(plan, hosts=["cp2", "cp3"], holder="cp1")
    assert codes(judge(plan, seen, verdict.Scope(partial=True)), "error") == []
    for host in seen:
        seen[host]["connect"][0].update(tcp="timeout")
    assert "no_holder" in codes(judge(plan, seen, verdict.Scope(partial=True)))


def test_a_preferred_member_that_is_deployed_elsewhere_should_hold():
    plan = make_plan()
    seen = observe_all(plan, hosts=["cp2", "cp3"], holder="cp2")
    assert "wrong_holder" not in codes(judge(plan, seen))
    scope = verdict.Scope(elsewhere=frozenset(["cp1"]))
    assert "wrong_holder" in codes(judge(plan, seen, scope))
    assert "wrong_holder" not in codes(judge(plan, seen, verdict.Scope(absent=frozenset(["cp1"]))))


def test_stored_plan_is_what_most_members_have():
    plan = make_plan()
    seen = observe_all(plan)
    seen["cp1"]["deployed"]["plan"]["endpoints"][0]["port"] = 1
    assert verdict.stored_plan(seen) == plan
    assert codes(judge(verdict.stored_plan(seen), seen)) == ["plan_differs"]
    assert verdict.stored_plan({}) == {"schema": 1, "endpoints": []}


def test_row_texts():
    dual = make_plan(dual=True)
    half = spoil(put("cp1", "holds", [VIP4]), dual)
    assert half["rows"][0]["observed"] == "holds 1 of 2"
    down = spoil(put("cp2", "services", "keepalived", "active", "inactive"))
    assert down["rows"][1]["observed"] == "down"
    fault = spoil(put("cp2", "services", "haproxy", "active", "failed"))
    assert (fault["rows"][1]["observed"], fault["rows"][1]["haproxy"]) == ("fault", "down")
    gone = spoil(drop("cp3"), scope=verdict.Scope(unreachable={"cp3": "no route"}))
    assert gone["rows"][2]["observed"] == "unreachable"
    dumped = put("cp2", "keepalived", "instances", {NAME + "-ipv4": {"state": "backup", "effective_priority": 99}})
    assert spoil(dumped)["rows"][1]["effective_priority"] == 99
    of_another = put("cp2", "keepalived", "instances", {"other-ipv4": {"state": "backup", "effective_priority": 99}})
    assert spoil(of_another)["rows"][1]["effective_priority"] is None


def test_text_shows_all():
    text = verdict.text(spoil(backend("cp2", 2, "DOWN", "L7STS", 500)))
    assert text.splitlines()[0] == "kube-apiserver 198.51.100.100:8443 held by cp1, answers cp2 HTTP 200 in 3.2 ms"
    assert "ENDPOINT        HOST  PLANNED     OBSERVED  HAPROXY  API SERVERS  NOTE" in text
    assert "kube-apiserver  cp2   BACKUP 149  backup    2.6.12   2 of 3" in text
    assert "ERROR backend_down: kube-apiserver, cp2: HAProxy finds cp3 DOWN: L7STS 500" in text


EXPECTED_DATA = [
    # (failback, deployed, unknown, expected)
    (True, HOSTS, [], {"cp1": True, "cp2": False, "cp3": False}),
    (True, ["cp3", "cp2"], [], {"cp2": True, "cp3": False}),
    (True, ["cp2", "cp3"], ["cp1"], {"cp2": None, "cp3": False}),
    (True, ["cp1"], ["cp2", "cp3"], {"cp1": True}),
    (True, ["cp1", "cp3"], ["cp2"], {"cp1": True, "cp3": False}),
    (True, [], HOSTS, {}),
    (False, HOSTS, [], {"cp1": None, "cp2": None, "cp3": None}),
    (False, ["cp2"], [], {"cp2": True}),
    (False, ["cp2"], ["cp1"], {"cp2": None}),
]


@pytest.mark.parametrize("failback, deployed, unknown, expected", EXPECTED_DATA)
def test_expected_holders(failback, deployed, unknown, expected):
    assert verdict.expected_holders(make_plan(failback=failback), deployed, unknown) == {NAME: expected}


@given(st.sets(st.sampled_from(HOSTS)), st.sets(st.sampled_from(HOSTS)), st.booleans())
def test_at_most_one_is_expected_to_hold(deployed, unknown, failback):
    expected = verdict.expected_holders(make_plan(failback=failback), deployed, unknown)[NAME]
    assert set(expected) == deployed
    assert list(expected.values()).count(True) <= 1
    if failback and deployed and True not in expected.values():
        assert min(deployed | unknown) in unknown


APART_DATA = [
    ([], 0.0),
    ([{"at": 100.0, "waited": 0.1}, {"at": 101.0, "waited": 1.1}], 1.0),
    # Clocks that differ hide what a long wait shows, and the other way round.
    ([{"at": 100.0, "waited": 0.0}, {"at": 100.5, "waited": 30.0}], 30.0),
    ([{"at": 100.0, "waited": 0.0}, {"at": 140.0, "waited": 0.0}], 40.0),
    ([{"at": 100.0}, {"at": None}], 0.0),
]


@pytest.mark.parametrize("infos, seconds", APART_DATA)
def test_apart(infos, seconds):
    assert verdict.apart({str(number): info for number, info in enumerate(infos)}) == seconds


def with_cluster(plan, host, holder="cp1"):
    """A node of a cluster that was told of the endpoint."""
    names = {"dns": ["kubernetes"], "ip": ["10.96.0.1", VIP4, VIP6]}
    return dict(
        observe(plan, host, holder),
        certificates={NAME: {host: names}},
        kubelet=kubelet("198.51.100.11"),
        node={"name": host, "addresses": ["198.51.100.11"]},
    )


def test_a_cluster_that_was_told_of_the_endpoint():
    plan = make_plan(dual=True)
    seen = {host: with_cluster(plan, host) for host in HOSTS}
    assert codes(judge(plan, seen, verdict.Scope(strict=True))) == []


def test_a_certificate_that_clients_refuse():
    plan = make_plan()
    seen = {host: with_cluster(plan, host) for host in HOSTS}
    # An API server on a host that balances nothing is asked by those that do.
    for info in seen.values():
        info["certificates"] = {NAME: {"api1": {"dns": ["kubernetes"], "ip": ["10.96.0.1"]}}}
    result = judge(plan, seen)
    assert codes(result, "warning") == ["certificate_lacks_vip"]
    assert result["findings"][0]["host"] == "api1"
    assert "for 10.96.0.1, kubernetes, not for %s" % VIP4 in result["findings"][0]["message"]
    assert codes(judge(plan, seen, verdict.Scope(strict=True)), "error") == ["certificate_lacks_vip"]
    # Nothing to wait for: it will be so until somebody makes another one.
    assert _host_status.unmet(plan, "cp1", seen["cp1"], {NAME: {"cp1": True}}) == []


def test_a_node_that_has_taken_the_vip():
    plan = make_plan()
    seen = {host: with_cluster(plan, host) for host in HOSTS}
    seen["cp1"]["kubelet"]["options"] = {}
    seen["cp1"]["node"]["addresses"] = [VIP4]
    seen["cp2"]["kubelet"]["options"] = {}
    result = judge(plan, seen)
    found = {(item["code"], item["severity"], item["host"]) for item in result["findings"]}
    assert found == {("kubelet_took_vip", "error", "cp1"), ("kubelet_node_ip_unset", "warning", "cp2")}


# A host that was just changed


# Drained hosts


def drained(plan, *hosts, holder="cp1"):
    seen = observe_all(plan, holder=holder)
    for host in hosts:
        seen[host]["drain"] = {"drained": True, "moving": False}
    return seen


def test_a_drained_host_is_not_expected_to_hold():
    plan = make_plan()
    result = judge(plan, drained(plan, "cp1", holder="cp2"), verdict.Scope(strict=True))
    assert codes(result) == ["drained"] and result["ok"]
    assert result["rows"][0]["observed"] == "drained"
    # It hasn't let go.
    assert "wrong_holder" in codes(judge(plan, drained(plan, "cp1")))
    # Nobody else can.
    assert codes(judge(plan, drained(plan, *HOSTS)), "error") == []


def test_the_last_host_that_is_well_is_not_drained():
    plan = make_plan()
    assert verdict.undrainable(plan, observe_all(plan), ["cp1", "cp2"]) == []
    assert "there is no other" in verdict.undrainable(plan, observe_all(plan), HOSTS)[0]
    assert "cp3 can't serve either" in verdict.undrainable(plan, drained(plan, "cp3"), ["cp1", "cp2"])[0]
    seen = observe_all(plan)
    seen["cp3"]["services"]["haproxy"]["active"] = "failed"
    assert "cp3 can't serve either" in verdict.undrainable(plan, seen, ["cp1", "cp2"])[0]
    del seen["cp3"]
    assert "cp3 can't serve either" in verdict.undrainable(plan, seen, ["cp1", "cp2"])[0]
    assert "balances nothing" in verdict.undrainable(plan, observe_all(plan), ["cp9"])[0]


# For scripts


GONE = {"unreachable": {"cp3": "no route"}, "elsewhere": frozenset(["cp3"])}
DENIED = "[Errno 13] Permission denied"


@pytest.mark.parametrize("scope, change, level", [
    ({}, lambda seen: None, "ok"),
    ({}, lambda seen: seen["cp2"].update(unseen=["haproxy"]), "warning"),
    ({"accept": frozenset(["not_seen"])}, lambda seen: seen["cp2"].update(unseen=["haproxy"]), "ok"),
    ({}, lambda seen: seen["cp1"].update(holds=[]), "error"),
    (GONE, lambda seen: seen.pop("cp3"), "unreachable"),
    (GONE, lambda seen: (seen.pop("cp3"), seen["cp1"].update(holds=[])), "unreachable"),
    (GONE, lambda seen: (seen.pop("cp3"), seen["cp2"]["haproxy"].update(error="refused")), "error"),
])
def test_the_level_is_the_worst_in_one_word(scope, change, level):
    result = spoil(change, scope=verdict.Scope(strict=True, **scope))
    assert result["level"] == level, result["findings"]
    assert result["ok"] == (level in ("ok", "warning"))


def test_where_nobody_has_a_plan():
    gone = verdict.nothing_seen(["cp1"], {})
    assert (gone["ok"], gone["level"], codes(gone)) == (False, "unreachable", ["host_unreachable"])
    empty = verdict.nothing_seen(["cp1"], {"cp2": ""})
    assert (empty["ok"], empty["level"], codes(empty)) == (False, "error", ["host_unreachable", "not_deployed"])
    assert verdict.nothing_seen([], {})["level"] == "error"


def test_what_only_root_sees_is_not_guessed():
    """HAProxy and keepalived said nothing to this user, which is no fault of theirs."""
    def change(seen):
        for info in seen.values():
            info["haproxy"] = dict(verdict.NO_HAPROXY, error=DENIED)
            info["keepalived"] = dict(info["keepalived"], error=DENIED, instances={})
            info["unseen"] = ["/etc/keepalived/keepalived.conf", "haproxy", "keepalived"]

    result = spoil(change, scope=verdict.Scope(strict=True))
    assert codes(result) == ["not_seen"] * 3 and result["level"] == "warning"
    assert "/etc/keepalived/keepalived.conf, HAProxy's statistics" in result["findings"][0]["message"]
    assert [row["observed"] for row in result["rows"]] == ["holds", "not the holder", "not the holder"]
    said = {(row["haproxy"], row["backends_up"], row["effective_priority"]) for row in result["rows"]}
    assert said == {("", None, None)}
