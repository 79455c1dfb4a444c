# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods

BOTH = ("ipv4", "ipv6")
HAPROXY_FILES = [
    "/usr/libexec/kubeha/unit-hook",
    "/etc/systemd/system/haproxy.service.d/kubeha.conf",
    "/etc/haproxy/haproxy.cfg",
    "/etc/kubeha/plan.json",
]
KEEPALIVED_FILES = [
    "/usr/libexec/kubeha/unit-hook",
    "/usr/libexec/keepalived/kubeha-check",
    "/usr/libexec/keepalived/kubeha-notify",
    "/etc/systemd/system/keepalived.service.d/kubeha.conf",
    "/etc/keepalived/keepalived.conf",
    "/etc/kubeha/plan.json",
]


def paths(*arguments, **named):
    return [entry["path"] for entry in hostview.host_files(*arguments, **named)]


def instances(view):
    return {instance["name"]: instance for instance in view["keepalived"]["instances"]}


def block(entry, name):
    """The lines of a block, None where there is no such block."""
    found = [block["lines"] for block in entry["blocks"] if block["name"] == name]
    assert len(found) <= 1
    return found[0] if found else None


def test_files_of_each_role():
    assert paths(plan(endpoint()), "cp1", roles=("haproxy",)) == HAPROXY_FILES
    assert paths(plan(endpoint()), "cp1", roles=("keepalived",)) == KEEPALIVED_FILES
    assert sorted(paths(plan(endpoint()), "cp1")) == sorted(set(HAPROXY_FILES + KEEPALIVED_FILES))


def test_a_host_that_balances_nothing_gets_nothing():
    assert paths(plan(endpoint()), "other") == []


def test_static_pods_come_last_but_for_the_plan():
    the_plan = plan(pods())
    assert paths(the_plan, "cp1") == [
        "/etc/tmpfiles.d/kubeha.conf",
        "/etc/kubeha/haproxy/run", "/etc/kubeha/haproxy/haproxy.cfg",
        "/etc/kubeha/keepalived/run", "/etc/kubeha/keepalived/start", "/etc/kubeha/keepalived/check",
        "/etc/kubeha/keepalived/notify", "/etc/kubeha/keepalived/keepalived.conf", "/etc/kubeha/keepalived/release",
        "/etc/systemd/system/kubeha-release.service", "/etc/systemd/system/kubeha-release.path",
        "/etc/kubernetes/manifests/kubeha-haproxy.yaml", "/etc/kubernetes/manifests/kubeha-keepalived.yaml",
        "/etc/kubeha/plan.json"]
    assert paths(the_plan, "cp4") == []
    assert hostview.balancers(the_plan) == ["cp1", "cp2", "cp3"]
    assert hostview.mode_of(the_plan, "cp1") == "static_pod"
    assert hostview.mode_of(the_plan, "cp4") is None


def test_both_modes_share_their_configuration_but_for_globals_and_scripts():
    service, static = (hostview.host_view(plan(made), "cp1") for made in (endpoint(), pods(endpoint())))
    assert {key for key in service["haproxy"] if service["haproxy"][key] != static["haproxy"][key]} == {
        "globals", "health_log"}
    assert {key for key in service["keepalived"] if service["keepalived"][key] != static["keepalived"][key]} == {
        "script_user", "notify", "scripts"}


@pytest.mark.parametrize("version, limited", [("2.6.12", False), ("2.8.0", True), ("3.0.11", True)])
def test_pods_have_few_threads_where_haproxy_can_be_told(version, limited):
    static = hostview.host_view(plan(pods(endpoint(haproxy=version))), "cp1")["haproxy"]["globals"]
    assert ("thread-hard-limit 4" in static) is limited
    service = hostview.host_view(plan(endpoint(haproxy=version)), "cp1")["haproxy"]["globals"]
    assert "thread-hard-limit 4" not in service


def test_a_secret_is_readable_by_root_only():
    modes = {entry["path"]: (entry["mode"], entry["secret"]) for entry in hostview.host_files(
        plan(endpoint(auth="pass", advert=1)), "cp1")}
    assert modes["/etc/keepalived/keepalived.conf"] == ("0600", True)
    assert modes["/etc/haproxy/haproxy.cfg"] == ("0644", False)
    plain = {entry["path"]: entry["mode"] for entry in hostview.host_files(plan(endpoint()), "cp1")}
    assert plain["/etc/keepalived/keepalived.conf"] == "0640"


