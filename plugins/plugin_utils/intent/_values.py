# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Values as users write them become values as meant, or problems.

Every reader takes the place ``at`` and the value as YAML gave it, and returns a plain value, or None after it has
recorded why not. ``yes`` in an inventory and ``-e endpoint_failback=yes`` on the command line mean the same, so
numbers and booleans are understood as text, too. A number is never taken for a text: YAML reads ``00001234`` as 668
and ``52:54:00`` as 190440, and what was written can't be known any more.

What is read here ends up in configuration files. So texts aren't escaped but restricted to characters that mean
nothing to any of keepalived, HAProxy, systemd, YAML and a shell.
"""

from __future__ import annotations

import base64
import datetime
import difflib
import re
import typing as t
from collections.abc import Callable, Collection, Iterable, Mapping

from ...module_utils.model._secrets import HIDDEN
from ...module_utils.model._shapes import printable
from ._addresses import FAMILIES, Located, Malformed, Subnet, parse_located, parse_subnet
from ._errors import Where, show
from ._spelling import alias

T = t.TypeVar("T")
Reader = Callable[[Where, t.Any], t.Optional[T]]

_QUOTE = " in quotes, without which YAML reads 00001234 as 668, 52:54:00 as 190440 and on as true"
_TRUE = frozenset({"true", "yes", "on", "y", "1"})
_FALSE = frozenset({"false", "no", "off", "n", "0"})
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,9})")
_DECIMAL = re.compile(r"(?:0|[1-9][0-9]{0,9})(?:\.[0-9]{1,6})?")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_INTERFACE = re.compile(r"[A-Za-z0-9_.][A-Za-z0-9_.-]{0,14}")
_DNS_LABEL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?")
_HTTP_PATH = re.compile(r"/[A-Za-z0-9_./?=&,:+-]{0,254}")
_FILE_PATH = re.compile(r"(?:/[A-Za-z0-9_.-]+)+/?")
_IMAGE = re.compile(
    r"(?:[A-Za-z0-9.-]+(?::[0-9]{1,5})?/)?"           # registry
    r"[a-z0-9]+(?:[._-]+[a-z0-9]+)*(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*"
    r"(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?"
    r"(?:@sha256:[0-9a-f]{64})?")
_REGISTRY = re.compile(r"[A-Za-z0-9][A-Za-z0-9.-]{0,252}(?::[0-9]{1,5})?(?:/[a-z0-9]+(?:[._-]+[a-z0-9]+)*)*")
_FINDING = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_PASSWORD = re.compile(r"(?:hex:)?[A-Za-z0-9_.+/=-]{1,128}")
_PACKAGE = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+:~_=/*-]*")
_USER = re.compile(r"[a-z_][a-z0-9_-]*")
_MAX_NAME = 63       # a name becomes part of file names, of instance names and, later, of a pod's name
_MAX_HOST_NAME = 253


def text(at: Where, value: t.Any, expected: str) -> str | None:
    """A text on one line. Blanks around it are dropped: nobody means them."""
    if not isinstance(value, str):
        at.problem("value_type", value, expected=expected, found=describe(value),
                   more=_QUOTE if isinstance(value, (bool, int, float)) else "")
        return None
    stripped = str.__str__(value).strip()
    if not stripped:
        at.problem("value_empty", value, expected=expected, rest="the variable out where it has a default")
        return None
    if not stripped.isprintable():
        at.problem("value_characters", value, expected=expected + " on one line",
                   allowed="printable characters")
        return None
    return stripped


def integer(low: int, high: int) -> Reader[int]:
    """A reader of whole numbers from ``low`` to ``high``, also written as text."""
    expected = "a whole number from {0} to {1}".format(low, high)

    def read(at: Where, value: t.Any) -> int | None:
        number = value
        if isinstance(value, str) and _INTEGER.fullmatch(value.strip()):
            number = int(value.strip())
        if isinstance(number, bool) or not isinstance(number, int):
            at.problem("value_type", value, expected=expected, found=describe(value), more="")
            return None
        if not low <= number <= high:
            at.problem("number_range", value, expected=expected)
            return None
        return int(number)

    return read


def seconds(low: float, high: float, step: float) -> Reader[float]:
    """A reader of durations in seconds, whole multiples of ``step``."""
    expected = "seconds from {0:g} to {1:g}, in steps of {2:g}".format(low, high, step)

    def read(at: Where, value: t.Any) -> float | None:
        number = value
        if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
            number = float(value.strip())
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            at.problem("value_type", value, expected=expected, found=describe(value), more=" without a unit")
            return None
        steps = number / step if low <= number <= high else None  # NaN is neither
        if steps is None or abs(steps - round(steps)) >= 1e-6:
            at.problem("number_range", value, expected=expected)
            return None
        rounded = round(round(steps) * step, 6)
        return int(rounded) if rounded == int(rounded) else rounded

    return read


def boolean(at: Where, value: t.Any) -> bool | None:
    """True or false, also as text in the words that YAML and Ansible know."""
    if isinstance(value, bool):
        return bool(value)
    word = value.strip().lower() if isinstance(value, str) else value
    if isinstance(word, int) and word in (0, 1):
        return word == 1
    if isinstance(word, str) and word in _TRUE:
        return True
    if isinstance(word, str) and word in _FALSE:
        return False
    at.problem("value_type", value, expected="true or false", found=describe(value), more="")
    return None


def choice(*choices: str, secret: bool = False) -> Reader[str]:
    """A reader of one word out of several; what is none of them shows in the problem unless it may be ``secret``."""

    def read(at: Where, value: t.Any) -> str | None:
        word = text(at, value, "one of " + ", ".join(choices))
        if word is not None and word not in choices:
            at.problem("choice_unknown", HIDDEN if secret else value, choices=", ".join(choices),
                       fix=closest(word, choices) or choices[0])
            return None
        return word

    return read


def name(at: Where, value: t.Any) -> str | None:
    """The name of an endpoint: whitelisted, because it's written into files and is part of file names."""
    return _matching(at, value, _NAME, _MAX_NAME, "a name such as kube-apiserver",
                     "a letter or digit, then A-Z a-z 0-9 _ . -, at most {0} in all".format(_MAX_NAME))


