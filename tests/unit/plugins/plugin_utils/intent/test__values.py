# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Values as YAML gives them: each is what the user meant, or a problem that says so."""

from __future__ import annotations

import datetime
import typing as t

import pytest
import yaml
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _values as values
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent._errors import Problems, Where
from hypothesis import given
from hypothesis import strategies as st


def read(reader: values.Reader[t.Any], value: t.Any) -> t.Any:
    """What a reader makes of a value; the code of the problem where it's refused."""
    findings = Problems()
    found = reader(Where(findings, "variable"), value)
    assert (found is None) == bool(findings.problems)
    return findings.problems[0].code if findings.problems else found


PORT = values.integer(1, 65535)
SECONDS = values.seconds(0.01, 40.95, 0.01)
AUTH = values.choice("none", "pass", "hmac")
NAMES = values.listing(values.name, "names")


@pytest.mark.parametrize(("written", "reader", "expected"), [
    # What YAML 1.1 makes of it can't be known from the result; where it's still a number, that number is used.
    ("8443", PORT, 8443), ("'8443'", PORT, 8443), ("' 8443 '", PORT, 8443), ("8_443", PORT, 8443),
    ("010", PORT, 8), ("'010'", PORT, "value_type"), ("22:22", PORT, 1342), ("0x50", PORT, 80),
    ("8443.0", PORT, "value_type"), ("8e3", PORT, "value_type"), ("on", PORT, "value_type"), ("~", PORT, "value_type"),
    ("0", PORT, "number_range"), ("-1", PORT, "number_range"), ("'-1'", PORT, "number_range"),
    ("65536", PORT, "number_range"), ("99999999999999999999", PORT, "number_range"), ("[8443]", PORT, "value_type"),
    ("'٣'", PORT, "value_type"), ("'1_0'", PORT, "value_type"), ("''", PORT, "value_type"),
    ("0.1", SECONDS, 0.1), ("1", SECONDS, 1), ("1.0", SECONDS, 1), ("'0.25'", SECONDS, 0.25), ("40.95", SECONDS, 40.95),
    ("0.005", SECONDS, "number_range"), ("41", SECONDS, "number_range"), (".inf", SECONDS, "number_range"),
    (".nan", SECONDS, "number_range"), ("100ms", SECONDS, "value_type"), ("'1e-1'", SECONDS, "value_type"),
    ("yes", SECONDS, "value_type"), ("1:30", SECONDS, "number_range"),
    ("yes", values.boolean, True), ("'yes'", values.boolean, True), ("'True'", values.boolean, True),
    ("' off '", values.boolean, False), ("'n'", values.boolean, False), ("1", values.boolean, True),
    ("0", values.boolean, False), ("'0'", values.boolean, False), ("2", values.boolean, "value_type"),
    ("1.0", values.boolean, "value_type"), ("[]", values.boolean, "value_type"), ("~", values.boolean, "value_type"),
    ("none", AUTH, "none"), ("' pass '", AUTH, "pass"), ("off", AUTH, "value_type"), ("~", AUTH, "value_type"),
    ("hmca", AUTH, "choice_unknown"), ("''", AUTH, "value_empty"),
    ("kube-apiserver", values.name, "kube-apiserver"), ("' a '", values.name, "a"), ("a.b_c-9", values.name, "a.b_c-9"),
    ("1234", values.name, "value_type"), ("2026-11-22", values.name, "value_type"),
    ("-a", values.name, "value_characters"),
    (".", values.name, "value_characters"), ("a/b", values.name, "value_characters"),
    ("é", values.name, "value_characters"),
    ("a b", values.name, "value_characters"), ('"a\\nb"', values.name, "value_characters"),
    ("|\n  a\n", values.name, "a"),
    ("eth0", values.interface, "eth0"), ("bond0.100", values.interface, "bond0.100"),
    ("br-lan", values.interface, "br-lan"),
    ("eth0@if5", values.interface, "interface_name_invalid"), ("0", values.interface, "value_type"),
    ("-eth0", values.interface, "interface_name_invalid"), ("/dev", values.interface, "interface_name_invalid"),
    ("eth 0", values.interface, "interface_name_invalid"),
    ("abcdefghijklmnop", values.interface, "interface_name_invalid"),
    ("198.51.100.10", values.address, "198.51.100.10"), ("' 198.51.100.10/24 '", values.address, "198.51.100.10/24"),
    ("2001:DB8:0:0::1", values.address, "2001:db8::1"), ("2001:db8::1/64", values.address, "2001:db8::1/64"),
    ("10.1", values.address, "value_type"), ("10", values.address, "value_type"),
    ("52:54:00", values.address, "value_type"),
    ("true", values.address, "value_type"), ("'10.1'", values.address, "address_invalid"),
    ("010.0.0.1", values.address, "address_invalid"), ("0x7f.1", values.address, "address_invalid"),
    ("'::ffff:10.0.0.1'", values.address, "address_invalid"), ("'::10.0.0.1'", values.address, "address_invalid"),
    ("10.0.0.1/", values.address, "address_invalid"), ("10.0.0.1/-1", values.address, "address_invalid"),
    ("10.0.0.1/24/24", values.address, "address_invalid"), ("10.0.0.1 /24", values.address, "address_invalid"),
    ("10.0.0.1:8443", values.address, "address_invalid"), ("10.0.0.1,10.0.0.2", values.address, "address_invalid"),
    ("10.96.0.0/12", values.subnet, "10.96.0.0/12"), ("fd00::/108", values.subnet, "fd00::/108"),
    ("10.96.0.1/12", values.subnet, "network_invalid"), ("10.96.0.0", values.subnet, "network_invalid"),
    ("api.example.org", values.dns_name, "api.example.org"), ("API", values.dns_name, "api"),
    ("api.example.org.", values.dns_name, "dns_name_invalid"), ("a..b", values.dns_name, "dns_name_invalid"),
    ("10.0.0.1", values.dns_name, "dns_name_invalid"), ("'-a.org'", values.dns_name, "dns_name_invalid"),
    ("/readyz?exclude=etcd&verbose", values.http_path, "/readyz?exclude=etcd&verbose"),
    ("/a b", values.http_path, "path_invalid"), ("'/#'", values.http_path, "path_invalid"),
    ("/../x", values.http_path, "path_invalid"), ("/%0a", values.http_path, "path_invalid"),
    ("/etc/kubernetes/manifests/", values.file_path, "/etc/kubernetes/manifests"),
    ("etc", values.textfile_dir, "path_invalid"), ("etc", values.script, "path_invalid"),
    ("root", values.user, "notify_user_root"), ("etc", values.file_path, "path_invalid"),
    ("/etc//x", values.file_path, "path_invalid"),
    ("docker.io/library/haproxy:3.0.11", values.haproxy_image, "docker.io/library/haproxy:3.0.11"),
    ("haproxy", values.haproxy_image, "haproxy"),
    ("localhost:5000/x/y_z:1", values.keepalived_image, "localhost:5000/x/y_z:1"),
    ("haproxy@sha256:12", values.haproxy_image, "image_invalid"),
    ("'keepalived:'", values.keepalived_image, "image_invalid"),
    ("3.0", values.haproxy_image, "value_type"),
    ("00001234", values.password, "auth_password_invalid"), ("'00001234'", values.password, "00001234"),
    ("'a b'", values.password, "auth_password_invalid"), ("' a'", values.password, "auth_password_invalid"),
    ("a", NAMES, ["a"]), ("[a, b]", NAMES, ["a", "b"]), ("a, b", NAMES, ["a", "b"]), ("[]", NAMES, "value_empty"),
    ("[a, 1]", NAMES, "value_type"), ("{a: b}", NAMES, "value_type"), ("5", NAMES, "value_type"),
    ("'a,,b'", NAMES, "value_empty"),
])
def test_what_yaml_gives(written: str, reader: values.Reader[t.Any], expected: t.Any) -> None:
    found = read(reader, yaml.safe_load(written))
    assert (str(found) if reader in (values.address, values.subnet) else found) == expected
    assert not isinstance(found, bool) or reader is values.boolean


