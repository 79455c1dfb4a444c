# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import base64

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.cluster._certificate import (
    CertificateError,
    covers,
    subject_alt_names,
)
from hypothesis import given
from hypothesis import strategies as st

# openssl req -x509 -addext subjectAltName=DNS:kubernetes,DNS:*.k8s.example.com,IP:10.96.0.1,IP:2001:db8::1
WITH_NAMES = base64.b64decode(
    "MIIBzTCCAXOgAwIBAgIUfeVFBEIKVA62lxQeQamncbucrSEwCgYIKoZIzj0EAwIwGTEXMBUGA1UEAwwOa3ViZS1hcGlzZXJ2ZXIw"
    "IBcNMjYxMTIyMjIzNTU5WhgPMjEyNjEwMjkyMjM1NTlaMBkxFzAVBgNVBAMMDmt1YmUtYXBpc2VydmVyMFkwEwYHKoZIzj0CAQYI"
    "KoZIzj0DAQcDQgAER0xKl/MeawM4qQy2W9bN7d8sAHU7TPJanMrRzVYqhGoFuDZNE+7r5+2FaTkyU6sLq05GkZBpDwuk+Cliwtam"
    "AKOBljCBkzAdBgNVHQ4EFgQUbuNl96uMCFTnSwARCgELDzXpzBQwHwYDVR0jBBgwFoAUbuNl96uMCFTnSwARCgELDzXpzBQwDwYD"
    "VR0TAQH/BAUwAwEB/zBABgNVHREEOTA3ggprdWJlcm5ldGVzghEqLms4cy5leGFtcGxlLmNvbYcECmAAAYcQIAENuAAAAAAAAAAA"
    "AAAAATAKBggqhkjOPQQDAgNIADBFAiEAsaFwz5QXRP78N9Z3SRNC3fmMTi5zdrV9YJePrEO6cRwCIAZnZwhbOeA1MUhQ/mryI4a6"
    "+HG054r1QapLjBtTUodI"
)
# openssl req -x509 -subj /CN=x
WITHOUT_NAMES = base64.b64decode(
    "MIIBbjCCARWgAwIBAgIUSlV4LZKFBhfxQSOHp9MTQCJhsS4wCgYIKoZIzj0EAwIwDDEKMAgGA1UEAwwBeDAgFw0yNjExMjIyMjM1"
    "NTlaGA8yMTI2MTAyOTIyMzU1OVowDDEKMAgGA1UEAwwBeDBZMBMGByqGSM49AgEGCCqGSM49AwEHA0IABCENB6A0lnag9Ba4LQB7"
    "cZGo0qVRwkwnGaIEnZUEBjtVOeCphkmg0KqjA+GfwZQ0GBj/O2H26B+pqknBOWr6UgajUzBRMB0GA1UdDgQWBBTbQyJOZRBBAw8e"
    "plb7BICFvGhZgTAfBgNVHSMEGDAWgBTbQyJOZRBBAw8eplb7BICFvGhZgTAPBgNVHRMBAf8EBTADAQH/MAoGCCqGSM49BAMCA0cA"
    "MEQCIF7ak0lF5Bty7LQAeaXuiikF/mqGDQzFHuvR0Z2AqVl5AiBWxHSRXVGuYTEFfcBePmy3GDoUR57iknPjZrbXOrY9pg=="
)


def test_names_and_addresses():
    assert subject_alt_names(WITH_NAMES) == {
        "dns": ["kubernetes", "*.k8s.example.com"],
        "ip": ["10.96.0.1", "2001:db8::1"],
    }


def test_no_names():
    assert subject_alt_names(WITHOUT_NAMES) == {"dns": [], "ip": []}


@pytest.mark.parametrize(
    "wanted, covered",
    [
        ("10.96.0.1", True),
        ("10.96.0.2", False),
        ("2001:0db8:0::1", True),
        ("kubernetes", True),
        ("Kubernetes.", True),
        ("kubernetes.default", False),
        ("api.k8s.example.com", True),
        ("a.b.k8s.example.com", False),
        ("k8s.example.com", False),
    ],
)
def test_who_takes_it(wanted, covered):
    assert covers(subject_alt_names(WITH_NAMES), wanted) is covered


@pytest.mark.parametrize(
    "data", [b"", b"\x30", b"\x30\x05\x00", b"\x31\x00", b"\x30\x80\x00\x00", b"\x30\x84\xff\xff\xff\xff"]
)
def test_what_is_no_certificate(data):
    with pytest.raises(CertificateError):
        subject_alt_names(data)


@given(st.integers(0, len(WITH_NAMES) - 1), st.binary(min_size=1, max_size=4))
def test_mutations_end_in_names_or_in_our_error(where, replacement):
    data = WITH_NAMES[:where] + replacement + WITH_NAMES[where + len(replacement) :]
    for broken in (data, data[:where]):
        try:
            found = subject_alt_names(broken)
        except CertificateError:
            continue
        assert set(found) == {"dns", "ip"}
