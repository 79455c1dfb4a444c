# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What one host gets of a plan: the list of its files, and the values that their templates print.

Pure. It decides nothing about the cluster: every name, address, weight and timer comes from the plan; here they are
only picked for one host, given their unit, and put into the words of HAProxy, keepalived and systemd.
"""

from __future__ import annotations

import hashlib
import ipaddress
import json
import math
from typing import TYPE_CHECKING, Any, Dict, Iterable, List, Optional, Sequence, Tuple

from ...module_utils.host import _sandbox
from ...module_utils.model import _pod_paths
from ..plan._features import KEEPALIVE_TIMES, NOT_READY, THREAD_LIMIT
from . import _pod_manifests

if TYPE_CHECKING:
    from ...module_utils.model._model import Check, Endpoint, Instance, Member, Plan
from ...module_utils.model._accessors import endpoints_of, exporter_of, nearly_full, notify_of
from ...module_utils.model._paths import (
    CHECK,
    DRAINED,
    DROP_INS,
    HAPROXY_CONFIG,
    HEADER,
    HOOK,
    HOOK_TMPFILES,
    HOOK_UNITS,
    HOOK_WORDS,
    IMAGE_AUTH,
    KEEPALIVED_CONFIG,
    LAYOUTS,
    METRICS,
    METRICS_PARTS,
    METRICS_UNITS,
    MOVING,
    NOTIFY,
    PLAN_FILE,
    RECORDER,
    RECORDER_PARTS,
    RECORDER_UNIT,
    ROLES,
    RUN,
    SERVERS,
    SYSCTL_FILE,
    TMPFILES,
    UNIT_HOOK,
    WATCHDOG,
    WATCHDOG_PARTS,
    WATCHDOG_UNIT,
    Layout,
    key_path,
)

COMMON = "common"


_PROGRAM = "/usr/sbin/haproxy -Ws -f " + HAPROXY_CONFIG

# Stands for a checksum of the file that it's in.
DIGEST = "<<kubeha digest>>"


# A file descriptor each for client and server, and some for listeners, checks, logs and the master.
_FDS_PER_CONNECTION = 2
_FDS_SPARE = 1024
# Linux gives one process no more, unless fs.nr_open is raised; HAProxy wouldn't start.
_FDS_MOST = 1 << 20
_HEALTH_MAXCONN = 1000
# Out of the share of health checks: another limit on open files would be a restart.
_EXPORTER_MAXCONN = 10

# In the folder that node_exporter reads.
TEXTFILE = "kubeha.prom"
_METRICS_SECONDS = 15


def host_files(plan: Plan, host: str, roles: Sequence[str] = ROLES) -> List[Dict[str, Any]]:
    """Every file that `host` has under `plan`, in the order in which they may be put into place.

    `template` is a path below roles/: rendered where it ends in .j2, copied where it doesn't. A file without one
    carries its `content`. `kind` says how it's validated and what follows from a change. `guarded` files may already
    exist with somebody else's configuration. `interpreter`, where there is one, takes the place of the first line.
    """
    endpoints = endpoints_of(plan, host)
    if not endpoints:
        return []
    stored = {"schema": plan["schema"], "endpoints": endpoints}
    listing = _pod_files if endpoints[0]["mode"] == "static_pod" else _service_files
    # What several programs import is there once.
    beside = {entry["path"]: entry for files in (_watchdog_files, _metrics_files, _recorder_files, _hook_files)
              for entry in files(endpoints, roles)}
    return list(beside.values()) + listing(endpoints, roles) + [
        _file(COMMON, PLAN_FILE, None, "plan",
              content=json.dumps(stored, indent=1, sort_keys=True, ensure_ascii=True) + "\n")]


def host_view(plan: Plan, host: str) -> Dict[str, Any]:
    """The values that the templates of `host` print."""
    endpoints = endpoints_of(plan, host)
    mode = endpoints[0]["mode"] if endpoints else "service"
    layout = LAYOUTS[mode]
    return {
        "header": HEADER,
        "host": host,
        "hook": UNIT_HOOK,
        "pod": mode == "static_pod",
        "sysctls": _sysctls(endpoints),
        "tmpfiles": _pod_manifests.tmpfiles(endpoints[0]["images"] or {}) if mode == "static_pod" else [],
        "haproxy": _haproxy(endpoints, host, layout),
        "keepalived": _keepalived(endpoints, host, layout),
        "release": _release(endpoints) if mode == "static_pod" else {},
        "watchdog": _watchdog(endpoints, host),
        "metrics": _metrics(endpoints),
        "recorder": _recorder(endpoints),
        "user_hook": _user_hook(endpoints, layout),
    }


def pod(plan: Plan, host: str, role: str, run: str) -> Dict[str, Any]:
    """The static pod of `role` on `host`; `run` is the script that it starts with."""
    endpoints = endpoints_of(plan, host)
    images = endpoints[0]["images"] or {}
    if role == "haproxy":
        return _pod_manifests.haproxy(images["haproxy"], endpoints, run)
    return _pod_manifests.keepalived(images["keepalived"], run)


def placeholder(endpoint_name: str) -> str:
    """Stands for an endpoint's VRRP password in a rendered file; no name that a plan allows contains these signs."""
    return "<<kubeha secret of %s>>" % endpoint_name


