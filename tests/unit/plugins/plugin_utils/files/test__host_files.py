# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import json

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._paths import PARTS
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.tests.unit import configs
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods

BOTH = ("ipv4", "ipv6")
HAPROXY_FILES = [
    "/usr/libexec/kubeha/unit-hook",
    "/etc/systemd/system/haproxy.service.d/kubeha.conf",
    "/etc/haproxy/haproxy.cfg",
    "/etc/kubeha/plan.json",
]
WATCHDOG_FILES = [
    *("/etc/kubeha/parts.d/%s.py" % name for name in ("shared_host", "shared_wire", "watchdog_wire", "watchdog_host")),
    "/etc/kubeha/watchdog", "/etc/systemd/system/kubeha-watchdog.service",
]
KEEPALIVED_FILES = [
    *WATCHDOG_FILES,
    "/usr/libexec/kubeha/unit-hook",
    "/usr/libexec/keepalived/kubeha-check",
    "/usr/libexec/keepalived/kubeha-notify",
    "/etc/systemd/system/keepalived.service.d/kubeha.conf",
    "/etc/keepalived/keepalived.conf",
    "/etc/kubeha/plan.json",
]


def paths(*arguments, **named):
    return [entry["path"] for entry in hostview.host_files(*arguments, **named)]


def listen(*endpoints, name="kube-apiserver"):
    return configs.haproxy(plan(*endpoints))["listen " + name]


def instances(the_plan, host="cp1"):
    return configs.keepalived(the_plan, host).named("vrrp_instance")


def test_files_of_each_role():
    assert paths(plan(endpoint()), "cp1", roles=("haproxy",)) == HAPROXY_FILES
    assert paths(plan(endpoint()), "cp1", roles=("keepalived",)) == KEEPALIVED_FILES
    assert sorted(paths(plan(endpoint()), "cp1")) == sorted(set(HAPROXY_FILES + KEEPALIVED_FILES))


def test_a_host_that_balances_nothing_gets_nothing():
    assert paths(plan(endpoint()), "other") == []


def test_static_pods_come_last_but_for_the_plan():
    the_plan = plan(pods())
    assert paths(the_plan, "cp1") == [
        *WATCHDOG_FILES, "/etc/tmpfiles.d/kubeha.conf",
        "/etc/kubeha/haproxy/run", "/etc/kubeha/haproxy/haproxy.cfg",
        "/etc/kubeha/keepalived/run", "/etc/kubeha/keepalived/start", "/etc/kubeha/keepalived/check",
        "/etc/kubeha/keepalived/notify", "/etc/kubeha/keepalived/keepalived.conf", "/etc/kubeha/keepalived/release",
        "/etc/systemd/system/kubeha-release.service", "/etc/systemd/system/kubeha-release.path",
        "/etc/kubernetes/manifests/kubeha-haproxy.yaml", "/etc/kubernetes/manifests/kubeha-keepalived.yaml",
        "/etc/kubeha/plan.json"]
    assert paths(the_plan, "cp4") == []
    assert hostview.balancers(the_plan) == ["cp1", "cp2", "cp3"]


def test_both_modes_share_their_configuration_but_for_globals_and_scripts():
    service, static = (hostview.host_view(plan(made), "cp1") for made in (endpoint(), pods(endpoint())))
    assert {key for key in service["haproxy"] if service["haproxy"][key] != static["haproxy"][key]} == {
        "socket", "log_format"}
    assert {key for key in service["keepalived"] if service["keepalived"][key] != static["keepalived"][key]} == {
        "script_user", "notify", "scripts", "instances"}
    service, static = (configs.haproxy(plan(made)) for made in (endpoint(), pods(endpoint())))
    assert {"user haproxy", "chroot /var/lib/haproxy"} <= set(service["global"])
    assert not any(line.startswith(("user ", "chroot ")) for line in static["global"])


@pytest.mark.parametrize("version, limited", [("2.6.12", False), ("2.9.15", False), ("3.0.11", True)])
def test_pods_have_few_threads_where_haproxy_can_be_told(version, limited):
    static, service = (configs.haproxy(plan(made(endpoint(haproxy=version)))) for made in (pods, lambda same: same))
    assert ("thread-hard-limit 4" in static["global"]) is limited
    assert "thread-hard-limit 4" not in service["global"]


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
    assert [line for line in listen(endpoint(binds=[bind])) if line.startswith("bind ")] == ["bind " + expected]


