# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import dataclasses
import io
import json
import random
import subprocess
import sys
import zipfile

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.run import _lease, _lease_io
from ansible_collections.kubeha.apiserver.plugins.module_utils.run._run_lock import Clock
from ansible_collections.kubeha.apiserver.plugins.plugin_utils.files import _render
from ansible_collections.kubeha.apiserver.tests.unit.planning import intent as intend
from ansible_collections.kubeha.apiserver.tests.unit.planning import plan as compute

RUN = {"controller": "a", "process": 1, "started": "7", "name": "one@a"}
VIP = "198.51.100.100"


def at(now, boot="boot"):
    return Clock(boot, now)


def begun(now=0.0, life=600.0, before=None, running=False):
    return _lease.begun(before or {}, at(now), RUN, life, "service", running=running)


def test_a_run_that_renews_its_lease_is_waited_for():
    lease = begun()
    for now in range(0, 6000, 500):
        lease = begun(now, before=lease)
        assert _lease.step(lease, at(now + 599.0), False, False).what == _lease.WAIT
    assert lease["since"] == 0.0
    assert _lease.step(lease, at(now + 601.0), False, False).what == _lease.LOOK


def test_after_a_restart_of_the_host_the_run_has_its_word_once_more():
    lease = begun(5000.0)
    assert _lease.step(lease, at(10.0, "next"), False, False).what == _lease.WAIT
    assert _lease.step(lease, at(601.0, "next"), False, False).what == _lease.LOOK
    assert _lease.step(begun(10.0, before=lease), at(601.0), False, False).what == _lease.WAIT


def test_what_is_no_lease_starts_nothing():
    for found in (None, [], {}, {"schema": 2}, dict(begun(), until="x"), dict(begun(), life=float("nan")),
                  dict(begun(), run=None), dict(begun(), manifest=None)):
        assert _lease.lease_of(found) == {}
    assert _lease.lease_of(json.loads(json.dumps(begun()))) == begun()
    assert _lease.step({}, at(1e6), False, False).what == _lease.END


def test_another_run_that_changes_the_host_is_waited_for():
    assert _lease.step(begun(), at(601.0), False, True).what == _lease.WAIT
    assert _lease.step(begun(), at(601.0), True, True).what == _lease.GUARD


def test_a_run_that_has_ended_leaves_the_host_alone_at_once_and_over_reboots():
    lease = begun(1000.0, 0.0)
    for clock in (at(1000.0), at(1.0, "next")):
        assert _lease.left(lease, clock) == 0
        assert _lease.step(lease, clock, True, False).what == _lease.GUARD
        assert _lease.step(lease, clock, False, False).what == _lease.LOOK


def test_what_runs_by_a_lease_is_watched_until_a_run_has_stopped_it():
    ended = begun(0.0)
    assert begun(601.0, before=ended, running=True) == ended
    assert _lease.left(begun(601.0, before=ended), at(601.0)) == 600
    # Within the run's word nothing has been started by it.
    assert _lease.left(begun(599.0, before=ended, running=True), at(599.0)) == 600


def test_a_pod_that_starts_with_its_host_is_watched_at_once():
    spoke = dict(begun(0.0), phase=_lease.SPEAKING)
    assert _lease.step(spoke, at(1.0, "next"), True, False).what == _lease.GUARD
    assert _lease.step(begun(0.0), at(1.0, "next"), True, False).what == _lease.WAIT
    assert _lease.step(spoke, at(1.0, "next"), False, False).what == _lease.WAIT


