# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A measurement as a picture: in a terminal, and as SVG. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import NamedTuple

from .measure import Measurement

BARS = " ▁▂▃▄▅▆▇█"


class Slot(NamedTuple):
    """A column of the picture."""

    attempts: int
    failures: int


def slots(measurement: Measurement, count: int) -> list[Slot]:
    attempts, failures = [0] * count, [0] * count
    for start, latency, dummy in measurement.between(0, measurement.end):
        position = min(count - 1, int(start / measurement.end * count))
        attempts[position] += 1
        failures[position] += latency is None
    return [Slot(*values) for values in zip(attempts, failures)]


def block(share: float) -> str:
    """Whatever is there at all shows."""
    return BARS[0] if share <= 0 else BARS[max(1, min(8, round(share * 8)))]


def terminal(measurement: Measurement, hosts: Sequence[str], columns: int = 72) -> str:
    parts = slots(measurement, columns)
    seconds = measurement.end
    label = max([len("VIP on " + host) for host in hosts] + [len("answered")]) + 1
    lines = []
    marker = min(columns - 1, int(measurement.fault / seconds * columns))
    lines.append(" " * (label + marker) + "▼ fault")
    for host in hosts:
        held = "".join("█" if host in measurement.holders((i + 1) * seconds / columns) else "·" for i in range(columns))
        lines.append(f"{'VIP on ' + host:<{label}}{held}")
    answered = "".join(block((part.attempts - part.failures) / part.attempts if part.attempts else 0) for part in parts)
    failed = "".join(block(part.failures / part.attempts if part.attempts else 0) for part in parts)
    lines.append(f"{'answered':<{label}}{answered}")
    lines.append(f"{'failed':<{label}}{failed}")
    lines.append(" " * label + ruler(seconds, columns))
    return "\n".join(lines)


def ruler(seconds: float, columns: int) -> str:
    text = [" "] * (columns + 6)
    for second in range(int(seconds) + 1):
        position = int(second / seconds * columns)
        mark = f"{second}s"
        if "".join(text[max(0, position - 1) : position + len(mark)]).strip() == "":
            text[position : position + len(mark)] = mark
    return "".join(text).rstrip()


def svg(measurement: Measurement, hosts: Sequence[str], title: str) -> str:
    left, width, row, gap, top = 110, 760, 26, 8, 64
    seconds = measurement.end
    height = top + (len(hosts) + 1) * (row + gap) + 150

    def x(at: float) -> float:
        return left + width * max(0.0, min(seconds, at)) / seconds

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 30} {height}" '
        'font-family="system-ui, sans-serif" font-size="13" fill="#24292f">',
        f'<rect width="{left + width + 30}" height="{height}" fill="#ffffff"/>',
        f'<text x="{left}" y="24" font-size="16" font-weight="600">{escape(title)}</text>',
    ]
    y = top
    for host in hosts:
        out.append(f'<text x="{left - 12}" y="{y + 18}" text-anchor="end">VIP on {escape(host)}</text>')
        out.append(f'<rect x="{left}" y="{y}" width="{width}" height="{row}" fill="#f0f2f4"/>')
        for begin, end in periods(measurement, host, seconds):
            out.append(
                f'<rect x="{x(begin):.1f}" y="{y}" width="{x(end) - x(begin):.1f}" height="{row}" fill="#2da44e">'
                f"<title>{escape(host)} holds the VIP from {begin:.3f} s to {end:.3f} s</title></rect>"
            )
        y += row + gap
    out.append(f'<text x="{left - 12}" y="{y + 18}" text-anchor="end">client</text>')
    out.append(f'<rect x="{left}" y="{y}" width="{width}" height="{row}" fill="#dafbe1"/>')
    attempts = measurement.between(0, seconds)
    for start, latency, dummy in attempts:
        if latency is None:
            out.append(f'<rect x="{x(start):.1f}" y="{y}" width="1.5" height="{row}" fill="#cf222e"/>')
    y += row + gap + 16
    # How long each answer took.
    chart = 80
    ceiling = max(50.0, *(latency * 1000 for start, latency, dummy in attempts if latency is not None))
    out.append(f'<text x="{left - 12}" y="{y + 12}" text-anchor="end">{ceiling:.0f} ms</text>')
    out.append(f'<text x="{left - 12}" y="{y + chart}" text-anchor="end">0 ms</text>')
    for start, latency, dummy in attempts:
        if latency is not None:
            dot = y + chart - chart * latency * 1000 / ceiling
            out.append(f'<circle cx="{x(start):.1f}" cy="{dot:.1f}" r="1.3" fill="#0969da"/>')
    out.append(f'<line x1="{left}" y1="{y + chart}" x2="{left + width}" y2="{y + chart}" stroke="#8c959f"/>')
    step = max(1, round(seconds / 12))
    for second in range(0, int(seconds) + 1, step):
        out.append(f'<text x="{x(second):.1f}" y="{y + chart + 18}" text-anchor="middle">{second} s</text>')
    at = x(measurement.fault)
    first, last = measurement.outage(0, seconds)
    out.append(
        f'<line x1="{at:.1f}" y1="{top - 14}" x2="{at:.1f}" y2="{y + chart}" stroke="#cf222e" stroke-dasharray="4 3"/>'
    )
    out.append(
        f'<text x="{at + 6:.1f}" y="{top - 6}" fill="#cf222e">fault; longest outage '
        f"{(last - first) * 1000:.0f} ms ({first:.2f} s to {last:.2f} s)</text>"
    )
    out.append("</svg>")
    return "\n".join(out) + "\n"


def periods(measurement: Measurement, host: str, seconds: float) -> list[tuple[float, float]]:
    found, since = [], None
    for change in measurement.changes:
        if change.host != host:
            continue
        if change.held and since is None:
            since = max(0.0, change.at)
        elif not change.held and since is not None:
            found.append((since, change.at))
            since = None
    if since is not None:
        found.append((since, seconds))
    return found