def key_placeholder(endpoint_name: str, key_id: int) -> str:
    """Stands for a key of hmac."""
    return "<<kubeha secret %d of %s>>" % (key_id, endpoint_name)


def image_placeholder(registry: str) -> str:
    """Stands for a registry's user and password in a rendered file."""
    return "<<kubeha secret of registry %s>>" % registry


def balancers(plan: Plan) -> List[str]:
    """All hosts that get files, in the plan's order."""
    return list(dict.fromkeys(member["host"] for endpoint in plan["endpoints"]
                              for instance in endpoint["instances"] for member in instance["members"]))


def secret_endpoints(plan: Plan, host: str) -> Dict[str, List[int]]:
    """Endpoints whose password is in this host's files, with the IDs of their keys; the IDs are none with pass."""
    return {endpoint["name"]: endpoint["hmac"]["keys"] if "hmac" in endpoint else []
            for endpoint in endpoints_of(plan, host) if endpoint["auth"] != "none"}


def secret_registries(plan: Plan, host: str) -> List[str]:
    """Registries whose user and password are in this host's files."""
    return list(dict.fromkeys(registry for endpoint in endpoints_of(plan, host)
                              for registry in endpoint["image_auth"]))


def _service_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    files = [_file(COMMON, UNIT_HOOK, "haproxy/files/unit-hook", "script", mode="0755")]
    if "haproxy" in roles:
        files += _sysctl_files(endpoints) + [
            _file("haproxy", DROP_INS["haproxy"], "haproxy/templates/haproxy.service.conf.j2", "unit"),
            _file("haproxy", HAPROXY_CONFIG, "haproxy/templates/haproxy.cfg.j2", "haproxy", guarded=True),
        ]
    if "keepalived" in roles:
        secret = _has_secret(endpoints)
        files += [
            _file("keepalived", CHECK, "keepalived/files/kubeha-check", "script", mode="0755"),
            _file("keepalived", NOTIFY, "keepalived/files/kubeha-notify", "script", mode="0755"),
            _file("keepalived", DROP_INS["keepalived"], "keepalived/templates/keepalived.service.conf.j2", "unit"),
            *_key_files(endpoints, KEEPALIVED_CONFIG),
            _file("keepalived", KEEPALIVED_CONFIG, "keepalived/templates/keepalived.conf.j2", "keepalived",
                  mode="0600" if secret else "0640", guarded=True, secret=secret),
        ]
    return files