def finding(at: Where, value: t.Any) -> str | None:
    """The code of a preflight finding."""
    return _matching(at, value, _FINDING, 64, "the code of a finding", "a-z 0-9 _ -")


def http_path(at: Where, value: t.Any) -> str | None:
    """The path of a URL, perhaps with a query."""
    return _path(at, value, _HTTP_PATH, "A-Z a-z 0-9 _ . / ? = & , : + -", "/readyz")


def file_path(at: Where, value: t.Any, example: str = "/etc/kubernetes/manifests") -> str | None:
    """An absolute path; a slash at its end is dropped."""
    path = _path(at, value, _FILE_PATH, "A-Z a-z 0-9 _ . - /", example)
    return path.rstrip("/") if path else None


def package(at: Where, value: t.Any) -> str | None:
    """The name of a package, perhaps with a version, as package managers take it."""
    return _matching(at, value, _PACKAGE, 128, "a package's name",
                     "a letter or digit, then A-Z a-z 0-9 . + : ~ _ = / * -, at most 128 in all")


def textfile_dir(at: Where, value: t.Any) -> str | None:
    return file_path(at, value, "/var/lib/node_exporter")


def script(at: Where, value: t.Any) -> str | None:
    return file_path(at, value, "/usr/local/libexec/vip-moved")


def user(at: Where, value: t.Any) -> str | None:
    """The name of a user that may not do everything."""
    found = _matching(at, value, _USER, 32, "a user's name", "a letter or _, then a-z 0-9 _ -")
    if found == "root":
        at.problem("notify_user_root", value)
        return None
    return found


def haproxy_image(at: Where, value: t.Any) -> str | None:
    return _image(at, value, "docker.io/library/haproxy:3.0.11")


def keepalived_image(at: Where, value: t.Any) -> str | None:
    return _image(at, value, "registry.example.org/keepalived:2.3.3")


def _image(at: Where, value: t.Any, example: str) -> str | None:
    """An image reference (the grammar of the distribution project, digests sha256 only)."""
    reference = text(at, value, "an image reference")
    if reference is not None and (len(reference) > 512 or not _IMAGE.fullmatch(reference)):
        at.problem("image_invalid", value, example=example)
        return None
    return reference


def registry(at: Where, value: t.Any) -> str | None:
    """A registry, perhaps with a folder in it."""
    given = text(at, value, "a registry")
    if given is not None and (len(given) > 300 or not _REGISTRY.fullmatch(given)):
        at.problem("registry_invalid", value)
        return None
    return given