def test_what_is_due_never_comes_early_and_always_comes():
    """A lease is renewed, or not; the host restarts. Wall clocks don't exist here, so they can't jump."""
    random_ = random.Random(11)
    for dummy in range(500):
        life = random_.choice([20.0, 600.0])
        clock = at(random_.uniform(0, 1e5), "0")
        lease = _lease.begun({}, clock, RUN, life, "service")
        given = life
        for number in range(30):
            passed = random_.choice([0.1, 5.0, life / 2, life * 2])
            given -= passed
            clock = Clock(clock.boot, clock.now + passed)
            if random_.random() < 0.1:
                # What was left of it isn't known any more.
                clock, given = at(1.0, str(number + 1)), life - 1.0
            if random_.random() < 0.3:
                lease, given = _lease.begun(lease, clock, RUN, life, "service"), life
            step = _lease.step(lease, clock, False, False)
            assert abs(given) < 0.01 or (step.what == _lease.WAIT) == (given > 0), (given, step)
            assert 0 < step.pause <= _lease.RETRY
        assert _lease.step(lease, Clock(clock.boot, clock.now + life + 1), False, False).what == _lease.LOOK


# What is spoken


def rendered(host="cp2", **intent):

    plan = compute(intend(**intent))
    files = _render.render_host(plan, host, str(_render_folder()), roles=("keepalived",))
    return next(file["content"] for file in files if file["kind"] == "keepalived")


def _render_folder():
    from pathlib import Path
    return Path(__file__).resolve().parents[5] / "roles"


def test_what_a_configuration_of_ours_speaks():
    pytest.importorskip("jinja2", reason="files are rendered on the controller")
    [mine] = _lease.dialects(rendered())
    assert (mine.vrid, mine.version, mine.auth, mine.vips) == (100, 3, "none", frozenset([VIP]))
    assert mine.source == "198.51.100.12"
    assert mine.peers == frozenset(["198.51.100.11", "198.51.100.13"])
    [other] = _lease.dialects(rendered(vrrp_transport="multicast"))
    assert other.peers == frozenset() and other.source == "198.51.100.12"
    [third] = _lease.dialects(rendered(auth="pass", auth_password="s3cret"))
    assert third.auth == "pass" and third.version == 2 and "s3cret" not in repr(third)
    for text in ("", "vrrp_instance x {\n}\n", "nonsense {", "}\n}\n"):
        with pytest.raises(ValueError, match="instance"):
            _lease.dialects(text)


MINE = _lease.Dialect("eth0", 100, 3, "none", "", 0.1, frozenset([VIP]), "198.51.100.12",
                      frozenset(["198.51.100.11", "198.51.100.13"]))
ADVERT = _lease.Heard("eth0", "198.51.100.11", 100, 3, "none", "", 0.1, frozenset([VIP]), 150)


def test_it_starts_where_nobody_holds():
    assert _lease.may_start([MINE], {VIP: False}, []) == _lease.Answer(True, "nobody has its addresses", True)


def test_it_starts_beside_a_holder_that_it_hears():
    answer = _lease.may_start([MINE], {VIP: True}, [ADVERT])
    assert answer.start and not answer.alone


@pytest.mark.parametrize(("change", "why"), [
    ({"vrid": 101}, "another way"), ({"group": True}, "another way"), ({"version": 2}, "another way"),
    ({"auth": "pass"}, "another way"),
    ({"addresses": frozenset([VIP, "198.51.100.101"])}, "another way"),
    ({"interface": "eth1"}, "isn't heard"), ({"source": "198.51.100.66"}, "isn't heard"),
    ({"priority": 0}, "isn't heard"), ({"vrid": 7, "addresses": frozenset(["198.51.100.7"])}, "isn't heard"),
])
def test_it_never_starts_beside_a_holder_that_speaks_another_way(change, why):
    answer = _lease.may_start([MINE], {VIP: True}, [dataclasses.replace(ADVERT, **change)])
    assert not answer.start and why in answer.why


def test_it_never_starts_beside_a_holder_that_is_not_heard_or_not_known():
    assert "isn't heard" in _lease.may_start([MINE], {VIP: True}, []).why
    assert "can't be asked" in _lease.may_start([MINE], {}, []).why
    two = dataclasses.replace(MINE, vrid=101, vips=frozenset(["198.51.100.101"]))
    answer = _lease.may_start([MINE, two], {VIP: True, "198.51.100.101": True}, [ADVERT])
    assert not answer.start and "198.51.100.101" in answer.why


