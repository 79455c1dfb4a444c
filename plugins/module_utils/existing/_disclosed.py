# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""What of somebody else's files leaves their host. Pure.

Nobody knows all places in which people write passwords. So a word leaves only as an argument of a directive that is
known to have no secrets, and only if it's a plain word. Of all else the directive's name remains. Lines keep their
numbers, comments stay at home, and variables are filled in before.
"""

from __future__ import annotations

import json
import re
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence

KEEPALIVED, HAPROXY, MANIFEST, NGINX = "keepalived", "haproxy", "manifest", "nginx"
HIDDEN = "..."

_PLAIN = re.compile(r"[A-Za-z0-9_.:/*@%+,\[\]-]{1,128}")
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
# Directives of keepalived.conf whose arguments are no secrets, and blocks of names or addresses.
_KEEPALIVED = frozenset({
    "vrrp_instance", "vrrp_script", "vrrp_sync_group", "group", "global_defs", "vrrp_version", "router_id", "state",
    "interface", "virtual_router_id", "priority", "advert_int", "nopreempt", "preempt", "preempt_delay",
    "authentication", "auth_type", "virtual_ipaddress", "virtual_ipaddress_excluded", "track_script",
    "track_interface", "track_process", "track_file", "vrrp_track_file", "unicast_peer", "unicast_src_ip",
    "version", "use_vmac", "native_ipv6", "mcast_src_ip", "dont_track_primary", "interval", "timeout", "weight",
    "fall", "rise", "virtual_server", "virtual_server_group", "real_server", "lb_algo", "lvs_sched", "lb_kind",
    "lvs_method", "protocol", "delay_loop", "persistence_timeout", "include", "includer", "includem", "includew",
    "includeb"})
_LISTS = frozenset({
    "virtual_ipaddress", "virtual_ipaddress_excluded", "track_script", "track_interface", "unicast_peer", "group"})
_SECRET = re.compile(r"pass|secret|token|key", re.IGNORECASE)
_HAPROXY = frozenset({
    "global", "defaults", "listen", "frontend", "backend", "bind", "mode", "balance", "server", "default-server",
    "timeout", "maxconn", "retries", "default_backend", "use_backend", "option", "http-check", "tcp-check",
    "monitor-uri", "daemon", "nbthread", "stats"})
# After these words of a line of HAProxy's there may be anything.
_UNTIL = frozenset({"hdr", "body", "string", "rstring", "binary", "rbinary", "send", "send-binary", "auth", "user",
                    "password", "header"})
_HTTP_CHECK_SEND = ("http-check", "send")
# Keys of pods, and variables of their environments, whose values are no secrets.
_KEYS = frozenset({
    "apiVersion", "kind", "metadata", "name", "namespace", "spec", "containers", "image", "env", "volumes",
    "hostPath", "path", "mountPath", "volumeMounts", "hostNetwork", "value"})
_VARIABLES = frozenset({
    "KEEPALIVED_VIRTUAL_IPS", "KEEPALIVED_UNICAST_PEERS", "KEEPALIVED_PRIORITY", "KEEPALIVED_INTERFACE",
    "KEEPALIVED_ROUTER_ID", "KEEPALIVED_STATE", "address", "vip_address", "port", "vip_interface", "interface",
    "vip_arp", "vip_leasename", "vip_leaseduration", "vip_renewdeadline", "vip_retryperiod", "vip_cidr",
    "vip_subnet", "cp_enable", "cp_namespace", "svc_enable", "bgp_enable", "lb_enable", "lb_port",
    "vip_leaderelection"})
_PAIR = re.compile(r"""(\s*(?:-\s+)*)["']?([A-Za-z_]\w*)["']?\s*:(?:\s+(.*?))?\s*""")
_FLOW = re.compile(r"""(\s*-\s+)\{\s*["']?name["']?\s*:\s*["']?([\w.-]+)["']?\s*(?:,\s*(.*))?\}\s*""")
_FLOW_PAIR = re.compile(r"""["']?([A-Za-z]\w*)["']?\s*:\s*("[^"]*"|'[^']*'|\{[^{}]*\}|[^,{}]*)""")
# A text that the lines below hold, which are indented more.
_BLOCK = re.compile(r"[:-]\s+[|>][-+0-9]*\s*(?:#.*)?$")
PATH = re.compile(r"\bpath[\"']?\s*:\s*[\"']?(/[\w./-]*)")
_DEFINITION = re.compile(r"\$(\w+)\s*=\s*(.*)")
_USE = re.compile(r"\$\{(\w+)\}|\$(\w+)")
_NGINX = re.compile(r"\s*(?:listen|server)\s+[0-9A-Za-z.:\[\]-]+")


def disclosed(text: str, role: str, defined: Optional[Dict[str, str]] = None) -> str:
    """A file's text as it may leave the host. `defined` collects keepalived's variables over its files."""
    lines = _joined(text) if role == KEEPALIVED else text.splitlines()
    if role == KEEPALIVED:
        found: Iterator[str] = _keepalived(lines, {} if defined is None else defined)
    elif role == HAPROXY:
        found = map(_haproxy, lines)
    elif role == MANIFEST:
        found = _json(text) if text.lstrip()[:1] == "{" else _manifest(lines)
    elif role == NGINX:
        found = (match.group() if match else "" for match in map(_NGINX.match, lines))
    else:
        found = iter(())
    return "".join(line + "\n" for line in found)


def words(line: str, comments: str, escapes: bool, apart: str = "") -> List[str]:
    """The words of a line up to its comment; quotes hold a word together. Characters of `apart` are words themselves.

    It forgives: a quote that nothing closes ends with the line.
    """
    found: List[str] = []
    word: Optional[str] = None
    quote = ""
    rest = iter(line)
    for character in rest:
        if quote:
            if character == quote:
                quote = ""
            else:
                word = (word or "") + (next(rest, "") if escapes and character == "\\" and quote == '"' else character)
        elif character in "\"'":
            quote, word = character, word or ""
        elif character in comments:
            break
        elif escapes and character == "\\":
            word = (word or "") + next(rest, "")
        elif character.isspace() or character in apart:
            if word is not None:
                found.append(word)
                word = None
            if character in apart:
                found.append(character)
        else:
            word = (word or "") + character
    return found if word is None else [*found, word]


def _plain(found: Sequence[str]) -> str:
    """Plain words, and one sign for each row of others."""
    kept: List[str] = []
    for word in found:
        if _PLAIN.fullmatch(word) or word in "{}":
            kept.append(word)
        elif kept[-1:] != [HIDDEN]:
            kept.append(HIDDEN)
    return " ".join(kept)


def _only_name(found: Sequence[str]) -> str:
    return " ".join([found[0] if _NAME.fullmatch(found[0]) else HIDDEN, *([HIDDEN] if len(found) > 1 else [])])


# keepalived


def _joined(text: str) -> List[str]:
    """Lines; where one goes on in the next one, that one is empty."""
    found: List[str] = []
    goes_on = False
    for line in text.splitlines():
        if goes_on:
            start = next(index for index in range(len(found) - 1, -1, -1) if found[index])
            found[start] += " " + line.rstrip("\\")
            found.append("")
        else:
            found.append(line[:-1] + " " if line.endswith("\\") else line)
        goes_on = line.endswith("\\") and bool(found[-1] or goes_on)
    return found


def _keepalived(lines: Sequence[str], defined: Dict[str, str]) -> Iterator[str]:
    blocks: List[str] = []
    last = ""
    for line in lines:
        stripped = line.strip()
        if stripped.startswith(("@", "~")):
            yield "%s%s" % (stripped[0], HIDDEN)
            continue
        line = _USE.sub(lambda match: defined.get(match[1] or match[2], match[0]), line) if defined else line
        definition = _DEFINITION.fullmatch(stripped)
        if definition:
            defined[definition[1]] = " ".join(words(line.partition("=")[2], "#!", False))
            yield ""
            continue
        parts: List[str] = []
        statement: List[str] = []
        for word in [*words(line, "#!", False, apart="{}"), ""]:
            if word not in ("{", "}", ""):
                statement.append(word)
                continue
            if statement:
                last = statement[0]
                parts.append(_statement(statement, blocks, word == "{"))
                statement = []
            if word == "{":
                blocks.append(last)
            elif word == "}" and blocks:
                blocks.pop()
            parts += [word] if word else []
        yield " ".join(parts)


def _statement(found: Sequence[str], blocks: Sequence[str], opens: bool) -> str:
    above = blocks[-1] if blocks else ""
    if found[0] in _KEEPALIVED or above in _LISTS:
        # The kind of authentication is called PASS.
        secret = next(
            (index for index, word in enumerate(found) if _SECRET.search(word) and word != "PASS"), len(found))
        return _plain([*found[:secret], *([" "] if secret < len(found) else [])])
    # A word alone may be a secret where names aren't known.
    alone = len(found) == 1 and not opens and (not above or above == "authentication")
    return HIDDEN if alone or (above and above not in _KEEPALIVED) else _only_name(found)


# HAProxy


def _haproxy(line: str) -> str:
    found = words(line, "#", True)
    if not found:
        return ""
    if found[0].startswith("."):
        return ".%s" % HIDDEN
    if found[0] not in _HAPROXY:
        return _only_name(found)
    if found[:2] == ["option", "httpchk"]:
        # What follows HTTP's version may be headers.
        found = found[:4]
    shown = 2 if tuple(found[:2]) == _HTTP_CHECK_SEND else 1
    secret = next((index for index in range(shown, len(found)) if found[index] in _UNTIL), len(found))
    return _plain([*found[:secret], *([" "] if secret < len(found) else [])])


# Pods


def _manifest(lines: Sequence[str]) -> Iterator[str]:
    """By lines, because hosts have no reader of YAML: what has another shape stays at home."""
    name = ""
    within = -1
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= within:
            within = -1
        if within >= 0:
            yield ""
            continue
        flow, pair = _FLOW.fullmatch(line), _PAIR.fullmatch(line)
        if _BLOCK.search(line):
            within = len(pair[1]) if pair else indent
        if pair and "-" in pair[1]:
            name = ""
        if flow:
            yield "%s{name: %s%s}" % (flow[1], flow[2], "".join(_flow_pairs(flow[2], flow[3] or "")))
        elif pair and pair[2] in _KEYS:
            value = (pair[3] or "").strip()
            plain = value.strip("\"'")
            name = plain if pair[2] == "name" else name
            secret = pair[2] == "value" and name not in _VARIABLES
            kept = not value or (not secret and (_PLAIN.fullmatch(plain) or (
                pair[2] == "value" and name.startswith("KEEPALIVED_") and within < 0)))
            path = PATH.search(value) if pair[2] == "hostPath" else None
            if path:
                yield "%shostPath: {path: %s}" % (pair[1], json.dumps(path[1]))
                continue
            yield "%s%s:%s" % (pair[1], pair[2], " " + (value if kept else '"%s"' % HIDDEN) if value else "")
        elif line.strip() == "---":
            yield line
        else:
            # A list's item, or a key whose value may be anything: its place stays.
            yield "%s%s: \"%s\"" % (pair[1], pair[2], HIDDEN) if pair and pair[3] else (
                "%s%s:" % (pair[1], pair[2]) if pair else re.sub(r"(\s*-\s+).*", r'\1"%s"' % HIDDEN, line)
                if re.match(r"\s*-\s+", line) else "")


def _flow_pairs(name: str, text: str) -> Iterator[str]:
    for key, value in _FLOW_PAIR.findall(text):
        value = value.strip()
        if key == "hostPath":
            path = PATH.search(value)
            yield ", hostPath: {path: %s}" % json.dumps(path[1] if path else "")
        elif key in ("mountPath", "path") or (key == "value" and name in _VARIABLES):
            yield ", %s: %s" % (key, json.dumps(value.strip("\"'")))


def _json(text: str) -> Iterator[str]:
    """A pod in JSON, whose lines are lost."""
    try:
        yield json.dumps(_json_kept(json.loads(text), ""))
    except (ValueError, RecursionError):
        yield "{"


def _json_kept(value: Any, key: str) -> Any:
    if isinstance(value, Mapping):
        return {name: _json_kept(item, "" if name == "value" and value.get("name") not in _VARIABLES else name)
                for name, item in value.items()}
    if isinstance(value, list):
        return [_json_kept(item, "") if isinstance(item, (Mapping, list)) else HIDDEN for item in value]
    return value if key in _KEYS or isinstance(value, bool) else HIDDEN
