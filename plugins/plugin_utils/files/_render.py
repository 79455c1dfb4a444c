# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Every file of a host as text, from the plan and the templates in roles/ alone; and pages for people.

Plain Jinja2 and not Ansible's: no variable, fact or lookup of the user's is in reach of a template, so two
controllers render the same plan to the same bytes.
"""

from __future__ import annotations

import hashlib
import os
from functools import cache
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Mapping, Sequence, Tuple

from ...module_utils.model import _paths, _pod_paths
from ..plan import _hmac
from . import _host_files, _pod_manifests

if TYPE_CHECKING:
    from ...module_utils.model._model import Plan

try:
    import jinja2
except ImportError:  # a host's Python, in tests of what runs there
    pass


class RenderError(Exception):
    """A template asks for something that the view doesn't have, or can't be read."""


def render_host(plan: Plan, host: str, templates_dir: str,
                roles: Sequence[str] = _paths.ROLES) -> List[Dict[str, Any]]:
    """The entries of `host_files`, each with its `content`; secrets are placeholders in it.

    `templates_dir` is the collection's roles folder.
    """
    files = _host_files.host_files(plan, host, roles)
    view = _host_files.host_view(plan, host)
    for entry in files:
        if entry["kind"] == "manifest":
            run = next(other["content"] for other in files
                       if other["path"] == _pod_paths.RUN[entry["role"]])
            view["pod"] = _pod_manifests.yaml_lines(_host_files.pod(plan, host, entry["role"], run))
        if entry["template"] is not None:
            text = render(view, entry["template"], templates_dir)
            entry["content"] = text.replace(_host_files.DIGEST, hashlib.sha256(text.encode()).hexdigest()[:16])
        if "interpreter" in entry:
            entry["content"] = "#!%s\n%s" % (entry.pop("interpreter"), entry["content"].partition("\n")[2])
    return files


def render(view: Mapping[str, Any], template: str, templates_dir: str) -> str:
    """One template as text; a file that isn't a template is copied as it is."""
    try:
        if not template.endswith(".j2"):
            with open(os.path.join(templates_dir, template), encoding="utf-8") as stream:
                return stream.read()
        return str(_environment(templates_dir).get_template(template).render(view))
    except (OSError, jinja2.TemplateError) as error:
        raise RenderError("%s: %s" % (template, error)) from error


def page(view: Mapping[str, Any], templates_dir: str) -> str:
    """The page of status. Names of hosts and what daemons said come from elsewhere: each text is escaped."""
    return _page("status.html.j2", view, templates_dir)


def history_page(view: Mapping[str, Any], templates_dir: str) -> str:
    """The page of history, likewise."""
    return _page("history.html.j2", view, templates_dir)


def drill_page(view: Mapping[str, Any], templates_dir: str) -> str:
    """The page of a drill, likewise."""
    return _page("drill.html.j2", view, templates_dir)


def _page(name: str, view: Mapping[str, Any], templates_dir: str) -> str:
    return str(_pages(os.path.join(templates_dir, "endpoint", "templates")).get_template(name).render(view))


def _printable(value: Any) -> Any:
    """What can't be in HTML, such as control characters, has a sign there."""
    if not isinstance(value, str) or hasattr(value, "__html__"):
        return value
    return "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in value)


def secret_placeholders(plan: Plan, host: str,
                        secrets: Callable[[], Mapping[str, Mapping[str, Any]]]) -> Dict[str, str]:
    """{placeholder: secret} for every secret in this host's files; `secrets` is asked only where there is one.

    It gives `passwords` by endpoint, of which hmac may have several, and `registries`, which are users and passwords as
    the kubelet wants them.
    """
    if not _host_files.secret_endpoints(plan, host) and not _host_files.secret_registries(plan, host):
        return {}
    marks, lacking = known_placeholders(plan, host, secrets())
    for variable, names in lacking.items():
        raise RenderError("%s is missing for %s" % (variable, ", ".join(names)))
    return marks


def known_placeholders(plan: Plan, host: str, known: Mapping[str, Mapping[str, Any]]
                       ) -> Tuple[Dict[str, str], Dict[str, List[str]]]:
    """The same as far as secrets are known, and what isn't: endpoints or registries by the variable that has them."""
    marks: Dict[str, str] = {}
    lacking: Dict[str, List[str]] = {}
    for name, keys in _host_files.secret_endpoints(plan, host).items():
        given = (known.get("passwords") or {}).get(name) or []
        passwords: List[str] = [given] if isinstance(given, str) else list(given)
        found = {_host_files.key_placeholder(name, _hmac.key_id(key)): key for key in passwords} if keys else {
            _host_files.placeholder(name): key for key in passwords[:1]}
        wanted = [_host_files.key_placeholder(name, key) for key in keys] or [_host_files.placeholder(name)]
        marks.update((mark, found[mark]) for mark in wanted if mark in found)
        if not found.keys() >= set(wanted):
            lacking.setdefault("endpoint_auth_password", []).append(name)
    logins = known.get("registries") or {}
    for name in _host_files.secret_registries(plan, host):
        if logins.get(name):
            marks[_host_files.image_placeholder(name)] = logins[name]
        else:
            lacking.setdefault("endpoint_image_auth", []).append(name)
    return marks, lacking


# Compiled templates are worth keeping: a render of a fleet asks for the same few thousands of times.
@cache
def _environment(templates_dir: str) -> jinja2.Environment:
    return _jinja(
        templates_dir, {"bracketed": _host_files.bracketed, "number": _host_files.plain_number},
        autoescape=False,  # nosec: configuration files, not HTML
        keep_trailing_newline=True)


@cache
def _pages(templates_dir: str) -> jinja2.Environment:
    filters: Dict[str, Callable[..., str]] = {
        "cut": lambda text, most: text if len(text) <= most else text[:most - 1] + "\u2026",
        "short": lambda number: "%g" % number,
    }
    return _jinja(templates_dir, filters, autoescape=True, finalize=_printable)


def _jinja(templates_dir: str, filters: Mapping[str, Callable[..., str]], **options: Any) -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates_dir), undefined=jinja2.StrictUndefined, trim_blocks=True,
        lstrip_blocks=True, **options)
    environment.filters.update(filters)
    return environment
