# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Runs in a container of one Debian release, as root, with haproxy and keepalived: inside.py CASES [--emulated]

CASES is what cases.py has written. Prints one line for each thing that isn't right; ends with 1 if there is any.
Under an emulator there is no systemd, and nothing is started: what the daemons ask of the kernel is the emulator's.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path

from ansible_collections.kubeha.apiserver.plugins.module_utils.daemons import _keepalived
from ansible_collections.kubeha.apiserver.plugins.module_utils.model import _paths
from ansible_collections.kubeha.apiserver.plugins.modules import endpoint_files

# Started for real; the others differ from these in values only.
STARTED = re.compile(r"^(v4-unicast-failback|v6-unicast-sticky|dual-(unicast|multicast)-(failback|sticky)|auth-pass|"
                     r"shared-port|many|check-tcp|metrics)@cp1")
# What keepalived says of itself when all is well. Anything else is a warning.
KEEPALIVED_SAYS = [re.compile(pattern) for pattern in (
    r"^$",
    r"Starting Keepalived v", r"Running on Linux", r"Command line:", r"Configuration file /etc/keepalived",
    r"Opening file '/etc/keepalived/keepalived.conf'", r"Starting VRRP child process", r"Startup complete",
    r"Registering (Kernel netlink|gratuitous)", r"^Stopp(ed|ing)", r"pid \d+ exited", r"sent 0 priority",
    r"VRRP_Script\(.*\) (succeeded|failed)", r"Script `.*` now returning \d+", r"Changing effective priority from",
    r"[Ee]ntering (MASTER|BACKUP|FAULT) STATE", r"Syncing instances to (MASTER|BACKUP|FAULT) state",
    r"CPU usage \(self/children\)",
    # Of IPv6 multicast, and true: the VIP of an API endpoint isn't a link-local address.
    r"the first IPv6 VIP address (must|should) be link local",
    # Of this machine, when it has too much to do.
    r"A thread timer expired", r"cannot raise priority", r"Set realtime priority",
    r"Child process \d+ in our process group", r"Track script .* is already running",
    # The package's own: built with SNMP and D-Bus.
    r"NET-SNMP", r"DBus",
)]
FAULTS_OF_KEEPALIVED = {
    "a word that it doesn't know, at the very end": lambda text: text.rstrip()[:-1] + "    nonsense 1\n}\n",
    "a script that isn't there": lambda text: text.replace("/kubeha-check live", "/missing live"),
    "a virtual router ID of 256": lambda text: re.sub(r"virtual_router_id \d+", "virtual_router_id 256", text),
    "an IPv6 address in an IPv4 instance": lambda text: text.replace(
        "198.51.100.100/32\n", "198.51.100.100/32\n        2001:db8:1::100/128\n"),
    "a user that isn't there": lambda text: text.replace("script_user keepalived_script", "script_user nobody_at_all"),
    "a check that isn't defined": lambda text: text.replace("-local weight 0", "-lokal weight 0"),
    "a brace too few": lambda text: text.rstrip()[:-1],
}
FAULTS_OF_HAPROXY = {
    "a word that it doesn't know": lambda text: text.replace("balance leastconn", "balance leastconnn"),
    "a port that can't be": lambda text: text.replace(":8443", ":84430"),
    "a line at the end": lambda text: text + "nonsense\n",
    "a health check of nobody": lambda text: re.sub(r"nbsrv\([^)]*\)", "nbsrv(nobody)", text),
}
# What `systemd-analyze security` may find at most, from 0 (safe) to 10.
EXPOSURE = {"haproxy.service": 2.5, "keepalived.service": 5.0}
EXPOSURE_OF_OURS = 3.0
problems: list[str] = []