def test_passwords_and_intervals_of_version_2_have_to_agree():
    mine = dataclasses.replace(MINE, version=2, auth="pass", password="one", interval=1.0)
    advert = dataclasses.replace(ADVERT, version=2, auth="pass", password="one", interval=1.0)
    assert _lease.may_start([mine], {VIP: True}, [advert]).start
    assert not _lease.may_start([mine], {VIP: True}, [dataclasses.replace(advert, password="two")]).start
    assert not _lease.may_start([mine], {VIP: True}, [dataclasses.replace(advert, interval=2.0)]).start
    hmac = dataclasses.replace(MINE, auth="hmac")
    assert not _lease.may_start([hmac], {VIP: True}, [dataclasses.replace(ADVERT, auth="hmac")]).start


def test_a_stranger_keeps_nobody_silent():
    junk = dataclasses.replace(ADVERT, source="198.51.100.66", version=2)
    assert _lease.may_start([MINE], {VIP: False}, [junk]).start
    assert _lease.may_start([MINE], {VIP: True}, [ADVERT, junk]).start


def test_hosts_that_may_differ_do_not_start_at_the_same_time():
    others = [dataclasses.replace(MINE, source=source, peers=MINE.peers | {MINE.source} - {source})
              for source in sorted(MINE.peers | {MINE.source})]
    assert [_lease.turn([item]) for item in others] == [0.0, _lease.APART, 2 * _lease.APART]


def test_both_families_may_have_one_virtual_router_id():
    mine = dataclasses.replace(MINE, peers=frozenset())
    four = dataclasses.replace(ADVERT, group=True)
    six = dataclasses.replace(mine, vips=frozenset(["2001:db8::64"]), source="2001:db8::12")
    advert = dataclasses.replace(four, addresses=six.vips, source="fe80::11")
    assert _lease.may_start([mine, six], {VIP: True, "2001:db8::64": True}, [four, advert]).start
    assert not _lease.may_start([mine, six], {VIP: True, "2001:db8::64": True}, [ADVERT]).start


def test_who_says_to_have_a_vip_in_another_way_is_a_rival():
    assert not _lease.is_rival([MINE], ADVERT)
    assert _lease.is_rival([MINE], dataclasses.replace(ADVERT, vrid=77))
    # A stranger, one that lets go, and one that has other addresses.
    for change in ({"source": "198.51.100.66"}, {"priority": 0}, {"addresses": frozenset(["198.51.100.7"])}):
        assert not _lease.is_rival([MINE], dataclasses.replace(ADVERT, vrid=77, **change))


def test_a_hand_over_is_no_conflict():
    assert _lease.conflict([VIP], {VIP: True}, {VIP: False}) == ()
    assert _lease.conflict([], {VIP: True}, {VIP: True}) == ()
    assert _lease.conflict([VIP], {VIP: True}, {VIP: True}) == (VIP,)


def test_what_status_says():
    lease = begun(100.0)
    assert _lease.described(lease, at(160.0), False) == {
        "run": "one@a", "since": 60.0, "left": 540.0, "phase": "silent", "why": ""}
    assert _lease.described({}, at(160.0), None) == {}


def test_the_hosts_program_needs_nothing_but_itself(tmp_path):
    path = tmp_path / "lease.pyz"
    path.write_bytes(_lease_io.archive())
    assert _lease_io.archive() == path.read_bytes()
    names = zipfile.ZipFile(io.BytesIO(path.read_bytes())).namelist()
    assert all(name == "__main__.py" or name.startswith("ansible_collections/") for name in names)
    code = "import sys; sys.path.insert(0, %r); import %s as w; assert %r in w.__file__; " \
           "assert 'ansible' not in sys.modules" % (str(path), _lease_io._lease_watch_io.__name__, str(path))
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)