def _pod_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    """The manifests come last: what they mount is there before the kubelet starts the pod."""
    files = [_file(COMMON, TMPFILES, "haproxy/templates/tmpfiles.conf.j2", "tmpfiles")]
    registries = list(dict.fromkeys(name for endpoint in endpoints for name in endpoint["image_auth"]))
    if registries:
        files.append(
            _file(
                COMMON,
                IMAGE_AUTH,
                None,
                "image-auth",
                mode="0600",
                guarded=True,
                secret=True,
                content=_pod_manifests.image_auth(HEADER, {name: image_placeholder(name) for name in registries}),
            )
        )
    if "haproxy" in roles:
        files += _sysctl_files(endpoints) + [
            _file("haproxy", _pod_paths.RUN["haproxy"], "haproxy/files/pod-run", "pod-script", mode="0755"),
            _file("haproxy", _pod_paths.CONFIG["haproxy"], "haproxy/templates/haproxy.cfg.j2", "haproxy"),
        ]
    if "keepalived" in roles:
        files += [
            _file("keepalived", _pod_paths.RUN["keepalived"], "keepalived/files/pod-run", "pod-script", mode="0755"),
            _file("keepalived", _pod_paths.START, "keepalived/templates/start.j2", "pod-start"),
            _file(
                "keepalived",
                _pod_paths.CHECK,
                "keepalived/files/kubeha-check",
                "pod-script",
                mode="0755",
                interpreter="/bin/sh",
            ),
            _file(
                "keepalived",
                _pod_paths.NOTIFY,
                "keepalived/files/kubeha-notify",
                "pod-script",
                mode="0755",
                interpreter="/bin/sh",
            ),
            *_key_files(endpoints, _pod_paths.CONFIG["keepalived"]),
            _file(
                "keepalived",
                _pod_paths.CONFIG["keepalived"],
                "keepalived/templates/keepalived.conf.j2",
                "keepalived",
                mode="0600",
                secret=_has_secret(endpoints),
            ),
            _file("keepalived", _pod_paths.RELEASE, "keepalived/files/release", "pod-script", mode="0755"),
        ]
        files += [_file("keepalived", path, "keepalived/templates/%s.j2" % path.rpartition("kubeha-")[2],
                        "release-unit") for path in _pod_paths.RELEASE_UNITS]
    return files + [
        _file(role, _pod_paths.manifest_path(endpoints[0]["manifest_dir"] or "", role), "haproxy/templates/pod.yaml.j2",
              "manifest", mode="0600")
        for role in ROLES if role in roles]


def _watchdog_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    return _program_files("watchdog", WATCHDOG_PARTS, WATCHDOG, [WATCHDOG_UNIT]) if (
        "keepalived" in roles and _is_watched(endpoints)) else []


def _metrics_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    return _program_files("metrics", METRICS_PARTS, METRICS, METRICS_UNITS) if (
        "keepalived" in roles and _textfile_dir(endpoints)) else []


def _recorder_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    return _program_files("recorder", RECORDER_PARTS, RECORDER, [RECORDER_UNIT]) if (
        "keepalived" in roles and _records(endpoints)) else []


def _program_files(name: str, parts: Sequence[str], program: str, units: Sequence[str]) -> List[Dict[str, Any]]:
    """A program of the host itself, in both modes: what it imports, it, and its units."""
    return [
        *(_file("keepalived", path, "keepalived/files/parts.d/" + path.rpartition("/")[2], "program")
          for path in parts),
        _file("keepalived", program, "keepalived/files/kubeha-" + name, "program"),
        *(_file("keepalived", path, "keepalived/templates/%s.j2" % path.rpartition("kubeha-")[2], name + "-unit")
          for path in units),
    ]


def _hook_files(endpoints: Sequence[Endpoint], roles: Sequence[str]) -> List[Dict[str, Any]]:
    """Of the host itself, in both modes."""
    if "keepalived" not in roles or not notify_of(endpoints):
        return []
    return [
        _file("keepalived", HOOK, "keepalived/files/kubeha-hook", "hook-script"),
        _file("keepalived", HOOK_TMPFILES, "keepalived/templates/hook.conf.j2", "tmpfiles"),
    ] + [_file("keepalived", path, "keepalived/templates/%s.j2" % path.rpartition("kubeha-")[2], "hook-unit")
         for path in HOOK_UNITS]


