# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Static pods: what the kubelet gets to read, and which rights they have."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _podstate as podstate
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _ownership as ownership
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths, _pod_paths, _secrets
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _pod_manifests as podsutil
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render as render
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods
from hypothesis import given
from hypothesis import strategies as st

ROLES = str(Path(__file__).resolve().parents[5] / "roles")
YAML_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
PLAIN = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(),
              st.text(st.characters(max_codepoint=126))),
    lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.from_regex(r"[a-z][A-Za-z./-]{0,8}", fullmatch=True)
                                                             .filter(lambda key: key not in YAML_WORDS), inner)))


def files(the_plan, host="cp1"):
    pytest.importorskip("jinja2", reason="files are rendered on the controller")
    return {entry["path"]: entry for entry in render.render_host(the_plan, host, ROLES)}


def manifests(the_plan=None, host="cp1"):
    return {role: hostview.pod(the_plan or plan(pods()), host, role, start_script(role)) for role in _paths.ROLES}


def start_script(role):
    return Path(ROLES, role, "files/pod-run").read_text(encoding="utf-8")


def test_manifests_are_these_pods():
    yaml = pytest.importorskip("yaml", reason="hosts have none")
    found = files(plan(pods()))
    for role, pod in manifests().items():
        assert yaml.safe_load(found["/etc/kubernetes/manifests/kubeha-%s.yaml" % role]["content"]) == pod


@given(PLAIN)
def test_whatever_is_in_a_pod_it_stays_one_value(value):
    yaml = pytest.importorskip("yaml", reason="hosts have none")
    assert yaml.safe_load("\n".join(podsutil.yaml_lines(value))) == value


@pytest.mark.parametrize("role", _paths.ROLES)
def test_pods_on_the_hosts_network_that_are_never_evicted(role):
    pod = manifests()[role]
    assert (pod["apiVersion"], pod["kind"], pod["metadata"]["namespace"]) == ("v1", "Pod", "kube-system")
    spec = pod["spec"]
    assert spec["hostNetwork"] is True
    assert spec["priorityClassName"] == "system-node-critical"
    container = spec["containers"][0]
    assert container["resources"]["requests"].keys() == {"cpu", "memory"}
    assert {volume["name"] for volume in spec["volumes"]} == {mount["name"] for mount in container["volumeMounts"]}
    paths = {volume["name"]: volume["hostPath"]["path"] for volume in spec["volumes"] if "hostPath" in volume}
    for mount in container["volumeMounts"]:
        assert paths.get(mount["name"], mount["mountPath"]) == mount["mountPath"], "the same place inside"
    assert not any(volume.get("hostPath", {}).get("type", "").startswith("File") for volume in spec["volumes"])
    environment = {item["name"]: item["value"] for item in container["env"]}
    assert environment["KUBEHA_EXECUTION"] == pod["metadata"]["annotations"]["kubeha.apiserver/execution"]


def test_no_privilege_beyond_what_each_needs():
    needed = {"haproxy": None, "keepalived": ["NET_ADMIN", "NET_RAW", "SETGID", "SYS_NICE"]}
    for role, pod in manifests().items():
        rights = pod["spec"]["containers"][0]["securityContext"]
        assert rights["capabilities"]["drop"] == ["ALL"]
        assert rights["capabilities"].get("add") == needed[role]
        assert rights["readOnlyRootFilesystem"] is True
        assert rights["allowPrivilegeEscalation"] is rights["privileged"] is False
        assert rights["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostPID", "hostIPC"} & pod["spec"].keys()
    haproxy, keepalived = (manifests()[role]["spec"]["containers"][0]["securityContext"] for role in _paths.ROLES)
    assert (haproxy["runAsUser"], haproxy["runAsGroup"], haproxy["runAsNonRoot"]) == (99, 99, True)
    assert keepalived["runAsUser"] == 0, "whatever the image says"