@pytest.mark.parametrize("kind, version, expected", [
    ("https", "2.6.12", "http-check expect error-status L7OKC status 200,401"),
    ("https", "2.4.0", "http-check expect error-status L7OKC status 200,401"),
    ("https", "2.3.21", "http-check expect status 200,401"),
    ("https_strict", "3.0.11", "http-check expect error-status L7OKC status 200"),
    ("tcp", "3.0.11", "tcp-check connect"),
])
def test_checks_of_api_servers(kind, version, expected):
    lines = listen(endpoint(kind=kind, haproxy=version))
    assert expected in lines
    assert ("option tcp-check" in lines) == (kind == "tcp")


def test_slowstart_only_where_planned():
    def options(**named):
        return next(line for line in listen(endpoint(**named)) if line.startswith("default-server "))

    assert "slowstart" not in options()
    assert " slowstart 30000ms " in options(slowstart_ms=30000)


@pytest.mark.parametrize("version, known", [("2.2.9", False), ("2.3.0", True), ("2.10", True), ("3.2.26", True)])
def test_keepalive_timers_are_left_to_the_system_before_haproxy_2_3(version, known):
    lines = listen(endpoint(haproxy=version))
    assert ("clitcpka-idle 60s" in lines) == known
    assert "option clitcpka" in lines


def test_endpoints_on_one_host_share_health_listener_and_limits():
    the_plan = plan(endpoint(name="a", maxconn=1000), endpoint(name="b", maxconn=500))
    found = configs.haproxy(the_plan, "cp2")
    assert "maxconn 2500" in found["global"]
    assert "LimitNOFILE=6024" in hostview.host_view(the_plan, "cp2")["haproxy"]["execution"]
    (health,) = [lines for section, lines in found.items() if section.startswith("frontend ")]
    assert [rule for rule in health if "{ path" in rule] == [
        "http-request return status 200 content-type text/plain string ok if { path /livez }"]
    assert [rule for rule in health if rule.startswith("acl full")] == [
        "acl full_1 fe_conn(a) ge 800", "acl full_2 fe_conn(b) ge 400"]


def test_what_asks_for_health_is_not_crowded_out():
    """Measured by tests/wire/test_balancing.py."""
    health = configs.haproxy(plan(endpoint()))["frontend kubeha:health:1"]
    assert {"bind 127.0.0.1:8481 defer-accept", "maxconn 1000", "timeout http-request 250ms"} <= set(health)


def test_clients_condemn_no_server():
    options = next(line for line in listen(endpoint()) if line.startswith("default-server "))
    assert "mark-down" not in options.replace("on-marked-down", "")
    assert " on-error fastinter " in options


def test_execution_id_changes_with_the_limits_only():
    def execution(**named):
        return hostview.host_view(plan(endpoint(**named)), "cp1")["haproxy"]["execution_id"]

    assert execution() == execution(port=9443)
    assert execution() != execution(maxconn=10)


def test_single_instance_tracks_by_itself():
    found = configs.keepalived(plan(endpoint()))
    assert not found.named("vrrp_sync_group")
    instance = found.named("vrrp_instance")["kube-apiserver-ipv4"]
    assert instance["track_script"] == [
        "kube-apiserver-local weight 0",
        "kube-apiserver-apiservers weight -50",
        "kube-apiserver-settled weight -25",
    ]
    assert instance["track_file"] == [
        "kubeha_haproxy_down weight 0", "kubeha_drained weight -253", "kubeha_moving weight -253"]


def test_dual_stack_tracks_in_the_group():
    """keepalived ignores weights that an instance in a sync group tracks by itself."""
    found = configs.keepalived(plan(endpoint(families=BOTH)))
    for instance in found.named("vrrp_instance").values():
        assert not {"track_script", "track_file"} & set(instance.blocks)
    (group,) = found.named("vrrp_sync_group").values()
    assert group["group"] == ["kube-apiserver-ipv4", "kube-apiserver-ipv6"]
    assert "kube-apiserver-apiservers weight -50" in group["track_script"]
    settled = found.named("vrrp_script")["kube-apiserver-settled"]
    assert settled.lines[0].endswith('settled 30 kube-apiserver"')