def test_the_stored_plan_has_only_the_endpoints_of_the_host():
    both = plan(endpoint(name="a"), endpoint(name="b", hosts=("x1", "x2")))
    both["warnings"] = ["of no use to a host"]
    for host, name in (("cp1", "a"), ("x2", "b")):
        stored = next(entry for entry in hostview.host_files(both, host) if entry["path"] == "/etc/kubeha/plan.json")
        assert [found["name"] for found in json.loads(stored["content"])["endpoints"]] == [name]
        assert set(json.loads(stored["content"])) == {"schema", "endpoints"}


def test_sysctl_only_where_vips_are_bound():
    vip = endpoint(binds=[{"address": "2001:db8:1::100", "port": 8443, "family": "ipv6"}], nonlocal_bind=True)
    assert "/etc/sysctl.d/90-kubeha.conf" in paths(plan(vip), "cp1")
    assert hostview.host_view(plan(vip), "cp1")["sysctls"] == ["net.ipv6.ip_nonlocal_bind = 1"]
    assert hostview.host_view(plan(endpoint()), "cp1")["sysctls"] == []


@pytest.mark.parametrize("bind, expected", [
    ({"address": "*", "port": 8443, "family": "ipv4"}, "ipv4@*:8443"),
    ({"address": "*", "port": 8443, "family": "ipv6"}, "ipv6@*:8443 v6only"),
    ({"address": "198.51.100.100", "port": 6443, "family": "ipv4"}, "ipv4@198.51.100.100:6443"),
    ({"address": "2001:db8:1::100", "port": 6443, "family": "ipv6"}, "ipv6@[2001:db8:1::100]:6443"),
])
def test_binds(bind, expected):
    view = hostview.host_view(plan(endpoint(binds=[bind])), "cp1")
    assert view["haproxy"]["endpoints"][0]["binds"] == [expected]


@pytest.mark.parametrize("kind, version, expected", [
    ("https", "2.6.12", "http-check expect error-status L7OKC status 200,401"),
    ("https", "2.2.9", "http-check expect status 200,401"),
    ("https_strict", "3.0.11", "http-check expect error-status L7OKC status 200"),
    ("tcp", "3.0.11", "tcp-check connect"),
])
def test_checks_of_api_servers(kind, version, expected):
    check = hostview.host_view(plan(endpoint(kind=kind, haproxy=version)), "cp1")["haproxy"]["endpoints"][0]["check"]
    assert check[-1] == expected
    assert ("option tcp-check" in check) == (kind == "tcp")


def test_slowstart_only_where_planned():
    def options(**named):
        return hostview.host_view(plan(endpoint(**named)), "cp1")["haproxy"]["endpoints"][0]["server_options"]

    assert not any(option.startswith("slowstart") for option in options())
    assert "slowstart 30000ms" in options(slowstart_ms=30000)


@pytest.mark.parametrize("version, known", [("2.2.9", False), ("2.4.0", True), ("2.10", True), ("3.2.26", True)])
def test_keepalive_timers_are_left_to_the_system_before_haproxy_2_4(version, known):
    keepalive = hostview.host_view(plan(endpoint(haproxy=version)), "cp1")["haproxy"]["endpoints"][0]["keepalive"]
    assert ("clitcpka-idle 60s" in keepalive) == known
    assert "option clitcpka" in keepalive


def test_endpoints_on_one_host_share_health_listener_and_limits():
    view = hostview.host_view(plan(endpoint(name="a", maxconn=1000), endpoint(name="b", maxconn=500)), "cp2")["haproxy"]
    assert "maxconn 2500" in view["globals"]
    assert "LimitNOFILE=6024" in view["execution"]
    assert len(view["health"]) == 1
    rules = view["health"][0]["rules"]
    assert [rule for rule in rules if "{ path" in rule] == [
        "http-request return status 200 content-type text/plain string ok if { path /livez }"]
    assert [rule for rule in rules if rule.startswith("acl full")] == [
        "acl full_1 fe_conn(a) ge 800", "acl full_2 fe_conn(b) ge 400"]


def test_what_asks_for_health_is_not_crowded_out():
    """Measured by tests/wire/test_balancing.py."""
    view = hostview.host_view(plan(endpoint()), "cp1")["haproxy"]
    assert view["health"][0]["bind"] == "127.0.0.1:8481 defer-accept"
    assert {"maxconn 1000", "timeout http-request 250ms"} <= set(view["health_options"])


