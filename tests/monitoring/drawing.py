# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A drawing of a dashboard, with a Prometheus' data. Pure. It isn't Grafana's own picture: panels stand where Grafana
has them, with the same titles, series and colours of states, and that's all."""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

UNIT_X, UNIT_Y, GAP = 50, 26, 6
COLORS = {"green": "#3fa055", "orange": "#e08a1e", "red": "#cf3a3a", "text": "#c9ced6", "blue": "#3871dc"}
SERIES = ("#3871dc", "#3fa055", "#e08a1e", "#a352cc", "#cf3a3a", "#1d9aa3", "#8a6d3b", "#d0569a", "#6b7280")
SHOWN = 6

# A series of Prometheus: its labels, and times with values.
Found = dict[str, Any]
Points = list[tuple[float, float]]


def drawing(dashboard: dict[str, Any], data: dict[str, list[Found]], start: float, end: float, note: str) -> str:
    """`data` has the series of each panel by its title."""
    panels = dashboard["panels"]
    width = 24 * UNIT_X
    height = max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in panels) * UNIT_Y + 70
    parts = [
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" font-family="sans-serif" font-size="12">' % (
            width + 2 * GAP, height),
        '<rect width="100%" height="100%" fill="#f4f5f7"/>',
        text(12, 26, dashboard["title"], size=18), text(12, 44, note, color="#5b6470")]
    for panel in panels:
        place = panel["gridPos"]
        parts.append('<g transform="translate(%d %d)">' % (place["x"] * UNIT_X + GAP, place["y"] * UNIT_Y + 56))
        size = (place["w"] * UNIT_X - GAP, place["h"] * UNIT_Y - GAP)
        if panel["type"] == "row":
            parts.append(text(6, 18, panel["title"], size=14, color="#5b6470"))
        else:
            parts += ['<rect width="%d" height="%d" rx="3" fill="#fff" stroke="#d9dde3"/>' % size,
                      text(10, 19, panel["title"], weight="bold")]
            legend = panel["targets"][0]["legendFormat"]
            found = [(named(legend, item["metric"]), values(item)) for item in data[panel["title"]]]
            parts += KINDS[panel["type"]](panel, sorted(found), size, start, end)
        parts.append("</g>")
    return "\n".join([*parts, "</svg>"]) + "\n"


def named(legend: str, labels: dict[str, str]) -> str:
    return re.sub(r"{{(\w+)}}", lambda match: labels.get(match[1], ""), legend)


def values(item: Found) -> Points:
    pairs = [(float(at), float(value)) for at, value in item["values"]]
    return [(at, value) for at, value in pairs if math.isfinite(value)]


def of_number(panel: dict[str, Any], found: list[tuple[str, Points]], size: tuple[int, int], start: float,
              end: float) -> list[str]:
    name, points = found[0]
    value = points[-1][1]
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    color = [step["color"] for step in steps if step["value"] is None or value >= step["value"]][-1]
    return [text(size[0] / 2, 66, written(value, panel), size=32, color=COLORS[color], anchor="middle"),
            text(size[0] / 2, size[1] - 8, name, size=10, color="#5b6470", anchor="middle")]


def of_states(panel: dict[str, Any], found: list[tuple[str, Points]], size: tuple[int, int], start: float,
              end: float) -> list[str]:
    colors = {key: COLORS[item["color"]] for mapping in panel["fieldConfig"]["defaults"]["mappings"]
              for key, item in mapping["options"].items()}
    left, top = 235, 30
    row = (size[1] - top - 10) / max(1, len(found))
    parts = []
    for number, (name, points) in enumerate(found):
        y = top + number * row
        parts.append(text(left - 8, y + row / 2 + 4, name, size=min(11, row), anchor="end"))
        for at, until, value in stretches(points):
            x0, x1 = (left + (moment - start) / (end - start) * (size[0] - left - 12) for moment in (at, until))
            parts.append('<rect x="%.1f" y="%.1f" width="%.1f" height="%.1f" fill="%s"/>' % (
                x0, y + row * 0.1, max(0.5, x1 - x0), row * 0.8, colors["%d" % value]))
    return parts


def stretches(points: Points) -> list[tuple[float, float, float]]:
    """From when until when it was what."""
    found: list[list[float]] = []
    step = min((later[0] - earlier[0] for earlier, later in zip(points, points[1:])), default=1.0)
    for at, value in points:
        if found and found[-1][2] == value and at - found[-1][1] <= step:
            found[-1][1] = at + step
        else:
            found.append([at, at + step, value])
    return list(map(tuple, found))


def of_lines(panel: dict[str, Any], found: list[tuple[str, Points]], size: tuple[int, int], start: float,
             end: float) -> list[str]:
    left, top, bottom = 60, 34, size[1] - 14 - 15 * math.ceil(min(SHOWN, len(found)) / 3)
    every = [value for dummy, points in found for dummy_at, value in points]
    defaults = panel["fieldConfig"]["defaults"]
    low, high = min(0.0, *every), defaults["max"] if defaults.get("max", 1) != 1 else max(every)
    high = high if high > low else low + 1
    parts = []
    for part in range(3):
        value = low + (high - low) * part / 2
        y = bottom - (bottom - top) * part / 2
        parts += ['<path d="M%d %.1fH%d" stroke="#e6e9ed"/>' % (left, y, size[0] - 12),
                  text(left - 6, y + 4, written(value, panel), size=10, color="#5b6470", anchor="end")]
    for number, (name, points) in enumerate(found):
        color = SERIES[number % len(SERIES)]
        path, before, step = "", -math.inf, (end - start) / 60
        for at, value in points:
            path += "%s%.1f %.1f" % ("L" if at - before < step else "M",
                                     left + (at - start) / (end - start) * (size[0] - left - 12),
                                     bottom - (value - low) / (high - low) * (bottom - top))
            before = at
        parts.append('<path d="%s" fill="none" stroke="%s" stroke-width="1.5"/>' % (path, color))
        if number < SHOWN:
            x, y = 20 + number % 3 * (size[0] - 30) / 3, bottom + 18 + 15 * (number // 3)
            more = " +%d" % (len(found) - SHOWN) if number == SHOWN - 1 and len(found) > SHOWN else ""
            parts += ['<path d="M%.1f %.1fh14" stroke="%s" stroke-width="3"/>' % (x, y - 4, color),
                      text(x + 19, y, name + more, size=10)]
    return parts


KINDS = {"stat": of_number, "state-timeline": of_states, "timeseries": of_lines}


def written(value: float, panel: dict[str, Any]) -> str:
    unit = panel["fieldConfig"]["defaults"].get("unit")
    if unit == "percentunit":
        return "%.0f %%" % (value * 100)
    if unit == "s":
        return "%.0f days" % (value / 86400) if value >= 86400 else "%.0f s" % value
    return "%.3g%s" % (value, " c/s" if unit == "cps" else "")


def text(x: float, y: float, words: str, *, size: float = 12, color: str = "#1f2733", anchor: str = "start",
         weight: str = "normal") -> str:
    return '<text x="%.1f" y="%.1f" font-size="%.3g" fill="%s" text-anchor="%s" font-weight="%s">%s</text>' % (
        x, y, size, color, anchor, weight, escape(words))