def main() -> int:
    os.environ["PATH"] += ":/usr/sbin:/sbin"
    prepare()
    emulated = "--emulated" in sys.argv
    cases = sorted(path for path in Path(sys.argv[1]).iterdir() if path.is_dir())
    deploy_twice(cases)
    if not emulated:
        expose(json.loads(Path(sys.argv[1], "units.json").read_text(encoding="utf-8")))
    counts = {"validated": 0, "started": 0, "broken": 0}
    for case in cases:
        files = load(case)
        put(files)
        validate(case.name)
        counts["validated"] += 1
        if STARTED.search(case.name) and not emulated:
            start_haproxy(case)
            start_keepalived(case.name)
            counts["started"] += 1
    break_things(load(Path(sys.argv[1]) / "v4-unicast-failback@cp1"), counts)
    print("%(validated)d sets of files validated, %(started)d started, %(broken)d faults found" % counts)
    for problem in problems:
        print("PROBLEM: " + problem)
    return 1 if problems or not counts["validated"] or not (emulated or counts["started"]) else 0


def prepare() -> None:
    run("useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", "keepalived_script")
    # An interface of the name and with the addresses that the plans have.
    run("ip", "link", "add", "eth0", "type", "veth", "peer", "name", "other")
    for number in (11, 12):
        run("ip", "address", "add", "198.51.100.%d/24" % number, "dev", "eth0")
        run("ip", "-6", "address", "add", "2001:db8:1::%d/64" % number, "dev", "eth0", "nodad")
    for name in ("lo", "eth0", "other"):
        run("ip", "link", "set", name, "up")