def test_an_empty_list_may_be_meant() -> None:
    reader = values.listing(values.subnet, "networks", empty=True)
    assert read(reader, []) == [] and read(reader, " ") == [] and read(reader, ()) == []


def test_every_item_of_a_list_is_judged_at_its_place() -> None:
    findings = Problems()
    assert NAMES(Where(findings, "variable"), ["a", "b c", 3, "d"]) is None
    assert [problem.where for problem in findings.problems] == ["variable[1]", "variable[2]"]


@pytest.mark.parametrize(("value", "shown"), [
    (None, "nothing"), (True, "the boolean true"), (668, "the number 668"), (10 ** 20, "the number of many digits"),
    (10.1, "the number 10.1"), ("a\n", "the text a\\n"), ([], "a list"), ({}, "a mapping"),
    (datetime.date(2026, 11, 22), "a date"), (b"", "something of type bytes"), ({1}, "something of type set"),
])
def test_what_yaml_read_is_said_in_words(value: t.Any, shown: str) -> None:
    assert values.describe(value) == shown
    assert "668" not in values.describe(value, secret=True)


DANGEROUS = [
    "a\nb", "a#b", "a!b", "a{b", "a}b", "a'b", 'a"b', "a\\b", "a$b", "a@b", "a~b", "a;b", "a`b", "a|b", "a<b", "a>b",
    "a(b", "a b", "a\tb", "a\0b", "a%b", "a*b", "a\x85b", "a\u2028b", "a\u202eb", "\ud800"]


@pytest.mark.parametrize("text", DANGEROUS)
@pytest.mark.parametrize("reader", [values.name, values.interface, values.dns_name, values.finding])
def test_what_means_something_to_a_configuration_file_is_refused(reader: values.Reader[str], text: str) -> None:
    assert str(read(reader, text)).endswith(("value_characters", "_invalid"))
    assert str(read(values.http_path, "/" + text)).endswith(("value_characters", "_invalid"))
    assert str(read(values.file_path, "/" + text)).endswith(("value_characters", "_invalid"))
    assert str(read(values.haproxy_image, text)).endswith(("value_characters", "_invalid"))
    assert read(values.password, text) == "auth_password_invalid"


@given(st.integers(1, 65535))
def test_numbers_are_read_from_texts(number: int) -> None:
    assert read(PORT, number) == read(PORT, str(number)) == number


@given(st.integers(1, 4095))
def test_steps_are_exact(hundredths: int) -> None:
    number = hundredths / 100
    assert read(SECONDS, number) == read(SECONDS, "%.2f" % number) == number
    assert read(SECONDS, number + 0.004) == "number_range"