def test_without_failback_the_holder_has_a_bonus_and_nobody_settles():
    found = configs.keepalived(plan(endpoint(failback=False)), "cp2")
    assert found.named("track_file")["kube-apiserver-holder"].lines == [
        'file "/run/kubeha/keepalived/holder-kube-apiserver-ipv4"', "weight 25"]
    assert not any("settled" in name for name in found.named("vrrp_script"))
    (instance,) = found.named("vrrp_instance").values()
    assert "kube-apiserver-holder weight 25" in instance["track_file"]


def test_every_tracked_thing_is_defined_and_every_state_file_is_made():
    the_plan = plan(endpoint(name="a"), endpoint(name="b", families=BOTH, failback=False))
    keepalived = hostview.host_view(the_plan, "cp1")["keepalived"]
    found = configs.keepalived(the_plan)
    for kind, defined in (("track_script", "vrrp_script"), ("track_file", "track_file")):
        entries = [*found.named("vrrp_sync_group").values(), *found.named("vrrp_instance").values()]
        tracked = {line for entry in entries if kind in entry.blocks for line in entry[kind]}
        weights = {name: next(line for line in block.lines if line.startswith("weight "))
                   for name, block in found.named(defined).items()}
        assert tracked == {"%s %s" % item for item in weights.items()}
    made = {"/run/kubeha/keepalived/" + name for name in keepalived["state_files"]}
    assert {file["path"] for file in keepalived["files"] if "/holder-" in file["path"]} <= made
    for script in keepalived["scripts"]:
        words = script["command"].split()
        if words[1] in ("ready", "settled"):
            assert "/run/kubeha/keepalived/holder-" + words[-1] in made
        if words[1] == "ready":
            assert "/run/kubeha/keepalived/ready-" + words[-1] in made


def test_endpoints_share_the_check_whether_haproxy_answers():
    def asking(the_plan):
        return [name for name, script in configs.keepalived(the_plan).named("vrrp_script").items()
                if " live " in script.lines[0]]

    the_plan = plan(*(endpoint(name="e%d" % number, port=10000 + number) for number in range(9)))
    assert asking(the_plan) == ["e0-local"]
    for instance in instances(the_plan).values():
        assert "e0-local weight 0" in instance["track_script"]
    slower = endpoint(name="slow")
    slower["checks"][0]["interval"] = 5
    assert len(asking(plan(endpoint(name="a"), slower))) == 2


def test_names_of_several_endpoints_do_not_collide():
    view = hostview.host_view(plan(endpoint(name="a", families=BOTH), endpoint(name="b", families=BOTH)), "cp1")
    for key in ("scripts", "files", "groups", "instances"):
        names = [entry["name"] for entry in view["keepalived"][key]]
        assert len(names) == len(set(names))


def test_unicast():
    instance = instances(plan(endpoint(families=BOTH)), "cp2")["kube-apiserver-ipv6"]
    assert "unicast_src_ip 2001:db8:1::12" in instance.lines
    # Without it IPv6 leaves with the system's hop limit, and peers that expect 255 drop it.
    assert "unicast_ttl 255" in instance.lines
    assert instance["unicast_peer"] == [
        "2001:db8:1::11 min_ttl 255 max_ttl 255", "2001:db8:1::13 min_ttl 255 max_ttl 255"]


def test_multicast():
    found = instances(plan(endpoint(families=BOTH, transport="multicast")))
    assert "mcast_src_ip 198.51.100.11" in found["kube-apiserver-ipv4"].lines
    # IPv6 has to leave from the link-local address, which keepalived finds by itself.
    assert not any("src_ip" in line for line in found["kube-apiserver-ipv6"].lines)
    for instance in found.values():
        assert "unicast_peer" not in instance.blocks
        assert not any("unicast" in line for line in instance.lines)


def test_keepalived_is_told_which_addresses_to_wait_for():
    view = hostview.host_view(plan(endpoint(name="a", families=BOTH), endpoint(name="b")), "cp2")
    assert view["keepalived"]["addresses"] == [
        "198.51.100.12", "2001:db8:1::12=20010db8000100000000000000000012"]


