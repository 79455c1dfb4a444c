# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _page
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.judge import _status as verdict
from ansible_collections.kubeha.apiserver.tests.unit import configs, observing
from ansible_collections.kubeha.apiserver.tests.unit.plans import endpoint, plan
from hypothesis import given
from hypothesis import strategies as st

VOID = {"meta", "br", "hr", "img", "input", "link"}
VIP = "198.51.100.100"


def status_page(*arguments):
    return _render.page(_page.view(*arguments), configs.ROLES)


class Page(HTMLParser):
    """Elements and texts, with every element closed in its turn."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.elements, self.texts, self.open = [], [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        assert len(dict(attrs)) == len(attrs), "an attribute twice"
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def all(self, tag, **wanted):
        return [attrs for name, attrs in self.elements if name == tag and wanted.items() <= attrs.items()]


def observe(the_plan, holds=(), down=(), **more):
    info = observing.observe(the_plan, "cp1" if holds else "cp2")
    for backend in info["haproxy"]["backends"][the_plan["endpoints"][0]["name"]]:
        backend.update({"status": "DOWN", "check_status": "L4CON"} if backend["name"] in down else {})
    return {**info, "holds": list(holds), **more}


def page_of(the_plan, observations, scope=None):
    return Page(status_page(the_plan, verdict.judge(the_plan, observations, scope), "2026-11-22 12:00:00 UTC"))


@pytest.fixture
def healthy():
    the_plan = plan(endpoint())
    return the_plan, {host: observe(the_plan, [VIP] if host == "cp1" else []) for host in ("cp1", "cp2", "cp3")}


def test_a_healthy_endpoint(healthy):
    page = page_of(*healthy)
    assert page.open == []
    assert "All as planned" in page.texts
    assert len(page.all("svg", **{"class": "drawing"})) == 1
    boxes = [attrs["class"] for attrs in page.all("g") if attrs.get("class", "").startswith("box ")]
    assert boxes == ["box ok strong", "box ok strong", "box ok", "box ok"] + ["box ok"] * 3
    lines = [attrs["class"] for attrs in page.all("path") if attrs.get("class", "").startswith("line ")]
    legend = 4
    assert lines.count("line holds ok") == 2 and lines.count("line backup") == 3
    assert lines.count("line serves ok active") == 4 and len(lines) == 3 + 9 + legend


def test_what_is_wrong_shows(healthy):
    the_plan, hosts = healthy
    hosts["cp2"] = observe(the_plan, [VIP], down=["cp3"])
    del hosts["cp3"]
    page = page_of(the_plan, hosts, verdict.Scope(unreachable={"cp3": "no route"}))
    assert {"two_holders", "host_unreachable"} <= set(page.texts)
    classes = [attrs.get("class", "") for _tag, attrs in page.elements]
    assert classes.count("line holds bad") == 2
    assert "line serves bad" in classes
    assert [name for name in classes if name.startswith("box bad")] == ["box bad strong", "box bad"]
    assert any("down for 1 of 2" in text for text in page.texts)


def test_it_loads_nothing_and_runs_nothing(healthy):
    text = status_page(healthy[0], verdict.judge(*healthy))
    page = Page(text)
    assert "default-src 'none'" in page.all("meta", **{"http-equiv": "Content-Security-Policy"})[0]["content"]
    assert not {tag for tag, _attrs in page.elements} & {
        "script",
        "link",
        "img",
        "iframe",
        "object",
        "embed",
        "foreignobject",
    }
    assert not [key for _tag, attrs in page.elements for key in attrs if key.startswith("on") or key in ("href", "src")]
    assert "http" not in re.sub(r"HTTP|http-equiv", "", text) and "url(" not in text and "@import" not in text


def test_who_does_not_see_is_told_the_same(healthy):
    page = page_of(*healthy)
    assert page.all("html", lang="en")
    drawing = page.all("svg", **{"class": "drawing"})[0]
    assert drawing["role"] == "img"
    ids = {attrs["id"] for _tag, attrs in page.elements if "id" in attrs}
    assert set(drawing["aria-labelledby"].split()) <= ids
    assert any("%s is held by cp1." % VIP in text for text in page.texts)
    assert all(attrs.get("aria-label") for attrs in page.all("svg") if attrs.get("class", "").startswith("sign"))
    assert len(page.all("th", scope="row")) == 6 and page.all("caption")
    labelled = [attrs["aria-labelledby"] for attrs in page.all("section")]
    assert set(labelled) <= ids and len(ids) == len([1 for _tag, attrs in page.elements if "id" in attrs])


@given(
    st.text(min_size=1, max_size=40)
    | st.sampled_from(
        [
            "<script>alert(1)</script>",
            '"><svg onload=alert(1)>',
            "'&amp;",
            "]]>",
            "--><b>",
            "%(style)s",
            "\u202ecp1",
            "a\0b",
        ]
    )
)
def test_hostile_names_stay_text(name):
    the_plan = plan(endpoint())
    item = the_plan["endpoints"][0]
    item["name"] = name
    item["control_plane_endpoint"] = name
    item["backends"][0]["name"] = name
    for instance in item["instances"]:
        instance["members"][0]["host"] = name
    hosts = {name: observe(the_plan, [VIP]), "cp2": observe(the_plan, down=[name])}
    page = page_of(the_plan, hosts, verdict.Scope(unreachable={"cp3": name}))
    assert page.open == []
    calm = page_of(plan(endpoint()), {})
    assert {tag for tag, _attrs in page.elements} - {tag for tag, _attrs in calm.elements} <= {
        "p", "ul", "li", "div", "span", "code", "b", "h3", "table", "td", "svg", "g", "circle", "path"}  # fmt: skip
    assert not [key for _tag, attrs in page.elements for key in attrs if key.startswith("on")]
    shown = "".join(char if char.isprintable() or char == "\n" else "\ufffd" for char in name)
    assert any(shown in text for text in page.texts)


def test_a_dual_stack_fleet():
    first = endpoint(families=("ipv4", "ipv6"))
    second = endpoint("other", vrid=7, vips={"ipv4": ("198.51.100.101", 24)}, hosts=("lb1", "lb2"))
    page = page_of(plan(first, second), {})
    assert len(page.all("svg", **{"class": "drawing"})) == 2
    assert sum("2001:db8:1::100" in text for text in page.texts) >= 2
