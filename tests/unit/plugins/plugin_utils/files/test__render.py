# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.deploy import _units_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _ownership as ownership
from ansible_collections.kubeha.apiserver.plugins.module_utils.model._paths import (
    METRICS,
    METRICS_PARTS,
    PARTS,
    RECORDER,
    RECORDER_PARTS,
    WATCHDOG,
    WATCHDOG_PARTS,
)
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _host_files as hostview
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render as render
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan, pods
from hypothesis import given
from hypothesis import strategies as st

ROLES = str(Path(__file__).resolve().parents[5] / "roles")

PLANS = st.builds(
    lambda static, **named: plan(pods(endpoint(**named), image_auth=["registry.example.org"]) if static
                                 else endpoint(**named)),
    static=st.booleans(),
    families=st.sampled_from([("ipv4",), ("ipv6",), ("ipv4", "ipv6")]),
    hosts=st.sampled_from([("cp1", "cp2"), ("cp1", "cp2", "cp3"), ("cp1", "cp2", "cp3", "cp4", "cp5")]),
    failback=st.booleans(),
    transport=st.sampled_from(["unicast", "multicast"]),
    keepalived=st.sampled_from(["2.1.5", "2.2.7", "2.3.3", "2.3.4"]),
    haproxy=st.sampled_from(["2.2.9", "2.6.12", "3.0.11", "3.2.26"]),
    kind=st.sampled_from(["https", "https_strict", "tcp"]),
    advert=st.sampled_from([0.05, 0.1, 1, 40.95]),
    adverts=st.sampled_from([None, 3, 10, 100]),
    failback_delay=st.sampled_from([0, 30, 1]),
)


def content(files, path):
    return next(entry["content"] for entry in files if entry["path"] == path)


@given(PLANS)
def test_every_file_of_every_plan(given_plan):
    for host in hostview.balancers(given_plan):
        files = render.render_host(given_plan, host, ROLES)
        assert files == render.render_host(given_plan, host, ROLES)
        for entry in files:
            text = entry["content"]
            assert text.endswith("\n") and "\r" not in text and "\t" not in text
            if entry["path"] in (WATCHDOG, *PARTS):
                continue  # a program, copied as it is
            assert not re.search(r"(?<!\$)\{[%#{]|[%#}]\}|\bNone\b|\bTrue\b|\bFalse\b|undefined", text), entry["path"]
            if entry["kind"] != "plan":
                assert ownership.has_marker(text.encode()), entry["path"]
            if entry["kind"] in ("haproxy", "keepalived"):
                assert not re.search(r"[ ]+$", text, re.MULTILINE), entry["path"]


@given(PLANS)
def test_braces_of_keepalived_match(given_plan):
    text = next(entry["content"] for entry in render.render_host(given_plan, "cp1", ROLES)
                if entry["kind"] == "keepalived")
    depth = 0
    for line in text.splitlines():
        assert line.count("{") + line.count("}") <= 1
        depth += line.count("{") - line.count("}")
        assert depth >= 0
        if line.strip() and "{" not in line and not line.startswith("#"):
            indent = len(line) - len(line.lstrip())
            assert indent == 4 * depth, line
    assert depth == 0


def test_options_that_the_plan_lacks_leave_no_empty_block():
    text = content(render.render_host(plan(endpoint(transport="multicast")), "cp1", ROLES),
                   "/etc/keepalived/keepalived.conf")
    assert "unicast" not in text
    assert "authentication" not in text
    assert "{\n    }" not in text


def test_scripts_are_copied_as_they_are():
    files = render.render_host(plan(endpoint()), "cp1", ROLES)
    for path, source in {
        "/usr/libexec/kubeha/unit-hook": "haproxy/files/unit-hook",
        "/usr/libexec/keepalived/kubeha-check": "keepalived/files/kubeha-check",
        "/usr/libexec/keepalived/kubeha-notify": "keepalived/files/kubeha-notify",
    }.items():
        assert content(files, path) == (Path(ROLES) / source).read_text(encoding="utf-8")


def test_health_of_each_endpoint_is_of_its_own_backend():
    text = content(render.render_host(plan(endpoint(name="a"), endpoint(name="b", port=9443)), "cp1", ROLES),
                   "/etc/haproxy/haproxy.cfg")
    assert text.count("frontend kubeha:health") == 1
    for name in ("a", "b"):
        number = "ab".index(name) + 1
        assert "acl asked_%d path /readyz/%s\n" % (number, name) in text
        assert ("http-request return status 200 content-type text/plain string ok if asked_%d "
                "{ nbsrv(%s) ge 1 }\n" % (number, name)) in text
    assert "listen a\n" in text and "listen b\n" in text


def test_without_api_servers_haproxy_still_answers():
    lonely = endpoint()
    lonely["backends"] = []
    text = content(render.render_host(plan(lonely), "cp1", ROLES), "/etc/haproxy/haproxy.cfg")
    assert "    server " not in text.replace("    server-", "")
    assert "path /livez" in text


def test_secrets_stay_placeholders():
    text = content(render.render_host(plan(endpoint(auth="pass", advert=1)), "cp1", ROLES),
                   "/etc/keepalived/keepalived.conf")
    assert "auth_pass <<kubeha secret of kube-apiserver>>\n" in text