def test_clients_condemn_no_server():
    options = hostview.host_view(plan(endpoint()), "cp1")["haproxy"]["endpoints"][0]["server_options"]
    assert "mark-down" not in " ".join(options).replace("on-marked-down", "")
    assert "on-error fastinter" in options


def test_execution_id_changes_with_the_limits_only():
    def execution(**named):
        return hostview.host_view(plan(endpoint(**named)), "cp1")["haproxy"]["execution_id"]

    assert execution() == execution(port=9443)
    assert execution() != execution(maxconn=10)


def test_single_instance_tracks_by_itself():
    view = hostview.host_view(plan(endpoint()), "cp1")
    assert view["keepalived"]["groups"] == []
    instance = instances(view)["kube-apiserver-ipv4"]
    assert block(instance, "track_script") == [
        "kube-apiserver-local weight 0",
        "kube-apiserver-apiservers weight -50",
        "kube-apiserver-settled weight -25",
    ]
    assert block(instance, "track_file") == [
        "kubeha_haproxy_down weight 0", "kubeha_drained weight -253", "kubeha_moving weight -253"]


def test_dual_stack_tracks_in_the_group():
    """keepalived ignores weights that an instance in a sync group tracks by itself."""
    view = hostview.host_view(plan(endpoint(families=BOTH)), "cp1")["keepalived"]
    for instance in view["instances"]:
        assert block(instance, "track_script") is None and block(instance, "track_file") is None
    (group,) = view["groups"]
    assert block(group, "group") == ["kube-apiserver-ipv4", "kube-apiserver-ipv6"]
    assert "kube-apiserver-apiservers weight -50" in block(group, "track_script")
    settled = next(script for script in view["scripts"] if script["name"] == "kube-apiserver-settled")
    assert settled["command"].endswith("settled 30 kube-apiserver")


def test_without_failback_the_holder_has_a_bonus_and_nobody_settles():
    view = hostview.host_view(plan(endpoint(failback=False)), "cp2")["keepalived"]
    assert {"name": "kube-apiserver-holder", "path": "/run/kubeha/keepalived/holder-kube-apiserver-ipv4",
            "weight": 25} in view["files"]
    assert not any("settled" in script["name"] for script in view["scripts"])
    assert "kube-apiserver-holder weight 25" in block(view["instances"][0], "track_file")


def test_every_tracked_thing_is_defined_and_every_state_file_is_made():
    view = hostview.host_view(plan(endpoint(name="a"), endpoint(name="b", families=BOTH, failback=False)), "cp1")
    keepalived = view["keepalived"]
    for kind, defined in (("track_script", keepalived["scripts"]), ("track_file", keepalived["files"])):
        entries = keepalived["groups"] + keepalived["instances"]
        tracked = {line for entry in entries for line in block(entry, kind) or []}
        assert tracked == {"%s weight %d" % (entry["name"], entry["weight"]) for entry in defined}
    made = {"/run/kubeha/keepalived/" + name for name in keepalived["state_files"]}
    assert {file["path"] for file in keepalived["files"] if "/holder-" in file["path"]} <= made
    for script in keepalived["scripts"]:
        words = script["command"].split()
        if words[1] in ("ready", "settled"):
            assert "/run/kubeha/keepalived/holder-" + words[-1] in made
        if words[1] == "ready":
            assert "/run/kubeha/keepalived/ready-" + words[-1] in made


def test_endpoints_share_the_check_whether_haproxy_answers():
    view = hostview.host_view(plan(*(endpoint(name="e%d" % number, port=10000 + number) for number in range(9))), "cp1")
    local = [script for script in view["keepalived"]["scripts"] if " live " in script["command"]]
    assert [script["name"] for script in local] == ["e0-local"]
    for instance in view["keepalived"]["instances"]:
        assert "e0-local weight 0" in block(instance, "track_script")
    slower = endpoint(name="slow")
    slower["checks"][0]["interval"] = 5
    view = hostview.host_view(plan(endpoint(name="a"), slower), "cp1")
    assert sum(" live " in script["command"] for script in view["keepalived"]["scripts"]) == 2


def test_names_of_several_endpoints_do_not_collide():
    view = hostview.host_view(plan(endpoint(name="a", families=BOTH), endpoint(name="b", families=BOTH)), "cp1")
    for key in ("scripts", "files", "groups", "instances"):
        names = [entry["name"] for entry in view["keepalived"][key]]
        assert len(names) == len(set(names))