def test_old_keepalived_gets_what_it_knows():
    instance = instances(plan(endpoint(keepalived="2.1.5", advert=0.3)))["kube-apiserver-ipv4"]
    assert not any(line.startswith("down_timer_adverts") for line in instance.lines)
    assert "advert_int 0.3" in instance.lines


def test_vips_are_single_addresses():
    """With the subnet's prefix a VIP may become the source of the host's own connections."""
    found = instances(plan(endpoint(families=BOTH)))
    assert found["kube-apiserver-ipv4"]["virtual_ipaddress"] == ["198.51.100.100/32"]
    assert found["kube-apiserver-ipv6"]["virtual_ipaddress"] == ["2001:db8:1::100/128"]


@pytest.mark.parametrize("named, expected", [
    ({}, "1100ms"),
    ({"adverts": 30}, "3100ms"),
    ({"adverts": None, "advert": 1}, "4000ms"),
    ({"auth": "pass", "advert": 1, "adverts": 3}, "4000ms"),
])
def test_a_killed_keepalived_comes_back_after_the_others_took_over(named, expected):
    assert "%dms" % hostview.host_view(plan(endpoint(**named)), "cp1")["keepalived"]["restart_ms"] == expected


def test_authentication_has_a_placeholder():
    lines = instances(plan(endpoint(auth="pass", advert=1)))["kube-apiserver-ipv4"]["authentication"]
    assert lines == ["auth_type PASS", "auth_pass " + hostview.placeholder("kube-apiserver")]


@pytest.mark.parametrize("made, folder", [(lambda same: same, "/etc/keepalived"), (pods, "/etc/kubeha/keepalived")])
def test_keys_of_hmac_lie_in_files_of_their_own(made, folder):
    signed = made(endpoint(auth="hmac", keepalived="2.4.3"))
    signed["hmac"].update(keys=[17, 200], mode="permissive", time_window=6)
    assert instances(plan(signed))["kube-apiserver-ipv4"]["auth_hmac"] == [
        "key 17 file:%s/kubeha-kube-apiserver-17.key" % folder,
        "key 200 file:%s/kubeha-kube-apiserver-200.key" % folder,
        "active_key 17", "anti_replay time", "time_window 6", "mode permissive"]
    files = [entry for entry in hostview.host_files(plan(signed), "cp1") if entry["role"] == "keepalived"]
    order = [entry["kind"] for entry in files]
    # What names them comes after them.
    assert order.index("hmac-key") + 2 == order.index("keepalived")
    conf = files[order.index("keepalived")]
    assert (conf["mode"], conf["secret"]) == ("0600" if made is pods else "0640", False)
    for entry, key in zip(files[order.index("hmac-key"):], (17, 200)):
        assert (entry["path"], entry["mode"], entry["owner"], entry["secret"], entry["content"]) == (
            "%s/kubeha-kube-apiserver-%d.key" % (folder, key), "0400", "root", True,
            "<<kubeha secret %d of kube-apiserver>>\n" % key)


def test_secrets_are_needed_only_where_they_are():
    mixed = plan(endpoint(name="a", auth="hmac"), endpoint(name="b"), endpoint(name="c", auth="hmac", hosts=("x",)))
    [key] = mixed["endpoints"][0]["hmac"]["keys"]
    assert hostview.secret_endpoints(mixed, "cp1") == {"a": [key]}
    assert hostview.secret_endpoints(mixed, "x") == {"c": [key]}
    assert hostview.secret_endpoints(plan(endpoint(auth="pass", advert=1)), "cp1") == {"kube-apiserver": []}
    assert hostview.balancers(mixed) == ["cp1", "cp2", "cp3", "x"]


def test_a_check_that_may_fail_once_is_given_the_time_to_begin():
    def local(planned):
        return configs.keepalived(plan(planned)).named("vrrp_script")["kube-apiserver-local"].lines

    assert "timeout 1" in local(endpoint())
    assert "timeout 3" in local(pods())
    # It gives up by itself as soon as ever, and counts.
    assert local(pods())[0].endswith(' /livez 0.8 2"')


