# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading

import pytest
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="hosts are Linux")
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root gives files to others")
POD = 99


@pytest.fixture(name="top", autouse=True)
def fixture_top(tmp_path, monkeypatch):
    tmp_path.chmod(0o755)
    monkeypatch.setattr(owned, "TOP", str(tmp_path))
    monkeypatch.setattr(owned, "ROOT", os.getuid())
    monkeypatch.setattr(owned, "ROOT_GROUP", os.getgid())
    (tmp_path / "etc").mkdir(mode=0o755)
    (tmp_path / "etc").chmod(0o755)
    return tmp_path


@pytest.fixture(name="write")
def fixture_write():
    def write(path, content=b"new\n", mode=0o644, owner=None, group=None, **how):
        owned.write(str(path), content, mode, owner, group, **how)

    return write


@pytest.fixture(name="umask", params=[0o000, 0o022, 0o027, 0o077, 0o777])
def fixture_umask(request):
    before = os.umask(request.param)
    yield request.param
    os.umask(before)


def mode_of(path):
    return stat.S_IMODE(os.lstat(path).st_mode)


def names(folder):
    return sorted(os.listdir(folder))


def test_a_file_is_replaced_whole_with_its_mode(top, write, umask):
    path = top / "etc/x"
    write(path)
    write(path, b"newer\n", 0o640)
    assert (path.read_bytes(), mode_of(path), names(top / "etc")) == (b"newer\n", 0o640, ["x"])
    assert owned.read(str(path)) == b"newer\n"


def test_folders_have_their_mode_whatever_the_umask(top, umask):
    path = str(top / "run/kubeha/deep")
    for wanted in (True, False):
        assert owned.folder_differs(path, 0o711) == wanted
        assert owned.make_folder(path, 0o711) == wanted
    assert [mode_of(top / name) for name in ("run", "run/kubeha", "run/kubeha/deep")] == [0o755, 0o755, 0o711]


@pytest.mark.parametrize("mode", [0o700, 0o750, 0o777])
def test_a_folders_wrong_mode_is_mended(top, mode):
    path = top / "run"
    path.mkdir()
    path.chmod(mode)
    assert owned.folder_differs(str(path), 0o755)
    assert owned.make_folder(str(path), 0o755)
    assert mode_of(path) == 0o755


def test_a_files_wrong_mode_is_mended(top):
    path = top / "etc/x"
    path.touch(0o600)
    assert owned.mend(str(path), 0o644)
    assert not owned.mend(str(path), 0o644)
    assert not owned.mend(str(top / "etc/none"), 0o644)
    assert mode_of(path) == 0o644


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o1777])
def test_nothing_is_done_where_others_can_write(top, write, mode):
    shared = top / "shared"
    (shared / "below").mkdir(parents=True)
    (shared / "below/x").write_bytes(b"x")
    shared.chmod(mode)
    for path in (shared / "x", shared / "below/x"):
        for call in (write, lambda p: owned.mend(p, 0o600), owned.remove, owned.read, owned.make_folder):
            with pytest.raises(owned.Untrusted):
                call(str(path))
    assert names(shared) == ["below"] and names(shared / "below") == ["x"]


@needs_root
def test_nothing_is_done_in_a_folder_of_somebody_elses(top, write):
    theirs = top / "theirs"
    theirs.mkdir(mode=0o755)
    os.chown(theirs, POD, POD)
    (theirs / "x").write_bytes(b"x")
    with pytest.raises(owned.Untrusted, match="user 99 owns"):
        write(theirs / "y")
    with pytest.raises(owned.Untrusted):
        owned.read(str(theirs / "x"))
    # But it's read, where it's known to be theirs.
    assert owned.read(str(theirs / "x"), owners=[POD]) == b"x"


@needs_root
@pytest.mark.parametrize("kind", ["link", "hard link", "pipe", "folder"])
def test_what_somebody_planted_is_not_what_root_writes_to(top, write, kind):
    """A pod's user has had this folder and has left traps; then it's root's again."""
    secret = top / "etc/shadow"
    secret.write_bytes(b"secret")
    secret.chmod(0o600)
    folder = top / "run"
    folder.mkdir(mode=0o755)
    for name in ("running", owned.scratch_name("running")):
        trap = folder / name
        if kind == "link":
            trap.symlink_to(secret)
        elif kind == "hard link":
            os.link(secret, trap)
        elif kind == "pipe":
            os.mkfifo(trap)
    if kind == "folder":
        (folder / "running").mkdir()
        with pytest.raises(OSError):
            write(folder / "running")
    else:
        write(folder / "running", b"sum\n", 0o644, POD, POD)
        assert (folder / "running").read_bytes() == b"sum\n" and (folder / "running").stat().st_uid == POD
    assert (secret.read_bytes(), mode_of(secret), secret.stat().st_uid) == (b"secret", 0o600, 0)
    assert not [name for name in names(folder) if name != "running"]