def login(at: Where, value: t.Any) -> str | None:
    """User and password of a registry, as one text in base64, as the kubelet has them. Neither shows in a problem."""
    words = [value.get("username"), value.get("password")] if isinstance(value, Mapping) and len(value) == 2 else []
    texts = [str.__str__(word) for word in words if isinstance(word, str) and word and word.isprintable()]
    if len(texts) != 2 or ":" in texts[0]:
        at.problem("image_auth_invalid", HIDDEN)
        return None
    return base64.b64encode(":".join(texts).encode()).decode()


def interface(at: Where, value: t.Any) -> str | None:
    """A network interface: what the kernel's dev_valid_name() allows, without characters that mean something."""
    device = text(at, value, "a network interface's name")
    if device is not None and not safe_interface(device):
        more = ""
        if ":" in device or "@" in device:
            more = ", here " + re.split("[:@]", device)[0]
        at.problem("interface_name_invalid", value, more=more)
        return None
    return device


def dns_name(at: Where, value: t.Any) -> str | None:
    """A DNS name as kubeadm takes it (RFC 1123), in lower case."""
    given = text(at, value, "a DNS name")
    if given is None:
        return None
    lowered = given.lower()
    reason = None
    if not lowered.isascii():
        reason = "write international names in their xn-- form"
    elif len(lowered) > 253:
        reason = "it has more than 253 characters"
    elif not all(_DNS_LABEL.fullmatch(label) for label in lowered.split(".")):
        reason = "parts have 1 to 63 letters, digits and inner hyphens"
    elif lowered.rpartition(".")[2].isdigit():
        reason = "this is an address or ends like one"
    if reason:
        at.problem("dns_name_invalid", value, reason=reason)
        return None
    return lowered


def address(at: Where, value: t.Any) -> Located | None:
    """One address, with or without its subnet's prefix."""
    written = text(at, value, "an IPv4 or IPv6 address")
    if written is None:
        return None
    try:
        return parse_located(written)
    except Malformed as error:
        at.problem("address_invalid", value, reason=error.reason, fix=error.fix)
        return None


def subnet(at: Where, value: t.Any) -> Subnet | None:
    """One network with its prefix."""
    written = text(at, value, "a network such as 10.96.0.0/12")
    if written is None:
        return None
    try:
        return parse_subnet(written)
    except Malformed as error:
        at.problem("network_invalid", value, reason=error.reason, fix=error.fix)
        return None


def password(at: Where, value: t.Any) -> str | None:
    """A VRRP password. It isn't stripped, and nothing of it shows in the problem."""
    wanted = "1 to 128 characters out of A-Z a-z 0-9 _ . + / = -"
    found = fix = ""
    if not isinstance(value, str):
        found = "; YAML read it as " + describe(value, secret=True)
        fix = "put it in quotes"
    elif not _PASSWORD.fullmatch(value):
        fix = "choose a password of these characters"
    if fix:
        at.problem("auth_password_invalid", expected=wanted, more=found, fix=fix)
        return None
    return str.__str__(value)


def passwords(at: Where, value: t.Any) -> list[str] | None:
    """One password, or a list of keys."""
    if not isinstance(value, (list, tuple)):
        found = [password(at, value)]
    else:
        found = [password(at[index], item) for index, item in enumerate(value)]
        if not found:
            at.problem("auth_password_invalid", expected="a password, or a list of keys with endpoint_auth: hmac",
                       more="", fix="write one, or leave the variable out")
    good = [item for item in found if item is not None]
    return good if found and len(good) == len(found) else None


def listing(read: Reader[T], expected: str, empty: bool = False) -> Reader[list[T]]:
    """A reader of lists; one item alone and items between commas, as ``-e`` gives them, are lists too."""

    def read_list(at: Where, value: t.Any) -> list[T] | None:
        items: t.Sequence[t.Any]
        if isinstance(value, str):
            items = str.__str__(value).split(",") if value.strip() or not empty else []
            places = [at[index] for index in range(len(items))] if len(items) > 1 else [at]
        elif isinstance(value, (list, tuple)):
            items = value
            places = [at[index] for index in range(len(items))]
        else:
            at.problem("value_type", value, expected=expected, found=describe(value), more=_QUOTE if isinstance(
                value, (bool, int, float)) else "")
            return None
        if not items and not empty:
            at.problem("value_empty", value, expected=expected, rest="the variable out where it has a default")
            return None
        found = [read(place, item) for place, item in zip(places, items)]
        good = [item for item in found if item is not None]
        return good if len(good) == len(found) else None

    return read_list