EXPORTER = {"address": None, "port": 8405, "allow": ["198.51.100.0/24"]}
METRICS = {"exporter": EXPORTER, "textfile_dir": "/var/lib/textfiles"}


def test_metrics_that_are_off_are_nowhere():
    off = plan(endpoint())
    assert "metrics" not in off["endpoints"][0]
    view = hostview.host_view(off, "cp1")
    assert view["haproxy"]["exporters"] == [] and view["metrics"] == {}
    assert not [path for path in paths(off, "cp1") if "metrics" in path]


def test_the_watchdog_is_the_hosts_in_both_modes_unless_it_is_switched_off():
    for made in (endpoint(families=BOTH), pods(endpoint(families=BOTH))):
        assert paths(plan(made), "cp1")[:6] == WATCHDOG_FILES
        view = hostview.host_view(plan(made), "cp1")["watchdog"]
        assert view["vips"] == ["198.51.100.100/32", "2001:db8:1::100/128"] and view["seconds"] == "1.5"
        assert "CapabilityBoundingSet=CAP_NET_ADMIN CAP_NET_RAW CAP_KILL" in view["sandbox"]
        off = plan(dict(made, watchdog=False))
        assert not [path for path in paths(off, "cp1") if "watchdog" in path]
        assert hostview.host_view(off, "cp1")["watchdog"] == {}
    assert not [path for path in paths(plan(endpoint()), "cp1", roles=("haproxy",)) if "watchdog" in path]


def test_the_recorder_is_the_hosts_in_both_modes_and_nowhere_when_off():
    assert not [path for path in paths(plan(endpoint()), "cp1") if "recorder" in path]
    assert hostview.host_view(plan(endpoint()), "cp1")["recorder"] == {}
    for made in (endpoint(), pods(endpoint())):
        files = hostview.host_files(plan(dict(made, recorder=True)), "cp1")
        assert [(entry["path"], entry["role"]) for entry in files if "recorder" in entry["path"]] == [
            *(("/etc/kubeha/parts.d/recorder_%s.py" % name, "keepalived")
              for name in ("base", "network", "daemons", "said")),
            ("/etc/kubeha/recorder", "keepalived"), ("/etc/systemd/system/kubeha-recorder.service", "keepalived")]
        view = hostview.host_view(plan(dict(made, recorder=True)), "cp1")["recorder"]
        # HAProxy's socket is another user's in a pod.
        more = " CAP_DAC_OVERRIDE" if made["mode"] == "static_pod" else ""
        assert "CapabilityBoundingSet=CAP_NET_RAW" + more in view["sandbox"]


def test_what_programs_import_is_there_once_and_only_where_one_does():
    parts = "/etc/kubeha/parts.d/"
    every = paths(plan(dict(endpoint(), recorder=True, metrics=METRICS)), "cp1")
    assert len(every) == len(set(every)) and sorted(path for path in every if path.startswith(parts)) == PARTS
    metrics = [path for path in paths(plan(dict(endpoint(), watchdog=False, metrics=METRICS)), "cp1")
               if path.startswith(parts)]
    assert metrics == [parts + "shared_host.py"]
    none = paths(plan(dict(endpoint(), watchdog=False)), "cp1")
    assert not [path for path in none if path.startswith(parts)]


def test_metrics_are_written_by_the_host_in_both_modes():
    for made in (endpoint(), pods()):
        files = hostview.host_files(plan(dict(made, metrics=METRICS)), "cp1")
        ours = [(entry["path"], entry["role"]) for entry in files if "metrics" in entry["path"]]
        assert ours == [("/etc/kubeha/metrics", "keepalived")] + [
            ("/etc/systemd/system/kubeha-metrics.%s" % kind, "keepalived") for kind in ("service", "timer")]
        view = hostview.host_view(plan(dict(made, metrics=METRICS)), "cp1")["metrics"]
        assert view["textfile"] == "/var/lib/textfiles/kubeha.prom"
        assert "CapabilityBoundingSet=" in view["sandbox"] and "ReadWritePaths=-/var/lib/textfiles" in view["sandbox"]


OWN_LOG = "log stdout format short"