@pytest.mark.parametrize("user, port, added", [(99, 8443, None), (0, 8443, None), (0, 443, ["NET_BIND_SERVICE"])])
def test_only_root_binds_low_ports(user, port, added):
    made = pods(endpoint(port=port))
    made["images"]["haproxy"]["user"] = user
    rights = manifests(plan(made))["haproxy"]["spec"]["containers"][0]["securityContext"]
    assert rights["capabilities"].get("add") == added
    assert rights["runAsNonRoot"] is (user != 0)
    assert "d /run/kubeha/stats 0700 %d %d -" % (user, user) in podsutil.tmpfiles(made["images"])


def test_liveness_is_haproxys_own_and_never_an_api_servers():
    probe = manifests()["haproxy"]["spec"]["containers"][0]["livenessProbe"]["httpGet"]
    assert (probe["host"], probe["port"], probe["path"]) == ("127.0.0.1", 8481, "/livez")
    assert "livenessProbe" not in manifests()["keepalived"]["spec"]["containers"][0]


def test_any_image_is_told_what_to_run():
    for role, pod in manifests().items():
        container = pod["spec"]["containers"][0]
        assert container["command"] == ["/bin/sh", "/etc/kubeha/%s/run" % role]
        assert container["imagePullPolicy"] == {"haproxy": "IfNotPresent", "keepalived": "Never"}[role]


def test_only_a_restart_changes_a_manifest():
    """The kubelet restarts a pod whose manifest changes: addresses, VIPs, timers, hosts and ports must not be in it."""
    known = manifests()
    other = pods(endpoint(families=("ipv4", "ipv6"), hosts=("cp1", "cp9"), port=9443, octet=40, advert=0.2, maxconn=99,
                          auth="hmac", interface="eth7"))
    for the_plan, host in ((plan(pods()), "cp2"), (plan(other), "cp1"), (plan(other), "cp9"),
                           (plan(pods(), pods(endpoint(name="b", port=9443))), "cp1")):
        assert manifests(the_plan, host) == known


def test_the_execution_tells_image_and_start_script():
    def executions(the_plan):
        return [pod["metadata"]["annotations"][_pod_paths.EXECUTION] for pod in manifests(the_plan).values()]

    known = executions(plan(pods()))
    other = pods()
    other["images"]["haproxy"]["image"] += "-alpine"
    assert [one != two for one, two in zip(known, executions(plan(other)))] == [True, False]
    view = hostview.pod(plan(pods()), "cp1", "keepalived", start_script("keepalived") + "# changed\n")
    assert view["metadata"]["annotations"][_pod_paths.EXECUTION] not in known


def test_haproxy_is_down_until_it_says_otherwise():
    lines = hostview.host_view(plan(pods()), "cp1")["tmpfiles"]
    assert "f /run/kubeha/haproxy/down 0644 99 99 - 1" in lines
    assert lines.index("d /run/kubeha/haproxy 0755 root root -") < lines.index(
        "f /run/kubeha/haproxy/down 0644 99 99 - 1")


def test_haproxys_user_has_no_folder_that_keepalived_or_root_writes_in():
    """Nor one that keepalived reads in: it could put a pipe in place of a file there."""
    lines = podsutil.tmpfiles(pods()["images"])
    theirs = {line.split()[1] for line in lines if line.split()[0] == "d" and " 99 " in line}
    assert theirs == {_pod_paths.STATE["stats"]} and _pod_paths.SOCKET.startswith(_pod_paths.STATE["stats"])
    volumes = manifests()["keepalived"]["spec"]["volumes"]
    mounted = [volume["hostPath"]["path"] for volume in volumes if "hostPath" in volume]
    assert mounted and not theirs.intersection(mounted)
    assert not theirs.intersection(path.rpartition("/")[0] for path in (
        *podstate.RUNNING.values(), *podstate.EXECUTION.values(), *podstate.VERSION.values()))


