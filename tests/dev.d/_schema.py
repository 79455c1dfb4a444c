# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The variables as JSON Schema, for editors: kinds and ranges from the plan's readers, words from argument specs.

An editor can't know hosts and networks, so what it accepts may still be refused by the plan; never the other way round.
"""

from __future__ import annotations

import ast
import inspect
import typing as t

from ansible_collections.kubeha.apiserver.plugins.plugin_utils.intent import _roles, _spec, _values
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.plan import _timing

Schema = dict[str, t.Any]

_JINJA = r"\{[{%]"
_NUMBER = r"-?[0-9]+(?:\.[0-9]+)?"
_LABEL = "[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_ADDRESS = r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*(?:/[0-9]{1,3})?"
_SUBNET = r"[0-9A-Fa-f]*[.:][0-9A-Fa-f.:]*/[0-9]{1,3}"
_ANY = r"[^,]*[^,\s][^,]*"
# What a text has to look like, blanks around it aside.
_TEXTS: dict[t.Any, str] = {
    _values.name: _values._NAME.pattern,
    _values.finding: _values._FINDING.pattern,
    _values.http_path: _values._HTTP_PATH.pattern,
    _values.file_path: _values._FILE_PATH.pattern,
    _values.package: _values._PACKAGE.pattern,
    _values.textfile_dir: _values._FILE_PATH.pattern,
    _values.script: _values._FILE_PATH.pattern,
    _values.user: _values._USER.pattern,
    _values.haproxy_image: _values._IMAGE.pattern,
    _values.keepalived_image: _values._IMAGE.pattern,
    _values.registry: _values._REGISTRY.pattern,
    _values.interface: _values._INTERFACE.pattern,
    _values.password: _values._PASSWORD.pattern,
    _values.dns_name: r"{0}(?:\.{0})*".format(_LABEL),
    _values.address: _ADDRESS,
    _values.subnet: _SUBNET,
    _spec._host_name: _ANY,
    _spec._log_connections: r"none|errors|%s|1/\d{1,6}" % _spec.ALL,
    _spec._log_target: r"%s|\S+:\d{1,5}" % _spec.STDOUT,
    _spec._metrics_address: r"{0}|127\.[0-9.]+|::1".format(_spec.OWN_ADDRESS),
}


def variables(options: dict[str, Schema], words: t.Callable[[str], str]) -> Schema:
    """The schema of a file of variables; other variables than ours are none of its business."""
    properties = {name: {**_described(spec, words), **_or_null(_of(name))} for name, spec in options.items()}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Variables of kubeha.apiserver",
        "description": "Written by ./dev generate.",
        "type": "object",
        "properties": properties,
    }


def types(source: str, title: str, whole: str) -> Schema:
    """The schema of what the TypedDict ``whole`` describes; what a key means is the comment behind it."""
    lines, tree = source.splitlines(), ast.parse(source)
    found = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    words = {node.targets[0].id: node.value for node in tree.body
             if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)}

    def of_type(node: ast.expr) -> Schema:
        if isinstance(node, ast.Name):
            plain = {"str": "string", "int": "integer", "float": "number", "bool": "boolean"}
            return {"type": plain[node.id]} if node.id in plain else (
                {"$ref": "#/$defs/" + node.id} if node.id in found else of_type(words[node.id]))
        assert isinstance(node, ast.Subscript) and isinstance(node.value, ast.Name)
        parts = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
        if node.value.id == "Literal":
            return {"enum": [ast.literal_eval(part) for part in parts]}
        if node.value.id == "Optional":
            return _or_null(of_type(parts[0]))
        if node.value.id == "List":
            return {"type": "array", "items": of_type(parts[0])}
        assert node.value.id == "Dict"
        return _mapping(values=of_type(parts[1]))

    def of_class(name: str) -> Schema:
        node, keys = found[name], {}
        for base in node.bases:
            if isinstance(base, ast.Name) and base.id in found:
                keys.update(of_class(base.id)["properties"])
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                meaning = lines[item.lineno - 1].partition("#")[2].strip()
                keys[item.target.id] = {"description": meaning, **of_type(item.annotation)}
        # Later versions may add keys.
        return {"description": ast.get_docstring(node), "type": "object", "properties": keys, "required": list(keys)}

    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": title, **of_class(whole),
            "$defs": {name: of_class(name) for name in found if name != whole}}


def readers() -> dict[str, t.Any]:
    """{variable: what reads it}; endpoint_list has none."""
    fields = {**_spec._ENDPOINT_FIELDS, **_spec._GLOBAL_FIELDS}
    found = {_spec._variable(key): field.read for key, field in fields.items()}
    return {**found, **{_spec._variable(key): read for key, read in _spec._HOST_FIELDS.items()}, **_roles.READERS}


def _of(name: str) -> Schema:
    return _listing(_entry(), None, empty=False) if name == "endpoint_list" else _read_by(readers()[name])


def _entry() -> Schema:
    """An entry of endpoint_list: variables without their prefix."""
    of_host = {key: {"$ref": "#/properties/endpoint_" + key} for key in _spec._HOST_FIELDS}
    keys = {key: {"$ref": "#/properties/endpoint_" + key} for key in _spec._ENTRY_KEYS if key != "hosts"}
    hosts = _mapping(values={"anyOf": [_mapping(of_host), _TEMPLATE]})
    return {"anyOf": [_mapping({**keys, "hosts": {"anyOf": [hosts, _TEMPLATE, {"type": "null"}]}}), _TEMPLATE]}


def _read_by(read: t.Any) -> Schema:
    """What a reader takes. One that was made for a range or for choices still has them."""
    if read in _TEXTS:
        return _text(_TEXTS[read])
    if read is _values.boolean:
        words = sorted(_values._TRUE | _values._FALSE)
        pattern = "|".join("".join("[%s%s]" % (c, c.upper()) if c.isalpha() else c for c in word) for word in words)
        return {**_text(pattern), "type": ["boolean", "integer", "string"], "minimum": 0, "maximum": 1}
    if read is _values.host_addresses:
        return _listing(_text(_ADDRESS), _ADDRESS, empty=False)
    if read is _values.passwords:
        one = _read_by(_values.password)
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}
    if read is _spec._vrids:
        number = _integer(1, 255)
        return {"anyOf": [number, _mapping(dict.fromkeys(_values.FAMILIES, number))]}
    if read is _spec._image_auth:
        keys = {"username": {"type": "string"}, "password": {"type": "string"}}
        login = {**_mapping(keys), "required": list(keys)}
        return {"anyOf": [_mapping(values={"anyOf": [login, _TEMPLATE]}), _TEMPLATE]}
    if read is _timing.read_timing:
        profile = _choice(_timing.PROFILES)
        times = {key: _or_null(_read_by(item)) for key, item in _timing.KEYS.items()}
        return {"anyOf": [*profile["anyOf"], _mapping({"profile": _or_null(profile), **times})]}
    given = inspect.getclosurevars(read).nonlocals
    made_by = read.__qualname__.partition(".")[0]
    if made_by == "integer":
        return _integer(given["low"], given["high"])
    if made_by == "seconds":
        return {**_integer(given["low"], given["high"]), "type": ["number", "string"]}
    if made_by == "choice":
        return _choice(given["choices"])
    if made_by == "listing":
        return _listing(_read_by(given["read"]), _TEXTS[given["read"]], given["empty"])
    if made_by == "read_version":
        return _text(r"[0-9].*")
    raise LookupError("no schema for what {0} reads".format(read.__qualname__))


_TEMPLATE: Schema = {"type": "string", "pattern": _JINJA}


def _text(pattern: str) -> Schema:
    return {"type": "string", "pattern": r"^\s*(?:%s)\s*$|%s" % (pattern, _JINJA)}


def _integer(low: t.Any, high: t.Any) -> Schema:
    limits = {"minimum": low, "maximum": high}
    known = {key: limit for key, limit in limits.items() if limit is not None}
    return {**_text(_NUMBER), "type": ["integer", "string"], **known}


def _choice(choices: t.Iterable[str]) -> Schema:
    return {"anyOf": [{"enum": list(choices)}, _TEMPLATE]}


def _listing(item: Schema, pattern: str | None, empty: bool) -> Schema:
    """A list; or one item, or several between commas."""
    alone = _TEMPLATE if pattern is None else _text(r"(?:{0})(?:\s*,\s*(?:{0}))*{1}".format(pattern, "|" * empty))
    return {"anyOf": [{"type": "array", "items": item, "minItems": 0 if empty else 1}, alone]}


def _mapping(keys: Schema | None = None, values: t.Any = False) -> Schema:
    return {"type": "object", **({"properties": keys} if keys else {}), "additionalProperties": values}


def _or_null(schema: Schema) -> Schema:
    """A variable that is null counts as not set."""
    if "anyOf" in schema:
        return {"anyOf": [*schema["anyOf"], {"type": "null"}]}
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return {**schema, "type": [*kinds, "null"]}


def _described(spec: Schema, words: t.Callable[[str], str]) -> Schema:
    paragraphs = spec["description"] if isinstance(spec["description"], list) else [spec["description"]]
    found: Schema = {"description": " ".join(map(words, paragraphs))}
    if "default" in spec:
        found["default"] = spec["default"]
    return found