@pytest.mark.parametrize("connections, target, lines", [
    ("none", None, ["no log", OWN_LOG + " daemon notice"]),
    ("none", "198.51.100.25:514", ["no log", OWN_LOG + " daemon notice"]),
    ("errors", None, ["option dontlog-normal"]),
    ("1/100", None, ["no log", OWN_LOG + " daemon notice", OWN_LOG + " sample 1:100 daemon"]),
    ("all", "198.51.100.25:514", [
        "no log", OWN_LOG + " daemon notice", "log 198.51.100.25:514 format rfc5424 daemon"]),
    ("errors", "[2001:db8::25]:514", [
        "no log", OWN_LOG + " daemon notice", "log [2001:db8::25]:514 format rfc5424 daemon", "option dontlog-normal"]),
    ("1/9", "198.51.100.25:514", [
        "no log", OWN_LOG + " daemon notice", "log 198.51.100.25:514 format rfc5424 sample 1:9 daemon"]),
])
def test_which_connections_are_logged_and_where(connections, target, lines):
    """What becomes of servers, above level info, is always in HAProxy's own output."""
    made = endpoint()
    assert hostview.host_view(plan(made), "cp1")["haproxy"]["endpoints"][0]["logs"] == []
    made["haproxy"]["log"] = {"connections": connections, "target": target}
    assert hostview.host_view(plan(made), "cp1")["haproxy"]["endpoints"][0]["logs"] == lines


@pytest.mark.parametrize("user, line", [(None, "DynamicUser=yes"), ("vip-moved", "User=vip-moved")])
def test_a_script_is_run_by_the_host_in_both_modes_and_changes_no_other_file(user, line):
    notify = {"script": "/opt/moved", "user": user}
    for made, owner in ((endpoint(), "keepalived_script"), (pods(), "root")):
        off, on = plan(made), plan(dict(made, notify=notify))
        assert hostview.host_view(off, "cp1")["user_hook"] == {}
        ours = [path for path in paths(on, "cp1") if path not in paths(off, "cp1")]
        assert ours == ["/etc/kubeha/hook", "/etc/tmpfiles.d/kubeha-hook.conf"] + [
            "/etc/systemd/system/kubeha-hook.%s" % kind for kind in ("service", "path")]
        view = hostview.host_view(on, "cp1")
        hook = view.pop("user_hook")
        assert hook["owner"] == owner and hook["user"] == [line] and "CapabilityBoundingSet=" in hook["sandbox"]
        assert dict(view, user_hook={}) == hostview.host_view(off, "cp1")


@pytest.mark.parametrize("address, families, addresses, allow", [
    (None, ("ipv4",), ["198.51.100.12"], ["198.51.100.12", "198.51.100.0/24"]),
    (None, ("ipv4", "ipv6"), ["198.51.100.12", "2001:db8:1::12"],
     ["198.51.100.12", "2001:db8:1::12", "198.51.100.0/24"]),
    ("127.0.0.1", ("ipv4",), ["127.0.0.1"], ["127.0.0.0/8", "198.51.100.0/24"]),
    ("::1", ("ipv6",), ["::1"], ["::1", "198.51.100.0/24"]),
])
def test_where_haproxy_shows_its_metrics_and_to_whom(address, families, addresses, allow):
    exporter = dict(EXPORTER, address=address)
    made = dict(endpoint(families=families), metrics=dict(METRICS, exporter=exporter))
    view = hostview.host_view(plan(made, dict(made, name="b")), "cp2")["haproxy"]
    assert view["exporters"] == [{"addresses": addresses, "port": 8405, "maxconn": 10, "allow": allow}]


def test_metrics_are_loaded_without_a_restart():
    with_them = hostview.host_view(plan(endpoint(metrics=METRICS)), "cp1")["haproxy"]
    assert with_them["execution_id"] == hostview.host_view(plan(endpoint()), "cp1")["haproxy"]["execution_id"]


@pytest.mark.parametrize("made", [endpoint(), pods()])
def test_each_file_lies_where_the_preflight_looks_whether_one_can_write(made):
    """But for folders that are made in one of those."""
    looked = _paths.folders(made["mode"], made["manifest_dir"])
    for path in paths(plan(made), "cp1"):
        assert path.startswith(tuple(folder + "/" for folder in looked)), path
    assert ("/etc/keepalived" in looked) == (made["mode"] == "service")