def _sysctl_files(endpoints: Sequence[Endpoint]) -> List[Dict[str, Any]]:
    return [_file("haproxy", SYSCTL_FILE, "haproxy/templates/sysctl.conf.j2", "sysctl")] if _sysctls(endpoints) else []


def _key_files(endpoints: Iterable[Endpoint], config: str) -> List[Dict[str, Any]]:
    """Keys of hmac, before the configuration that names them. keepalived complains of a key that others may read."""
    return [
        _file("keepalived", key_path(config, endpoint["name"], key), None, "hmac-key", mode="0400", secret=True,
              content=key_placeholder(endpoint["name"], key) + "\n")
        for endpoint in endpoints if "hmac" in endpoint for key in endpoint["hmac"]["keys"]]


def _has_secret(endpoints: Iterable[Endpoint]) -> bool:
    """In keepalived.conf itself."""
    return any(endpoint["auth"] == "pass" for endpoint in endpoints)


def _file(role: str, path: str, template: Optional[str], kind: str, **more: Any) -> Dict[str, Any]:
    entry: Dict[str, Any] = {
        "role": role, "path": path, "template": template, "kind": kind, "owner": "root", "group": "root",
        "mode": "0644", "secret": False, "guarded": False,
    }
    entry.update(more)
    return entry


def _sysctls(endpoints: Iterable[Endpoint]) -> List[str]:
    families = {bind["family"] for endpoint in endpoints if endpoint["haproxy"]["nonlocal_bind"]
                for bind in endpoint["haproxy"]["binds"]}
    return ["net.%s.ip_nonlocal_bind = 1" % family for family in ("ipv4", "ipv6") if family in families]


# HAProxy

