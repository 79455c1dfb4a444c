# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A running endpoint that is changed while a client connects every 10 ms, another keeps a stream, and every host
tells when the VIP comes and goes."""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from _lab.faults import Fault
from _lab.lab import Lab
from _lab.measure import Measurement, measure
from user import MEMBERS, ROOT, User

# As long as a handover may take: so long two hosts may have the VIP.
HANDOVER = 0.2


NEWER_PACKAGE = """
import glob, hashlib, os, re, subprocess, sys
name = sys.argv[1]
[package] = glob.glob('/srv/apt/%s_*.deb' % name)
subprocess.run(['dpkg-deb', '--raw-extract', package, '/tmp/newer'], check=True)
control = open('/tmp/newer/DEBIAN/control').read()
version = re.search(r'^Version: (.*)$', control, re.M).group(1)
open('/tmp/newer/DEBIAN/control', 'w').write(control.replace('Version: ' + version, 'Version: ' + version + '+newer'))
newer = '/srv/apt/%s_newer.deb' % name
subprocess.run(['dpkg-deb', '--build', '/tmp/newer', newer], check=True)
content = open(newer, 'rb').read()
stanzas = open('/srv/apt/Packages').read().split('\\n\\n')
for index, stanza in enumerate(stanzas):
    if re.search(r'^Package: %s$' % name, stanza, re.M):
        for key, value in {'Version': version + '+newer', 'Filename': './' + os.path.basename(newer),
                           'Size': str(len(content)), 'SHA256': hashlib.sha256(content).hexdigest()}.items():
            stanza = re.sub(r'^%s: .*$' % key, '%s: %s' % (key, value), stanza, flags=re.M)
        stanzas[index] = re.sub(r'^(MD5sum|SHA1|SHA512): .*\\n?', '', stanza, flags=re.M).rstrip('\\n')
open('/srv/apt/Packages', 'w').write('\\n\\n'.join(stanzas))
for listing in glob.glob('/srv/apt/Packages.*') + glob.glob('/srv/apt/*Release*'):
    os.unlink(listing)
for path in glob.glob('/var/lib/apt/lists/*Packages*') + glob.glob('/var/lib/apt/periodic/*'):
    os.unlink(path)
subprocess.run(['apt-get', 'update'], check=True)
"""


@dataclass
class Row:
    title: str
    measurement: Measurement
    streams: int

    @property
    def failed(self) -> int:
        return self.measurement.failures(0, self.measurement.end)

    @property
    def refused(self) -> int:
        """Failures other than a late answer, which a busy machine gives by itself."""
        return sum(latency is None and text != "timeout" for dummy, latency, text in self.measurement.attempts)

    @property
    def not_held(self) -> float:
        return round(self.measurement.without_holder(), 3)

    @property
    def held_twice(self) -> float:
        return round(self.measurement.longest_two_holders(), 3)


class Changes(User):
    """Somebody who changes what runs, and a client who shouldn't notice."""

    def __init__(self, lab: Lab) -> None:
        super().__init__(lab)
        self.rows: list[Row] = []

    def settle(self, **variables: object) -> None:
        """The endpoint as it's meant to be, with its preferred host holding."""
        self.site(**variables).succeeded()
        deadline = time.monotonic() + 30
        while self.holders() != [MEMBERS[0]]:
            assert time.monotonic() < deadline, self.holders()
            time.sleep(0.2)

    def noticed(self, title: str, change: Callable[[], object], port: int = 8443) -> Row:
        """What the clients see of a change."""
        fault = Fault(title, lambda lab, host: change(), lambda lab, host: None)
        stream = "python3 /opt/lab/stream.py --target %s:%d" % (self.vip, port)
        with self.lab.background("client", *stream.split()) as watcher:
            assert watcher.stdout is not None and watcher.stdin is not None
            assert "started" in watcher.stdout.readline()
            measurement = measure(self.lab, self.vip, port, fault, MEMBERS[0], broken=2)
            watcher.stdin.close()
            streams = int(json.loads(watcher.stdout.readline())["broken"])
        row = Row(title, measurement, streams)
        self.rows.append(row)
        return row

    @contextlib.contextmanager
    def running_site(self, **variables: object) -> Iterator[subprocess.Popen[bytes]]:
        process = subprocess.Popen(
            self.command("playbooks/site.yml", **variables), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, cwd=ROOT)
        try:
            yield process
        finally:
            process.wait()

    def undrain(self, host: str) -> None:
        """Until it holds the VIP again, which it does once its HAProxy has been well for long enough."""
        self.playbook("playbooks/undrain.yml", endpoint_hosts=host).succeeded()
        self.until(lambda: self.holders() == [host])

    def until(self, holds: Callable[[], bool], seconds: float = 60) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline
            time.sleep(0.05)

    def newer_package(self, host: str, name: str) -> None:
        """Put the same program with a newer version into the host's package repository."""
        self.lab.run(host, "python3", "-c", NEWER_PACKAGE, name)

    def table(self) -> str:
        lines = ["%-44s %7s %8s %6s %8s %10s %8s" % (
            "change", "failed", "not late", "of", "not held", "held twice", "streams")]
        lines += [
            "%-44s %7d %8d %6d %8.2f %10.2f %8d" % (
                row.title, row.failed, row.refused, len(row.measurement.attempts), row.not_held, row.held_twice,
                row.streams)
            for row in self.rows]
        return "\n".join(lines)
