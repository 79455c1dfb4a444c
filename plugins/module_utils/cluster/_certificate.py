# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Which names and addresses a certificate is valid for: just enough DER for that. Pure.

Python's ssl tells the names only of certificates that it has verified, and an API server's is of the cluster's own CA.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Iterator, List, Tuple

if TYPE_CHECKING:
    from ..model._model import Endpoint
    from ..model._observation import Names

_SEQUENCE, _OBJECT_ID, _OCTETS = 0x30, 0x06, 0x04
_EXTENSIONS = 0xA3  # [3] of TBSCertificate, RFC 5280 section 4.1
_SUBJECT_ALT_NAME = bytes([0x55, 0x1D, 0x11])  # 2.5.29.17
_DNS_NAME, _IP_ADDRESS = 0x82, 0x87


class CertificateError(Exception):
    """The bytes are no certificate."""


def subject_alt_names(der: bytes) -> Names:
    """{"dns": names, "ip": addresses}, both empty where the certificate names none."""
    names: Names = {"dns": [], "ip": []}
    certificate = _one(der, _SEQUENCE)
    for tag, value in _items(_one(certificate, _SEQUENCE)):
        if tag == _EXTENSIONS:
            for _tag, extension in _items(_one(value, _SEQUENCE)):
                _read_extension(extension, names)
    return names


def covers(names: Names, wanted: str) -> bool:
    """Whether a client that connects to `wanted`, a name or an address, will take the certificate."""
    try:
        address = str(ipaddress.ip_address(wanted))
    except ValueError:
        return any(_matches(pattern.lower(), wanted.rstrip(".").lower()) for pattern in names["dns"])
    return address in names["ip"]


def lacking(names: Names, endpoint: Endpoint) -> List[str]:
    """By which of its names clients of the endpoint would refuse the certificate."""
    name = endpoint["dns_name"]
    wanted = [name] if name else [vip["address"] for vip in endpoint["vips"]]
    return [item for item in wanted if not covers(names, item)]


def listed(names: Names) -> str:
    return ", ".join(names["ip"] + names["dns"]) or "no names"


def _matches(pattern: str, name: str) -> bool:
    """A wildcard stands for one whole label, the leftmost (RFC 9525 section 6.3)."""
    if pattern.startswith("*."):
        first, _dot, rest = name.partition(".")
        return bool(first) and rest == pattern[2:]
    return pattern == name


def _read_extension(extension: bytes, names: Names) -> None:
    items = list(_items(extension))
    if not items or items[0] != (_OBJECT_ID, _SUBJECT_ALT_NAME) or items[-1][0] != _OCTETS:
        return
    for tag, value in _items(_one(items[-1][1], _SEQUENCE)):
        if tag == _DNS_NAME:
            names["dns"].append(value.decode("ascii", "replace"))
        elif tag == _IP_ADDRESS and len(value) in (4, 16):
            names["ip"].append(str(ipaddress.ip_address(value)))


def _one(data: bytes, tag: int) -> bytes:
    """The content of the first item, which has to have this tag."""
    for found, value in _items(data):
        if found != tag:
            raise CertificateError("tag 0x%02x instead of 0x%02x" % (found, tag))
        return value
    raise CertificateError("an empty item instead of one with tag 0x%02x" % tag)


def _items(data: bytes) -> Iterator[Tuple[int, bytes]]:
    offset = 0
    while offset < len(data):
        if len(data) - offset < 2:
            raise CertificateError("cut off at byte %d" % offset)
        tag, length = data[offset], data[offset + 1]
        offset += 2
        if length & 0x80:
            count = length & 0x7F
            # More than four bytes would be a certificate of more than 4 GB; none is BER's "unknown".
            if not 1 <= count <= 4 or offset + count > len(data):
                raise CertificateError("a length of %d bytes at byte %d" % (count, offset))
            length = int.from_bytes(data[offset : offset + count], "big")
            offset += count
        if offset + length > len(data):
            raise CertificateError("an item of %d bytes at byte %d of %d" % (length, offset, len(data)))
        yield tag, data[offset : offset + length]
        offset += length