def test_unicast():
    instance = instances(hostview.host_view(plan(endpoint(families=BOTH)), "cp2"))["kube-apiserver-ipv6"]
    assert "unicast_src_ip 2001:db8:1::12" in instance["options"]
    # Without it IPv6 leaves with the system's hop limit, and peers that expect 255 drop it.
    assert "unicast_ttl 255" in instance["options"]
    assert block(instance, "unicast_peer") == [
        "2001:db8:1::11 min_ttl 255 max_ttl 255", "2001:db8:1::13 min_ttl 255 max_ttl 255"]


def test_multicast():
    found = instances(hostview.host_view(plan(endpoint(families=BOTH, transport="multicast")), "cp1"))
    assert "mcast_src_ip 198.51.100.11" in found["kube-apiserver-ipv4"]["options"]
    # IPv6 has to leave from the link-local address, which keepalived finds by itself.
    assert not any("src_ip" in option for option in found["kube-apiserver-ipv6"]["options"])
    for instance in found.values():
        assert block(instance, "unicast_peer") is None
        assert not any("unicast" in option for option in instance["options"])


def test_keepalived_is_told_which_addresses_to_wait_for():
    view = hostview.host_view(plan(endpoint(name="a", families=BOTH), endpoint(name="b")), "cp2")
    assert view["keepalived"]["addresses"] == [
        "198.51.100.12", "2001:db8:1::12=20010db8000100000000000000000012"]


def test_old_keepalived_gets_what_it_knows():
    found = instances(hostview.host_view(plan(endpoint(keepalived="2.1.5", advert=0.3)), "cp1"))
    instance = found["kube-apiserver-ipv4"]
    assert block(instance, "unicast_peer") == ["198.51.100.12", "198.51.100.13"]
    assert not any(option.startswith("down_timer_adverts") for option in instance["options"])
    assert "advert_int 0.3" in instance["options"]


def test_vips_are_single_addresses():
    """With the subnet's prefix a VIP may become the source of the host's own connections."""
    found = instances(hostview.host_view(plan(endpoint(families=BOTH)), "cp1"))
    assert block(found["kube-apiserver-ipv4"], "virtual_ipaddress") == ["198.51.100.100/32"]
    assert block(found["kube-apiserver-ipv6"], "virtual_ipaddress") == ["2001:db8:1::100/128"]


@pytest.mark.parametrize("named, expected", [
    ({}, "1100ms"),
    ({"adverts": 30}, "3100ms"),
    ({"adverts": None, "advert": 1}, "4000ms"),
    ({"auth": "pass", "advert": 1, "adverts": 3}, "4000ms"),
])
def test_a_killed_keepalived_comes_back_after_the_others_took_over(named, expected):
    assert "%dms" % hostview.host_view(plan(endpoint(**named)), "cp1")["keepalived"]["restart_ms"] == expected


@pytest.mark.parametrize("auth, name, first", [
    ("pass", "authentication", "auth_type PASS"),
    ("hmac", "auth_hmac", "key 1 <<kubeha secret of kube-apiserver>>"),
])
def test_authentication_has_a_placeholder(auth, name, first):
    view = hostview.host_view(plan(endpoint(auth=auth, advert=1, keepalived="2.4.3")), "cp1")
    lines = block(instances(view)["kube-apiserver-ipv4"], name)
    assert lines[0] == first
    assert sum(hostview.placeholder("kube-apiserver") in line for line in lines) == 1


def test_secrets_are_needed_only_where_they_are():
    mixed = plan(endpoint(name="a", auth="hmac"), endpoint(name="b"), endpoint(name="c", auth="hmac", hosts=("x",)))
    assert hostview.secret_endpoints(mixed, "cp1") == ["a"]
    assert hostview.secret_endpoints(mixed, "x") == ["c"]
    assert hostview.balancers(mixed) == ["cp1", "cp2", "cp3", "x"]


def test_a_check_that_may_fail_once_is_given_the_time_to_begin():
    def local(planned):
        scripts = hostview.host_view(plan(planned), "cp1")["keepalived"]["scripts"]
        return next(script for script in scripts if script["name"].endswith("-local"))

    assert "timeout 1" in local(endpoint())["timing"]
    assert "timeout 3" in local(pods())["timing"]
    # It gives up by itself as soon as ever, and counts.
    assert local(pods())["command"].endswith(" /livez 0.8 2")