def test_passwords_are_asked_for_only_where_needed():
    def never():
        raise AssertionError("nobody should have asked")

    assert render.secret_placeholders(plan(endpoint()), "cp1", never) == {}
    known = {"passwords": {"kube-apiserver": ["k" * 8]}}
    marks = render.secret_placeholders(plan(endpoint(auth="pass", advert=1)), "cp1", lambda: known)
    assert marks == {"<<kubeha secret of kube-apiserver>>": "k" * 8}


def test_each_key_is_known_by_its_id():
    signed = endpoint(auth="hmac")
    signed["hmac"]["keys"] = [206, 195]
    keys = ["hex:" + 64 * digit for digit in "12"]
    marks = {"<<kubeha secret 206 of kube-apiserver>>": keys[0], "<<kubeha secret 195 of kube-apiserver>>": keys[1]}
    for password in (keys, keys[::-1], [*keys, "of no use" * 4]):
        known = {"passwords": {"kube-apiserver": password}}
        assert render.secret_placeholders(plan(signed), "cp1", lambda known=known: known) == marks
    with pytest.raises(render.RenderError, match="endpoint_auth_password is missing for kube-apiserver"):
        render.secret_placeholders(plan(signed), "cp1", lambda: {"passwords": {"kube-apiserver": keys[0]}})


@pytest.mark.parametrize("known", [{}, {"kube-apiserver": ""}, {"other": "x"}])
def test_a_missing_password_is_said(known):
    with pytest.raises(render.RenderError, match="endpoint_auth_password is missing for kube-apiserver"):
        render.secret_placeholders(plan(endpoint(auth="hmac")), "cp1", lambda: {"passwords": known})


def test_a_template_that_asks_for_too_much_is_an_error(tmp_path):
    (tmp_path / "x.j2").write_text("{{ nothing }}")
    with pytest.raises(render.RenderError, match="x.j2.*nothing"):
        render.render({}, "x.j2", str(tmp_path))
    with pytest.raises(render.RenderError, match="missing"):
        render.render({}, "missing", str(tmp_path))


def test_units_load_what_was_validated():
    files = render.render_host(plan(endpoint()), "cp1", ROLES)
    haproxy = content(files, "/etc/systemd/system/haproxy.service.d/kubeha.conf").splitlines()
    program = "/usr/sbin/haproxy -Ws -f /etc/haproxy/haproxy.cfg"
    # What a package or an admin has there goes before ours comes.
    for line in (program + " -p /run/haproxy.pid -S /run/haproxy-master.sock",):
        assert haproxy.index("ExecStart=") + 1 == haproxy.index("ExecStart=" + line)
    reload = [line[len("ExecReload="):] for line in haproxy if line.startswith("ExecReload=")]
    hook = "+/usr/libexec/kubeha/unit-hook haproxy "
    assert reload == ["", program + " -c -q", hook + "reloading", "/bin/kill -USR2 $MAINPID", hook + "reloaded"]
    keepalived = content(files, "/etc/systemd/system/keepalived.service.d/kubeha.conf").splitlines()
    assert keepalived.index("EnvironmentFile=") < keepalived.index('Environment="DAEMON_ARGS=" "KEEPALIVED_OPTIONS=-D"')


def test_the_unit_of_metrics_tells_what_it_writes():
    metrics = {"exporter": None, "textfile_dir": "/var/lib/node_exporter"}
    text = content(render.render_host(plan(endpoint(metrics=metrics)), "cp1", ROLES),
                   "/etc/systemd/system/kubeha-metrics.service")
    assert _units_io.textfile_of(text.encode()) == "/var/lib/node_exporter/kubeha.prom"


def test_haproxys_metrics_are_read_and_nothing_else():
    metrics = {"exporter": {"address": None, "port": 8405, "allow": ["198.51.100.0/28"]}, "textfile_dir": None}
    text = content(render.render_host(plan(endpoint(metrics=metrics)), "cp1", ROLES), "/etc/haproxy/haproxy.cfg")
    frontend = text.partition("frontend kubeha:metrics\n")[2].partition("\n\n")[0]
    assert [line.strip() for line in frontend.splitlines() if not line.strip().startswith("timeout")] == [
        "mode http", "no log", "bind 198.51.100.11:8405", "maxconn 10", "acl may_ask src 198.51.100.11",
        "acl may_ask src 198.51.100.0/28", "tcp-request connection reject if !may_ask",
        "http-request use-service prometheus-exporter if { method GET } { path /metrics }",
        "http-request deny deny_status 405 if { path /metrics }", "http-request deny deny_status 404"]


@pytest.mark.parametrize("program, parts", [
    (METRICS, METRICS_PARTS), (RECORDER, RECORDER_PARTS), (WATCHDOG, WATCHDOG_PARTS)])
def test_a_program_imports_what_is_there_for_it_and_leaves_nothing(tmp_path, program, parts):
    made = plan(dict(endpoint(), recorder=True, metrics={"exporter": None, "textfile_dir": "/var/lib/textfiles"}))
    folder = Path(program).parent
    for entry in render.render_host(made, "cp1", ROLES):
        if entry["path"] in (program, *parts):
            place = tmp_path / Path(entry["path"]).relative_to(folder)
            place.parent.mkdir(exist_ok=True)
            place.write_text(entry["content"])
    words = "import runpy; runpy.run_path(%r)" % str(tmp_path / Path(program).name)
    done = subprocess.run([sys.executable, "-I", "-S", "-c", words], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert not list(tmp_path.rglob("__pycache__"))