@pytest.mark.parametrize("kind", ["link", "pipe", "socket", "folder", "device"])
def test_only_plain_files_are_read_and_nothing_waits(top, kind):
    path = top / "etc/x"
    if kind == "link":
        path.symlink_to(top / "etc/y")
        (top / "etc/y").write_bytes(b"y")
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        os.mknod(path, 0o644 | stat.S_IFSOCK)
    elif kind == "folder":
        path.mkdir()
    elif os.getuid() == 0:
        os.mknod(path, 0o644 | stat.S_IFCHR, os.makedev(1, 5))
    with pytest.raises((owned.Untrusted, FileNotFoundError)) if kind == "device" and os.getuid() else pytest.raises(
            owned.Untrusted):
        owned.read(str(path))
        raise FileNotFoundError


def test_a_pipe_is_not_mended_and_neither_is_a_second_name(top):
    os.mkfifo(top / "etc/pipe")
    (top / "etc/x").touch()
    os.link(top / "etc/x", top / "etc/y")
    for name in ("pipe", "y"):
        with pytest.raises(owned.Untrusted):
            owned.mend(str(top / "etc" / name), 0o600)


def test_reading_has_a_limit(top):
    (top / "etc/x").write_bytes(b"12345")
    assert owned.read(str(top / "etc/x"), limit=5) == b"12345"
    with pytest.raises(owned.Untrusted, match="larger than 4 bytes"):
        owned.read(str(top / "etc/x"), limit=4)
    assert owned.read(str(top / "etc/none")) is None
    assert owned.read(str(top / "none/x")) is None
    assert owned.read(str(top / "etc/x/below")) is None


def test_reading_ends_in_time(top, monkeypatch):
    go_on = threading.Event()
    monkeypatch.setattr(owned, "_content", lambda *arguments: go_on.wait(30) or b"")
    (top / "etc/x").touch()
    with pytest.raises(owned.Untrusted, match="within 0.05 s"):
        owned.read(str(top / "etc/x"), seconds=0.05)
    go_on.set()
    monkeypatch.undo()


def test_reading_below_a_descriptor(top):
    (top / "etc/deep").mkdir(mode=0o755)
    (top / "etc/deep/x").write_bytes(b"x")
    (top / "etc/out").symlink_to(top / "etc/deep")
    with owned.opened(str(top / "etc")) as at:
        assert owned.read("deep/x", at=at) == b"x"
        assert owned.read("../etc/deep/x", at=at) is None
        with pytest.raises(owned.Untrusted):
            owned.read("out/x", at=at)


def test_an_admins_own_link_to_a_folder_of_roots_counts(top, write):
    """A kubelet's folder on another disk."""
    (top / "data/kubelet").mkdir(parents=True)
    for name in ("data", "data/kubelet"):
        (top / name).chmod(0o755)
    (top / "lib").symlink_to("data/kubelet")
    (top / "again").symlink_to("./etc/../lib")
    write(top / "again/config.json", b"{}")
    assert (top / "data/kubelet/config.json").read_bytes() == b"{}"
    assert not owned.make_folder(str(top / "again"))
    (top / "loop").symlink_to("loop")
    with pytest.raises(OSError) as caught:
        write(top / "loop/x")
    assert caught.value.errno == errno.ELOOP


@needs_root
def test_a_link_of_somebody_elses_does_not(top, write):
    (top / "way").symlink_to("etc")
    os.lchown(top / "way", POD, POD)
    with pytest.raises(owned.Untrusted, match="is a link"):
        write(top / "way/x")
    assert names(top / "etc") == []


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(top, write, monkeypatch):
    path = top / "etc/x"
    write(path, b"old\n")
    for name in ("fsync", "fchmod", "fchown", "rename"):
        def fails(*_arguments, **_more):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

        with monkeypatch.context() as patched:
            patched.setattr(os, name, fails)
            with pytest.raises(OSError, match="No space left"):
                write(path, b"new\n")
        assert (path.read_bytes(), names(top / "etc")) == (b"old\n", ["x"])