def _haproxy(endpoints: Sequence[Endpoint], host: str, layout: Layout) -> Dict[str, Any]:
    # Each endpoint has its own share, so none can starve another, or the health checks.
    connections = sum(endpoint["haproxy"]["maxconn"] for endpoint in endpoints) + _HEALTH_MAXCONN
    connections = min(connections, (_FDS_MOST - _FDS_SPARE) // _FDS_PER_CONNECTION)
    nofile = _FDS_PER_CONNECTION * connections + _FDS_SPARE
    execution = [
        # Exactly what has been validated, without the folders and options that packages and admins add.
        "ExecStart=",
        "ExecStart=%s -p /run/haproxy.pid -S /run/haproxy-master.sock" % _PROGRAM,
        "LimitNOFILE=%d" % nofile,
        "OOMScoreAdjust=-500",
    ] + _sandbox.haproxy(bind["port"] for endpoint in endpoints for bind in endpoint["haproxy"]["binds"])
    limited = all(THREAD_LIMIT.known_to(endpoint["versions"]["haproxy"]) for endpoint in endpoints)
    return {
        "socket": layout.socket,
        "log_format": layout.log_format,
        "threads": layout.haproxy_threads if limited else None,
        "digest": DIGEST,
        "servers": SERVERS,
        "connections": connections,
        "hard_stop_after": max([endpoint["haproxy"]["hard_stop_after"] for endpoint in endpoints], default=60),
        "endpoints": [_balancer(number, endpoint, layout) for number, endpoint in enumerate(endpoints, 1)],
        "health": _health(endpoints),
        "health_maxconn": _HEALTH_MAXCONN,
        "exporters": _exporters(endpoints, host),
        "program": _PROGRAM,
        "execution": execution,
        "execution_id": _digest(execution),
    }


def _balancer(number: int, endpoint: Endpoint, layout: Layout) -> Dict[str, Any]:
    """What the plan says of an endpoint, and what its HAProxy knows."""
    version, maxconn = endpoint["versions"]["haproxy"], endpoint["haproxy"]["maxconn"]
    return {
        **endpoint["haproxy"],
        "number": number,
        "name": endpoint["name"],
        "backends": endpoint["backends"],
        "nearly_full": nearly_full(maxconn),
        "times_keepalive": KEEPALIVE_TIMES.known_to(version),
        "keeps_not_ready": NOT_READY.known_to(version),
        "logs": _logs(endpoint, layout),
    }


def _logs(endpoint: Endpoint, layout: Layout) -> List[str]:
    """What differs from all connections in HAProxy's own output.

    A connection's line is of level info. What becomes of servers is above that, and stays where it was, whole.
    """
    log = endpoint["haproxy"].get("log")
    if log is None:
        return []
    connections, target = log["connections"], log["target"]
    own = "log stdout format " + layout.log_format
    apart = ["no log", own + " daemon notice"]
    there = "log %s format rfc5424" % target if target else own
    if connections == "none":
        return apart
    if connections.startswith("1/"):
        return [*apart, "%s sample 1:%s daemon" % (there, connections[len("1/"):])]
    wanted = ["option dontlog-normal"] if connections == "errors" else []
    return [*apart, there + " daemon", *wanted] if target else wanted


def _health(endpoints: Sequence[Endpoint]) -> List[Dict[str, Any]]:
    """The local addresses that answer health checks, normally one for all endpoints, and of which endpoints each."""
    listeners: Dict[Tuple[str, int], Dict[str, Any]] = {}
    for number, endpoint in enumerate(endpoints):
        health = endpoint["haproxy"]["health"]
        address, port = health["address"], health["port"]
        listener = listeners.setdefault(
            (address, port), {"address": address, "port": port, "live_path": health["live_path"], "endpoints": []})
        listener["endpoints"].append(number)
    return list(listeners.values())


def _exporters(endpoints: Sequence[Endpoint], host: str) -> List[Dict[str, Any]]:
    """Where HAProxy shows its metrics: nowhere, or at one place for all endpoints."""
    exporter = next(filter(None, map(exporter_of, endpoints)), None)
    if exporter is None:
        return []
    address = exporter["address"]
    addresses = [address] if address else _host_addresses(endpoints, host)
    local = ["::1" if ":" in address else "127.0.0.0/8"] if address else addresses
    return [{"addresses": addresses, "port": exporter["port"], "maxconn": _EXPORTER_MAXCONN,
             "allow": [*local, *exporter["allow"]]}]


# keepalived

# Weight 0: anything but 0 in it is FAULT.
_HAPROXY_DOWN = {"name": "kubeha_haproxy_down", "path": RUN + "/haproxy/down", "weight": 0}
# A host that is to be left alone ranks below all others whatever else counts: it hands over before it lets go, and
# holds the VIP only where nobody else can.
_LEAVING = [{"name": "kubeha_drained", "path": DRAINED, "weight": -253},
            {"name": "kubeha_moving", "path": MOVING, "weight": -253}]


def _keepalived(endpoints: Sequence[Endpoint], host: str, layout: Layout) -> Dict[str, Any]:
    execution = [
        # No configuration but the one that has been validated: -f among a package's or an admin's options counts more.
        "EnvironmentFile=",
        'Environment="DAEMON_ARGS=" "KEEPALIVED_OPTIONS=-D"',
        # The process that speaks VRRP reports its state too, not only the one that watches it.
        "NotifyAccess=all",
        "OOMScoreAdjust=-500",
    ] + _sandbox.keepalived()
    restart_ms = max([_takeover_ms(instance) for endpoint in endpoints for instance in endpoint["instances"]],
                     default=1000)
    # Each is run once a second: endpoints that ask the same of this host's HAProxy share one.
    scripts: Dict[str, Dict[str, Any]] = {}
    bundles = [_bundle(endpoint, host, scripts, layout) for endpoint in endpoints]
    return {
        "script_user": layout.script_user,
        "notify": layout.notify,
        "scripts": list(scripts.values()),
        "files": [_HAPROXY_DOWN] + _LEAVING + [entry for bundle in bundles for entry in bundle["files"]],
        "groups": [group for bundle in bundles for group in bundle["groups"]],
        "instances": [instance for bundle in bundles for instance in bundle["instances"]],
        # Written by the script user, and made by root before keepalived starts.
        "state_files": ["since"] + [name for bundle in bundles for name in bundle["state_files"]],
        "addresses": _source_addresses(endpoints, host),
        "restart_ms": restart_ms,
        "execution": execution,
        "execution_id": _digest(execution),
    }


def _release(endpoints: Sequence[Endpoint]) -> Dict[str, Any]:
    """What takes VIPs away that a killed pod has left, and is never started again."""
    return {
        "script": _pod_paths.RELEASE,
        "manifest": _pod_paths.manifest_path(endpoints[0]["manifest_dir"] or "", "keepalived"),
        "vips": _vips(endpoints),
        "sandbox": _sandbox.helper(["CAP_NET_ADMIN"], ["AF_NETLINK", "AF_UNIX"]),
    }


def _watchdog(endpoints: Sequence[Endpoint], host: str) -> Dict[str, Any]:
    """What takes VIPs away where keepalived hangs or is gone: later than another host has taken over, so that nobody is
    without them, and later than a keepalived that is well waits for its next check."""
    takeover_ms = max([0, *(_takeover_ms(instance) for endpoint in endpoints for instance in endpoint["instances"])])
    check_ms = max([0, *(check["interval"] for endpoint in endpoints for check in endpoint["checks"])]) * 1000
    return {
        "program": WATCHDOG,
        "seconds": "%.1f" % (max(takeover_ms + 300, check_ms + 500) / 1000),
        "vips": _vips(endpoints),
        "routers": [] if any("hmac" in endpoint for endpoint in endpoints) else _routers(endpoints, host),
        # It asks systemd and the network, and changes addresses by ip.
        "sandbox": _sandbox.helper(["CAP_NET_ADMIN", "CAP_NET_RAW", "CAP_KILL"],
                                   ["AF_NETLINK", "AF_UNIX", "AF_PACKET", "AF_INET6"]),
    } if _is_watched(endpoints) else {}


def _is_watched(endpoints: Iterable[Endpoint]) -> bool:
    return any(endpoint.get("watchdog") for endpoint in endpoints)


def _routers(endpoints: Iterable[Endpoint], host: str) -> List[str]:
    """Instance, interface, virtual router ID, the priority of this host as the holder, and the others' addresses. Not
    with hmac: who has no key could send what the watchdog hears and keepalived doesn't believe."""
    return [",".join([instance["name"], member["interface"], str(instance["virtual_router_id"]),
                      str(member["priority"] + endpoint["holder_bonus"]), *member["peers"]])
            for endpoint in endpoints for instance in endpoint["instances"] for member in instance["members"]
            if member["host"] == host and member["peers"]]


def _vips(endpoints: Iterable[Endpoint]) -> List[str]:
    """As keepalived adds them."""
    return list(dict.fromkeys(_host_address(vip["address"]) for endpoint in endpoints
                              for instance in endpoint["instances"] for vip in instance["vips"]))


def _metrics(endpoints: Sequence[Endpoint]) -> Dict[str, Any]:
    """What writes a text file for node_exporter."""
    folder = _textfile_dir(endpoints)
    return {
        "program": METRICS,
        "textfile": "%s/%s" % (folder, TEXTFILE),
        "seconds": _METRICS_SECONDS,
        "sandbox": _sandbox.helper([], ["AF_UNIX"], [folder]),
    } if folder else {}


def _recorder(endpoints: Sequence[Endpoint]) -> Dict[str, Any]:
    """What keeps what has happened here. HAProxy's socket in a pod is another user's."""
    pods = any(endpoint["mode"] == "static_pod" for endpoint in endpoints)
    capabilities = ["CAP_NET_RAW", *(["CAP_DAC_OVERRIDE"] if pods else [])]
    return {
        "program": RECORDER,
        "sandbox": _sandbox.helper(capabilities, ["AF_NETLINK", "AF_PACKET", "AF_UNIX"]),
    } if _records(endpoints) else {}


def _records(endpoints: Iterable[Endpoint]) -> bool:
    return any(endpoint.get("recorder") for endpoint in endpoints)


def _user_hook(endpoints: Sequence[Endpoint], layout: Layout) -> Dict[str, Any]:
    """What runs a user's script when a state changes."""
    notify = notify_of(endpoints)
    return {
        "program": HOOK,
        "words": HOOK_WORDS,
        "owner": layout.script_user,
        "script": notify["script"],
        "user": ["User=" + notify["user"]] if notify["user"] else ["DynamicUser=yes"],
        "sandbox": _sandbox.helper([], ["AF_UNIX", "AF_INET", "AF_INET6"]),
    } if notify else {}


def _textfile_dir(endpoints: Sequence[Endpoint]) -> Optional[str]:
    return next((endpoint["metrics"]["textfile_dir"] for endpoint in endpoints if "metrics" in endpoint), None)


def _source_addresses(endpoints: Iterable[Endpoint], host: str) -> List[str]:
    """What keepalived sends from, which has to be there before it starts."""
    return [_kernel_address(address) for address in _host_addresses(endpoints, host)]


def _host_addresses(endpoints: Iterable[Endpoint], host: str) -> List[str]:
    """A host's own, which VRRP is sent from."""
    return list(dict.fromkeys(
        member["address"] for endpoint in endpoints for instance in endpoint["instances"]
        for member in instance["members"] if member["host"] == host))


def _takeover_ms(instance: Instance) -> int:
    """How long the other members wait for this one's adverts before one of them takes over, at most.

    A killed keepalived leaves the VIP in place, and removes it when it starts again: earlier than this would be an
    outage.
    """
    interval = instance["advert_interval"] * 1000
    adverts = instance["down_timer_adverts"] or 3
    skew = interval if instance["vrrp_version"] == 3 else 1000
    return int(math.ceil(interval * adverts + skew))


def _bundle(endpoint: Endpoint, host: str, known: Dict[str, Dict[str, Any]],
            layout: Layout) -> Dict[str, Any]:
    """The instances of one endpoint, which fail over together, and what they track.

    `known` has the scripts of all endpoints so far, by what they do.
    """
    group = endpoint["sync_group"]
    mine = [(instance, _member(instance, host)) for instance in endpoint["instances"]]
    instances = [(instance, member) for instance, member in mine if member]
    holder = group or instances[0][0]["name"]
    scripts = [_script(endpoint, check, holder, layout.check) for check in endpoint["checks"]]
    files: List[Dict[str, Any]] = []
    if endpoint["settle_weight"]:
        scripts.append({
            "name": "%s-settled" % endpoint["name"],
            "command": "%s settled %d %s" % (layout.check, math.ceil(endpoint["failback_delay"]), holder),
            "weight": endpoint["settle_weight"],
            # It reads two files and asks nobody: if it takes long the host is starved, which is no reason to lose rank.
            "interval": 1, "timeout": 10, "fall": 1, "rise": 1,
        })
    if endpoint["holder_bonus"]:
        files.append({"name": "%s-holder" % endpoint["name"], "path": "%s/keepalived/holder-%s" % (RUN, holder),
                      "weight": endpoint["holder_bonus"]})
    scripts = [known.setdefault(str([script[key] for key in script if key != "name"]), script) for script in scripts]
    tracked = {"scripts": scripts, "files": [_HAPROXY_DOWN] + _LEAVING + files}
    names = [instance["name"] for instance, dummy in instances]
    # keepalived ignores weights that the members of a sync group track by themselves; the group's own count for all.
    return {
        "files": files,
        "state_files": ["%s-%s" % (kind, name) for kind in ("holder", "order")
                        for name in names + ([group] if group else [])] + ["ready-%s" % holder],
        "groups": [{"name": group, "members": names, "tracked": tracked}] if group else [],
        "instances": [_instance(endpoint, instance, member, None if group else tracked, layout)
                      for instance, member in instances],
    }


def _script(endpoint: Endpoint, check: Check, holder: str, program: str) -> Dict[str, Any]:
    health = endpoint["haproxy"]["health"]
    mode, path = ("live", health["live_path"]) if check["kind"] == "local" else ("ready", health["ready_path"])
    # The script gives up a little before keepalived kills it: then it can say what it saw.
    limit = plain_number(round(check["timeout"] * 0.8, 3))
    command = "%s %s %s %d %s %s" % (program, mode, health["address"], health["port"], path, limit)
    if mode == "ready":
        command += " %d %s" % (_patience(endpoint, check), holder)
    elif check.get("hangs", 1) > 1:
        command += " %d" % check["hangs"]
    # Where one failure is enough, the script itself counts what hangs. On a starved host it may not even have begun
    # within its time; keepalived ending it then would be FAULT at once, of several hosts at the same time.
    timing = check.copy()
    if check["fall"] == 1:
        timing["timeout"] *= check.get("hangs", 1) + 1
    return {
        "name": check["name"],
        "command": command,
        "weight": check["weight"],
        "interval": timing["interval"], "timeout": timing["timeout"], "fall": timing["fall"], "rise": timing["rise"],
    }


def _patience(endpoint: Endpoint, check: Check) -> int:
    """Seconds by which hosts may differ in when they notice that all API servers are gone, or back.

    The holder says that they're gone this much later than the others, and the others say so much later that they're
    back: so the VIP stays where it is.
    """
    takeover = max(_takeover_ms(instance) for instance in endpoint["instances"]) / 1000
    return int(math.ceil(takeover + check["interval"] + endpoint["haproxy"]["inter_ms"] / 1000))


def _hmac(endpoint: Endpoint, layout: Layout) -> Dict[str, Any]:
    if "hmac" not in endpoint:
        return {}
    config, name = layout.config["keepalived"], endpoint["name"]
    return {**endpoint["hmac"],
            "files": [{"id": key, "path": key_path(config, name, key)} for key in endpoint["hmac"]["keys"]]}


def _instance(endpoint: Endpoint, instance: Instance, member: Member,
              tracked: Optional[Dict[str, Any]], layout: Layout) -> Dict[str, Any]:
    """What the plan says of an instance and of this member of it, and what its keepalived knows."""
    return {
        **instance,
        **member,
        "auth": endpoint["auth"],
        "secret": placeholder(endpoint["name"]),
        "hmac": _hmac(endpoint, layout),
        # Without a peer keepalived takes no word of unicast.
        "transport": endpoint["transport"] if member["peers"] else "multicast",
        "addresses": [_host_address(vip["address"]) for vip in instance["vips"]],
        "tracked": tracked,
    }


def _member(instance: Instance, host: str) -> Optional[Member]:
    return next((member for member in instance["members"] if member["host"] == host), None)


def _host_address(address: str) -> str:
    """A VIP is added as a single address, whatever its subnet: so it never becomes the source of the host's own
    connections, and never takes the subnet's route with it. (keepalived marks an IPv6 /128 as deprecated itself.)"""
    return address + ("/128" if ":" in address else "/32")


# Words and units

def bracketed(address: str) -> str:
    """As HAProxy writes an address beside a port."""
    return "[%s]" % address if ":" in address else address


def plain_number(value: float) -> str:
    """Without an exponent, and without zeros at its end."""
    return ("%f" % value).rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def _kernel_address(address: str) -> str:
    """With the spelling of /proc/net/if_inet6, which a shell can't work out."""
    if ":" not in address:
        return address
    return "%s=%s" % (address, ipaddress.IPv6Address(address).exploded.replace(":", ""))


def _digest(lines: Sequence[str]) -> str:
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:16]