def test_what_keepalived_starts_with():
    text = files(plan(pods(endpoint(families=("ipv4", "ipv6")))))["/etc/kubeha/keepalived/start"]["content"]
    assert text.splitlines()[2:] == [
        "takeover 1100", "address 198.51.100.11",
        "address 2001:db8:1::11=20010db8000100000000000000000011",
        "vip 198.51.100.100/32", "vip 2001:db8:1::100/128"]


def test_what_lets_go_of_vips_may_change_the_network_and_nothing_else():
    found = files(plan(pods(manifest_dir="/srv/manifests")))
    service = found["/etc/systemd/system/kubeha-release.service"]["content"].splitlines()
    manifest = "/srv/manifests/kubeha-keepalived.yaml"
    assert "ExecStart=/bin/sh /etc/kubeha/keepalived/release %s" % manifest in service
    assert {"CapabilityBoundingSet=CAP_NET_ADMIN", "NoNewPrivileges=yes", "ProtectSystem=strict"} <= set(service)
    # Else five manifests within ten seconds would end it for good.
    assert "StartLimitIntervalSec=0" in service
    assert "PathChanged=%s" % manifest in found["/etc/systemd/system/kubeha-release.path"]["content"].splitlines()


def test_scripts_of_pods_are_for_any_shell():
    found = files(plan(pods()))
    for path, source in (("check", "kubeha-check"), ("notify", "kubeha-notify"), ("run", "pod-run")):
        first, dummy, rest = found["/etc/kubeha/keepalived/" + path]["content"].partition("\n")
        assert first == "#!/bin/sh"
        assert rest == Path(ROLES, "keepalived/files", source).read_text(encoding="utf-8").partition("\n")[2]


def test_passwords_of_registries_are_for_the_kubelet_alone():
    registry = "registry.example.org:5000"
    the_plan = plan(pods(image_auth=[registry]))
    entry = files(the_plan)["/var/lib/kubelet/config.json"]
    assert (entry["mode"], entry["secret"], entry["guarded"]) == ("0600", True, True)
    login = base64.b64encode(b"pull:hunter2").decode()
    marks = render.secret_placeholders(the_plan, "cp1", lambda: {"registries": {registry: login}})
    text = entry["content"]
    for mark, secret in marks.items():
        text = text.replace(mark, secret)
    assert json.loads(text)["auths"] == {registry: {"auth": login}}
    assert ownership.has_marker(text.encode())
    with pytest.raises(render.RenderError, match="endpoint_image_auth is missing for registry.example.org"):
        render.secret_placeholders(the_plan, "cp1", lambda: {"registries": {}})


def test_passwords_of_registries_do_not_show():
    content = json.dumps({"auths": {"r.example.org": {"auth": "c2VjcmV0", "username": "pull", "password": 'a"b'}}})
    shown = _secrets.image_auth_masked(content, "(hidden)")
    assert json.loads(shown)["auths"]["r.example.org"] == dict.fromkeys(("auth", "username", "password"), "(hidden)")
    text = podsutil.image_auth("header", {"r.example.org": "c2VjcmV0"})
    assert _secrets.image_auth_masked(text, "(hidden)") == text.replace("c2VjcmV0", "(hidden)")


def test_somebody_elses_passwords_are_not_ours():
    content = json.dumps({"auths": {"registry.example.org": {"auth": "x"}}}, indent=1).encode()
    assert not ownership.has_marker(content)
    assert ownership.classify("/var/lib/kubelet/config.json", content, {}) == ownership.FOREIGN


@pytest.mark.parametrize("timing, expected", [(1, " 0.8"), (2, " 0.8 2")])
def test_how_often_a_pod_may_hang(timing, expected):
    made = pods()
    made["checks"][0]["hangs"] = timing
    text = files(plan(made))["/etc/kubeha/keepalived/keepalived.conf"]["content"]
    assert 'script "/etc/kubeha/keepalived/check live 127.0.0.1 8481 /livez%s"\n' % expected in text