_ADDRESSES = listing(address, "an address or a list of one per family")


def mapping(at: Where, value: t.Any, known: Iterable[str], expected: str) -> dict[str, t.Any] | None:
    """A mapping whose keys are known; values aren't read yet. Unknown keys are reported and left out."""
    if not isinstance(value, Mapping):
        at.problem("value_type", value, expected=expected, found=describe(value), more="")
        return None
    known = tuple(known)
    found: dict[str, t.Any] = {}
    for key, item in value.items():
        if isinstance(key, str) and key in known:
            found[str.__str__(key)] = item
            continue
        near = nearest(key, known)
        fix = "write {0}".format(near) if near else "remove it, or write one of {0}".format(", ".join(known))
        at.problem("key_unknown", key, kind="key here", fix=fix)
    return found


def nearest(key: t.Any, known: Collection[str]) -> str | None:
    """The key that another one was likely meant to be. A variable's whole name is no key, but the key is in it."""
    if not isinstance(key, str):
        return None
    word = str.__str__(key)
    bare = word[len("endpoint_"):] if word.startswith("endpoint_") else word
    return bare if bare in known else alias(bare, known) or closest(bare, known)


def closest(word: str, choices: Iterable[str]) -> str | None:
    """The choice that a misspelt word was likely meant to be."""
    written = {choice.lower(): choice for choice in reversed(list(choices)[:1000])}
    near = difflib.get_close_matches(word[:80].lower(), list(written), n=2, cutoff=0.65)
    # cp9 may be any of cp1, cp2 and cp3.
    if len(near) == 2 and len({difflib.SequenceMatcher(None, name, word[:80].lower()).ratio() for name in near}) == 1:
        return None
    return written[near[0]] if near else None


def safe_host_name(value: str) -> bool:
    """Whether a host's name can be written into files: router_id, server names, folders."""
    return len(value) <= _MAX_HOST_NAME and _NAME.fullmatch(value) is not None


def safe_interface(value: str) -> bool:
    """Whether an interface's name can be written into files."""
    return _INTERFACE.fullmatch(value) is not None and value not in (".", "..")


def host_addresses(at: Where, value: t.Any) -> dict[str, Located] | None:
    """A host's addresses by family, one each."""
    items = _ADDRESSES(at, value)
    if items is None:
        return None
    found = {item.address.family: item for item in items}
    if len(found) < len(items):
        at.problem("address_twice", [str(item) for item in items])
        return None
    return found


def family_name(family: str) -> str:
    """IPv4 or IPv6, for sentences."""
    return {FAMILIES[0]: "IPv4", FAMILIES[1]: "IPv6"}[family]


def describe(value: t.Any, secret: bool = False) -> str:
    """What YAML made of a value, in words; without the value itself where it's a secret."""
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        kind, shown = "the boolean", "true" if value else "false"
    elif isinstance(value, int):
        kind, shown = "the number", str(int(value)) if abs(value) < 10 ** 15 else "of many digits"
    elif isinstance(value, float):
        kind, shown = "the number", repr(float(value))
    elif isinstance(value, str):
        kind, shown = "the text", str(show(value))
    elif isinstance(value, Mapping):
        return "a mapping"
    elif isinstance(value, (list, tuple)):
        return "a list"
    elif isinstance(value, datetime.date):
        return "a date"
    else:
        return "something of type " + printable(type(value).__name__, 60)
    return kind.replace("the ", "a ", 1) if secret else "{0} {1}".format(kind, shown)


def _matching(at: Where, value: t.Any, pattern: re.Pattern[str], limit: int, expected: str, allowed: str) -> str | None:
    word = text(at, value, expected)
    if word is not None and (len(word) > limit or not pattern.fullmatch(word)):
        at.problem("value_characters", value, expected=expected, allowed=allowed)
        return None
    return word


def _path(at: Where, value: t.Any, pattern: re.Pattern[str], allowed: str, example: str) -> str | None:
    path = text(at, value, "an absolute path")
    if path is not None and (len(path) > 255 or not pattern.fullmatch(path) or ".." in path.split("/")):
        at.problem("path_invalid", value, allowed=allowed, example=example)
        return None
    return path
