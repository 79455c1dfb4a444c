# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Note that this plugin util is PRIVATE to the collection. It can have breaking changes at any time.
"""Pods of the kubelet's folder: images, environment and what they mount, with lines. Pure."""

from __future__ import annotations

import typing as t
from collections.abc import Iterator, Sequence

import yaml

from ._text import File, Malformed, Place


class Setting(t.NamedTuple):
    """A variable of a container's environment."""

    value: str
    place: Place


class Container(t.NamedTuple):
    """A container of a pod."""

    image: str
    place: Place
    environment: dict[str, Setting]
    mounts: dict[str, str]      # path on the host: path in the container

    def of(self, *names: str) -> bool:
        """Whether its image is called so, whatever registry it comes from."""
        name = self.image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
        return any(part in name for part in names)


def read(host: str, files: Sequence[File]) -> list[Container]:
    """The containers of all pods. Raises Malformed."""
    return [container for file in files if file.role == "manifest" for container in _pod(host, file)]


def _pod(host: str, file: File) -> Iterator[Container]:
    try:
        documents = [node for node in yaml.compose_all(file.text, Loader=yaml.SafeLoader) if node is not None]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        raise Malformed(Place(host, file.path, mark.line + 1 if mark else 1), "it isn't YAML") from error
    for document in documents:
        spec = _get(document, "spec")
        paths = {_text(_get(volume, "name")): _text(_get(_get(volume, "hostPath"), "path"))
                 for volume in _items(_get(spec, "volumes"))}
        for container in _items(_get(spec, "containers")):
            mounts = {paths[_text(_get(mount, "name"))]: _text(_get(mount, "mountPath"))
                      for mount in _items(_get(container, "volumeMounts")) if paths.get(_text(_get(mount, "name")))}
            environment = {
                _text(_get(item, "name")): Setting(_text(_get(item, "value")), _place(host, file, item))
                for item in _items(_get(container, "env"))}
            yield Container(_text(_get(container, "image")), _place(host, file, container), environment, mounts)


def _get(node: t.Any, key: str) -> t.Any:
    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if isinstance(name, yaml.ScalarNode) and name.value == key:
                return value
    return None


def _items(node: t.Any) -> list[t.Any]:
    return node.value if isinstance(node, yaml.SequenceNode) else []


def _text(node: t.Any) -> str:
    return node.value if isinstance(node, yaml.ScalarNode) else ""


def _place(host: str, file: File, node: t.Any) -> Place:
    return Place(host, file.path, node.start_mark.line + 1)