def test_what_a_killed_run_left_goes_with_the_next_write(top, write):
    (top / "etc/.x.kubeha-999999999").write_bytes(b"secret")
    (top / "etc/.y.kubeha-999999999").write_bytes(b"secret")
    # Another run's, which is alive.
    (top / "etc/.x.kubeha-1").write_bytes(b"half")
    write(top / "etc/x")
    assert names(top / "etc") == [".x.kubeha-1", ".y.kubeha-999999999", "x"]
    assert owned.scratch_files(str(top / "etc")) == [str(top / "etc/.y.kubeha-999999999")]


def test_a_new_file_is_no_other(top):
    owned.write_new(str(top / "etc/x"), b"1", 0o600)
    with pytest.raises(FileExistsError):
        owned.write_new(str(top / "etc/x"), b"2", 0o600)
    assert (top / "etc/x").read_bytes() == b"1"


def test_traps_are_seen(top):
    (top / "etc/plain").touch()
    (top / "etc/folder").mkdir()
    (top / "etc/trap.new").symlink_to("/etc/shadow")
    os.mkfifo(top / "etc/pipe")
    (top / "etc/folder/x").touch()
    os.link(top / "etc/folder/x", top / "etc/second")
    assert owned.traps(str(top / "etc")) == [str(top / "etc" / name) for name in ("pipe", "second", "trap.new")]
    assert owned.traps(str(top / "none")) == []


def test_a_batch_that_fails_leaves_all_as_it_was(top, write, monkeypatch):
    write(top / "etc/a", b"old a")
    write(top / "etc/b", b"old b")
    (top / "run").mkdir(mode=0o755)
    rename = os.rename

    def fails(source, target, **folders):
        if target == "c":
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        rename(source, target, **folders)

    with monkeypatch.context() as patched:
        patched.setattr(os, "rename", fails)
        with pytest.raises(OSError, match="Read-only file system: '%s" % (top / "etc/c")), owned.Batch() as batch:
            for name in ("a", "new", "b", "c"):
                batch.add(str(top / "etc" / name), b"new", 0o644)
            assert (top / "etc/a").read_bytes() == b"old a"
            batch.commit()
    assert names(top / "etc") == ["a", "b"]
    assert [(top / "etc" / name).read_bytes() for name in "ab"] == [b"old a", b"old b"]
    with owned.Batch() as batch:
        batch.add(str(top / "etc/a"), b"new", 0o644)
        batch.add(str(top / "run/x"), b"new", 0o600)
        batch.commit()
    assert (names(top / "etc"), names(top / "run")) == (["a", "b"], ["x"])
    assert (top / "etc/a").read_bytes() == (top / "run/x").read_bytes() == b"new"


def test_moving_keeps_the_mode(top):
    (top / "etc/x").write_bytes(b"x")
    (top / "etc/x").chmod(0o640)
    owned.move(str(top / "etc/x"), str(top / "etc/y"))
    assert (names(top / "etc"), mode_of(top / "etc/y")) == (["y"], 0o640)


FULL_DISK = """
import os, subprocess, sys
from ansible_collections.kubeha.apiserver.plugins.module_utils.host import _owned_files_io as owned
owned.TOP = top = sys.argv[1]
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32k,mode=755", "none", top + "/etc"], check=True)
paths = [top + "/etc/" + name for name in "abc"]
for path in paths:
    owned.write(path, b"o" * 4096, 0o600)
def fails(said):
    try:
        with owned.Batch() as batch:
            for path in paths:
                batch.add(path, b"n" * 12288, 0o600)
            batch.commit()
    except OSError as error:
        print(error)
    assert sorted(os.listdir(top + "/etc")) == ["a", "b", "c"]
    assert all(owned.read(path) == b"o" * 4096 for path in paths)
fails("full")
subprocess.run(["mount", "-o", "remount,ro", top + "/etc"], check=True)
fails("read-only")
"""


@needs_root
def test_a_disk_that_is_really_full_or_read_only(top):
    command = ["unshare", "--mount", sys.executable, "-c", FULL_DISK, str(top)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                          env=dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, sys.path))))
    if "unshare" in done.stderr or "mount:" in done.stderr:
        pytest.skip("mounting isn't allowed here")
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    assert said == ["[Errno 28] No space left on device: '%s'" % (top / "etc/b"),
                    "[Errno 30] Read-only file system: '%s'" % (top / "etc/a")]