def run(*command: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    if done.returncode:
        raise SystemExit("%s failed with %d: %s" % (" ".join(command), done.returncode, done.stdout))
    return done


def load(case: Path) -> list[dict]:
    marks = json.loads((case / "secrets.json").read_text(encoding="utf-8"))
    files = json.loads((case / "files.json").read_text(encoding="utf-8"))
    for entry in files:
        for mark, secret in marks.items():
            entry["content"] = entry["content"].replace(mark, secret)
    return files


def put(files: list[dict]) -> None:
    for entry in files:
        path = Path(entry["path"])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(entry["content"], encoding="utf-8")
        path.chmod(int(entry["mode"], 8))
    for name in ("haproxy", "keepalived"):
        Path(_paths.RUN, name).mkdir(parents=True, exist_ok=True)
    Path(_paths.DRAIN).mkdir(parents=True, exist_ok=True)


# The module, on a host that has nothing but the packages

class Exit(Exception):
    pass


class Module:
    """As much of AnsibleModule as endpoint_files needs: ansible-core isn't on this host."""

    _diff = True

    def __init__(self, role: str, files: list[dict], check_mode: bool) -> None:
        self.params = {
            "role": role, "files": files, "adopt": False, "sealed": "", "state": "present", "keep_stale": False,
            "beside": None, "units": None,
        }  # fmt: skip
        self.check_mode = check_mode

    def exit_json(self, **result: object) -> None:
        raise Exit(result)

    def fail_json(self, **result: object) -> None:
        raise Exit(dict(result, failed=True))

    def selinux_enabled(self) -> bool:
        return False


def endpoint(role: str, files: list[dict], check_mode: bool = False) -> dict:
    try:
        endpoint_files.Deployment(Module(role, files, check_mode)).run()
    except Exit as done:
        return done.args[0]
    raise AssertionError("it always ends with a result")


def deploy_twice(cases: list[Path]) -> None:
    case = next(path for path in cases if path.name.startswith("dual-unicast-failback@"))
    # No systemd runs here that could begin a unit.
    everything = [entry for entry in load(case) if not entry["kind"].startswith("watchdog-")]
    for role in ("haproxy", "keepalived"):
        files = [entry for entry in everything if entry["role"] in (role, "common")]
        for check_mode, changed in ((True, True), (False, True), (False, False)):
            result = endpoint(role, files, check_mode)
            if result.get("failed") or result["changed"] != changed or not result["validated"]:
                problems.append("deploying %s (check mode %s): %s" % (role, check_mode, result))
                return
        for entry in files:
            there = Path(entry["path"])
            if there.read_text(encoding="utf-8") != entry["content"] or there.stat().st_mode & 0o777 != int(
                    entry["mode"], 8):
                problems.append("deploying %s: %s isn't as planned" % (role, there))
    wrong = [dict(entry, content=entry["content"].replace("balance leastconn", "balance worst")) for entry in everything
             if entry["role"] in ("haproxy", "common")]
    before = Path(_paths.HAPROXY_CONFIG).read_bytes()
    result = endpoint("haproxy", wrong)
    if not result.get("failed") or Path(_paths.HAPROXY_CONFIG).read_bytes() != before:
        problems.append("deploying something that isn't valid: %s" % result)
    left = [str(path) for folder in ("/var/lib", "/etc") for path in Path(folder).rglob(".*kubeha*")]
    if left:
        problems.append("left behind: %s" % left)


def expose(units: list[dict]) -> None:
    """What systemd says of the sandbox of each unit, with the drop-ins that were just deployed."""
    version = int(re.findall(r"\d+", run("systemctl", "--version").stdout)[0])
    if version < 250:
        return
    for entry in units:
        Path(entry["path"]).write_text(entry["content"], encoding="utf-8")
    ours = [path.name for path in Path("/etc/systemd/system").glob("kubeha*.service")]
    if not ours:
        problems.append("no unit of ours is there to be judged")
    for unit, most in [*EXPOSURE.items(), *((name, EXPOSURE_OF_OURS) for name in ours)]:
        said = run("systemd-analyze", "security", "--offline=true", "--no-pager", unit).stdout
        level = float(re.findall(r"Overall exposure level for \S+: ([\d.]+)", said)[0])
        if level > most:
            problems.append("systemd-analyze security: %s: %.1f, more than %.1f" % (unit, level, most))
    for entry in units:
        Path(entry["path"]).unlink()


# The binaries' opinion

def haproxy_complains(path: str = _paths.HAPROXY_CONFIG) -> list[str]:
    found = []
    # As the unit's hook or the pod's script leaves it at a start.
    Path(_paths.SERVERS).parent.mkdir(parents=True, exist_ok=True)
    Path(_paths.SERVERS).write_text("1\n", encoding="ascii")
    for options in (["-c"], ["-c", "-dW"]):  # -dW: a warning is an error
        done = subprocess.run(["haproxy", *options, "-f", path], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True, check=False)
        said = [line for line in done.stdout.splitlines() if line and line != "Configuration file is valid"]
        if done.returncode or said:
            found.append("haproxy %s: %d: %s" % (" ".join(options), done.returncode, "; ".join(said)))
    return found


def keepalived_complains(path: str = _paths.KEEPALIVED_CONFIG) -> list[str]:
    binary = shutil.which("keepalived") or "keepalived"
    done = subprocess.run(_keepalived.test_command(binary, path), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          text=True, check=False)
    return _keepalived.findings(done.returncode, done.stdout)


def validate(name: str) -> None:
    for complaint in haproxy_complains() + keepalived_complains():
        problems.append("%s: %s" % (name, complaint))
    for path in (_paths.CHECK, _paths.NOTIFY, _paths.UNIT_HOOK):
        run("bash", "-n", path)


# The daemons, started

def start_haproxy(case: Path) -> None:
    names = json.loads((case / "names.json").read_text(encoding="utf-8"))
    process = subprocess.Popen(["haproxy", "-W", "-f", _paths.HAPROXY_CONFIG], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    try:
        if answer("/livez") != 200:
            problems.append("%s: HAProxy doesn't answer on /livez" % case.name)
        # There is no API server at all, and HAProxy finds out within a few seconds.
        deadline = time.monotonic() + 6
        states = {}
        while time.monotonic() < deadline:
            states = {name: answer("/readyz/" + name) for name in names}
            if set(states.values()) == {503}:
                break
            time.sleep(0.2)
        else:
            problems.append("%s: without API servers, /readyz says %s" % (case.name, states))
        if answer("/other") != 404:
            problems.append("%s: HAProxy answers what nobody should ask" % case.name)
        if "kubeha:metrics" in Path(_paths.HAPROXY_CONFIG).read_text(encoding="utf-8"):
            ask_exporter(case.name)
    finally:
        process.terminate()
        output = process.communicate(timeout=20)[0]
    expected = re.compile(
        r"is DOWN|no server available|Exiting Master process|exited with code (0|143)|All workers exited")
    for line in output.splitlines():
        if re.search(r"\[(WARNING|ALERT)\]", line) and not expected.search(line):
            problems.append("%s: HAProxy said: %s" % (case.name, line))


def ask_exporter(name: str) -> None:
    """At the host's own address, by GET, and nothing else."""
    own, loopback = "http://198.51.100.11:8405", "http://127.0.0.1:8405"
    said = [answer("/metrics", own), answer("/metrics", own, b"x"), answer("/", own), answer("/metrics", loopback)]
    if said != [200, 405, 404, 0]:
        problems.append("%s: HAProxy's exporter says %s" % (name, said))


def answer(path: str, place: str = "http://127.0.0.1:8481", sent: bytes | None = None) -> int:
    deadline = time.monotonic() + 5
    while True:
        try:
            with urllib.request.urlopen(place + path, sent, timeout=2) as response:
                return int(response.status)
        except urllib.error.HTTPError as error:
            return int(error.code)
        except OSError:
            if time.monotonic() > deadline:
                return 0
            time.sleep(0.05)


def start_keepalived(name: str) -> None:
    subprocess.run([_paths.UNIT_HOOK, "haproxy", "started"], check=True)
    state_files = re.search(r"keepalived starting (.*) --", Path(_paths.DROP_INS["keepalived"]).read_text())
    assert state_files is not None
    subprocess.run([_paths.UNIT_HOOK, "keepalived", "starting", *state_files.group(1).split()], check=True)
    # A process group of its own, as under systemd.
    process = subprocess.Popen(["keepalived", "--dont-fork", "--log-console", "--vrrp"], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, start_new_session=True)
    time.sleep(1.2)
    alive = process.poll() is None
    process.send_signal(signal.SIGTERM)
    output = process.communicate(timeout=20)[0]
    if not alive:
        problems.append("%s: keepalived ended by itself: %s" % (name, output))
    for line in output.splitlines():
        text = re.sub(r"^\w+ \w+ +\d+ [\d:]+ \d+: ", "", line).strip()
        if not any(pattern.search(text) for pattern in KEEPALIVED_SAYS):
            problems.append("%s: keepalived said: %s" % (name, text))


# What has to be found

def break_things(files: list[dict], counts: dict[str, int]) -> None:
    put(files)
    for path, faults, complains in (
        (_paths.KEEPALIVED_CONFIG, FAULTS_OF_KEEPALIVED, keepalived_complains),
        (_paths.HAPROXY_CONFIG, FAULTS_OF_HAPROXY, haproxy_complains),
    ):
        good = Path(path).read_text(encoding="utf-8")
        for fault, make in faults.items():
            bad = make(good)
            assert bad != good, fault
            Path("/root/broken").write_text(bad, encoding="utf-8")
            if complains("/root/broken"):
                counts["broken"] += 1
            else:
                problems.append("nobody finds %s in %s" % (fault, path))
    # An interface that isn't there yet is no fault.
    Path("/root/late").write_text(Path(_paths.KEEPALIVED_CONFIG).read_text(encoding="utf-8").replace("eth0", "eth9"))
    for complaint in keepalived_complains("/root/late"):
        problems.append("an interface that isn't there yet: %s" % complaint)


if __name__ == "__main__":
    sys.exit(main())
