# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# This module util is PRIVATE to the collection. It can have breaking changes at any time.
"""Files and folders of root's, in places where nobody else can write; and files of others, read with care.

Every path is walked by descriptors, component by component. Root and the owners that a caller names may write on the
way, nobody else. A link counts only where just root could have put it: an admin may have moved a folder.

Modes and owners are set, never left to the umask. A file is whole before it has its name.
"""

from __future__ import annotations

import errno
import os
import stat
import threading
from contextlib import contextmanager
from typing import Any, Callable, Collection, Dict, Iterator, List, Optional, Tuple, TypeVar

T = TypeVar("T")

ROOT = ROOT_GROUP = 0
# Where each walk begins; it's trusted as it is. Only tests have another one.
TOP = "/"
NOBODY_ELSE: Tuple[int, ...] = ()
FILE_LIMIT = 1 << 24
_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_MOST_LINKS = 20
_CHUNK = 1 << 16


class Untrusted(OSError):
    """Somebody who may not could have written there, or it isn't what it should be."""


# Folders


@contextmanager
def opened(path: str, owners: Collection[int] = NOBODY_ELSE, at: Optional[int] = None) -> Iterator[int]:
    """A folder's descriptor. `owners` may write to it besides root; a relative path is below the descriptor `at`."""
    descriptor = open_folder(path, owners, at)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def open_folder(path: str, owners: Collection[int] = NOBODY_ELSE, at: Optional[int] = None) -> int:
    """As `opened`; the caller closes it."""
    names = _names(path, at)
    here = os.dup(at) if at is not None else os.open(TOP, _FOLDER & ~os.O_NOFOLLOW)
    walked, links = [here], 0
    try:
        while names:
            name = names.pop(0)
            if name == "..":
                # Of the way that was come, not of the file system: what was walked is known.
                if len(walked) > 1:
                    os.close(walked.pop())
                continue
            try:
                below = os.open(name, _FOLDER, dir_fd=walked[-1])
            except OSError as error:
                target = _link(name, walked[-1], error, path)
                links += 1
                if links > _MOST_LINKS:
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path) from None
                if target.startswith("/"):
                    if at is not None:
                        raise Untrusted(errno.ELOOP, "%s is a link that leads elsewhere" % name, path) from None
                    while len(walked) > 1:
                        os.close(walked.pop())
                    names = _names(target, None) + names
                else:
                    names = _parts(target) + names
                continue
            walked.append(below)
            _check_folder(os.fstat(below), owners, path)
        return os.dup(walked[-1])
    finally:
        for descriptor in walked:
            os.close(descriptor)


def trouble(path: str) -> str:
    """Why root doesn't write into a folder, be it there or not; nothing where it may."""
    try:
        os.close(open_folder(path))
    except (FileNotFoundError, NotADirectoryError):
        above = os.path.dirname(path.rstrip("/"))
        return trouble(above) if len(above) > 1 else ""
    except OSError as error:
        return error.strerror or str(error)
    return ""


def make_folder(path: str, mode: int = 0o755, owner: Optional[int] = None, group: Optional[int] = None) -> bool:
    """A folder with this mode and owner, whether it's there or not. Those above it are root's. Whether it was mended.

    One that has belonged to somebody else is taken over as it is, with what is in it.
    """
    above, name = os.path.split(path.rstrip("/"))
    made = False
    with opened(_made(above)) as at:
        try:
            os.mkdir(name, 0o700, dir_fd=at)
            made = True
        except FileExistsError:
            if _is_link(name, at):
                with opened(path):
                    return False  # An admin's link to a folder of root's: theirs to look after.
        descriptor = os.open(name, _FOLDER, dir_fd=at)
        try:
            made = _give(descriptor, mode, owner, group) or made
        finally:
            os.close(descriptor)
        if made:
            os.fsync(at)
    return made


def folder_differs(path: str, mode: int = 0o755, owner: Optional[int] = None, group: Optional[int] = None) -> bool:
    """Whether `make_folder` would do anything."""
    found = status(path)
    if found is not None and stat.S_ISLNK(found.st_mode):
        return False
    return found is None or not stat.S_ISDIR(found.st_mode) or _differs(found, mode, owner, group)


def _made(path: str) -> str:
    """Make what is missing of a path, for root."""
    try:
        os.close(open_folder(path))
    except FileNotFoundError:
        make_folder(path)
    return path


def traps(folder: str) -> List[str]:
    """What is in a folder of root's and isn't a plain file with one name, or a folder: whoever had it left that."""
    found = []
    try:
        with opened(folder) as at:
            for name in sorted(os.listdir(at)):
                entry = os.stat(name, dir_fd=at, follow_symlinks=False)
                plain = stat.S_ISREG(entry.st_mode) and entry.st_nlink == 1
                if not plain and not stat.S_ISDIR(entry.st_mode):
                    found.append(os.path.join(folder, name))
    except (FileNotFoundError, NotADirectoryError, Untrusted):
        return []
    return found


# Files


def read(
    path: str,
    limit: int = FILE_LIMIT,
    owners: Collection[int] = NOBODY_ELSE,
    seconds: Optional[float] = None,
    at: Optional[int] = None,
) -> Optional[bytes]:
    """A plain file of root's or of `owners`; None where there's no such file. Never waits for a pipe or a device.

    `seconds` is for file systems that may hang. `at` is a descriptor that a relative path is below.
    """

    def now() -> Optional[bytes]:
        above, name = os.path.split(path)
        try:
            with opened(above, owners, at) as folder:
                descriptor = os.open(name, _READ, dir_fd=folder)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.ENXIO) and not isinstance(error, Untrusted):
                raise Untrusted(error.errno, "it isn't a plain file", path) from None
            raise
        try:
            _check_file(os.fstat(descriptor), owners, path)
            return _content(descriptor, limit, path)
        finally:
            os.close(descriptor)

    return now() if seconds is None else within(seconds, now, path)


@contextmanager
def reached(path: str) -> Iterator[str]:
    """A name by which to connect to this socket and to no other: of root's, or of whoever was given its folder."""
    above, name = os.path.split(path)
    owner = os.stat(above).st_uid
    with opened(above, [owner]) as at, _named(path):
        descriptor = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=at)
    try:
        found = os.fstat(descriptor)
        if not stat.S_ISSOCK(found.st_mode) or found.st_uid not in (ROOT, owner):
            raise Untrusted(errno.EINVAL, "it isn't a socket of its folder's owner", path)
        yield "/proc/self/fd/%d" % descriptor
    finally:
        os.close(descriptor)


def status(path: str) -> Optional[os.stat_result]:
    """Of what has this name itself, links not followed. None where there's nothing."""
    try:
        return os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None


class Batch:
    """Files that are replaced together: all are written before the first gets its name, and a failure undoes it all."""

    def __init__(self) -> None:
        self._files: List[Tuple[int, str, str]] = []
        self._replaced: List[Tuple[int, str, str]] = []

    def __enter__(self) -> Batch:
        return self

    def __exit__(self, *_why: object) -> None:
        for at, name, _path in reversed(self._replaced):
            _unlink(_old_name(name), at)
        for at, name, _path in self._files:
            _unlink(scratch_name(name), at)
            os.close(at)

    def add(
        self,
        path: str,
        content: bytes,
        mode: int,
        owner: Optional[int] = None,
        group: Optional[int] = None,
        before: Optional[Callable[[str], Any]] = None,
    ) -> None:
        """`before` may do more to the new file, by its path, before it gets its name."""
        above, name = os.path.split(path)
        at = open_folder(above)
        self._files.append((at, name, path))
        _forget_scratch(name, at)
        with _named(path):
            _write_new(scratch_name(name), at, content, mode, owner, group)
            if before is not None:
                before(os.path.join(above, scratch_name(name)))

    def commit(self) -> None:
        try:
            for at, name, path in self._files:
                with _named(path):
                    self._replace(at, name, path)
            for at, _name, path in self._files:
                with _named(path):
                    os.fsync(at)
        except BaseException:
            self._undo()
            raise

    def _replace(self, at: int, name: str, path: str) -> None:
        _unlink(_old_name(name), at)
        if _is_there(name, at):
            os.link(name, _old_name(name), src_dir_fd=at, dst_dir_fd=at, follow_symlinks=False)
        self._replaced.append((at, name, path))
        os.rename(scratch_name(name), name, src_dir_fd=at, dst_dir_fd=at)

    def _undo(self) -> None:
        """What was there has kept a second name; giving the first one back needs no space."""
        for at, name, _path in reversed(self._replaced):
            if _is_there(_old_name(name), at):
                os.rename(_old_name(name), name, src_dir_fd=at, dst_dir_fd=at)
            elif not _is_there(scratch_name(name), at):
                _unlink(name, at)


def write(
    path: str,
    content: bytes,
    mode: int,
    owner: Optional[int] = None,
    group: Optional[int] = None,
    before: Optional[Callable[[str], Any]] = None,
) -> None:
    """Replace a file, all or nothing."""
    with Batch() as batch:
        batch.add(path, content, mode, owner, group, before)
        batch.commit()


def write_new(path: str, content: bytes, mode: int, owner: Optional[int] = None, group: Optional[int] = None) -> None:
    """A file where there's none yet: never readable by more than those who may."""
    above, name = os.path.split(path)
    with opened(above) as at, _named(path):
        _write_new(name, at, content, mode, owner, group)
        os.fsync(at)


def mend(path: str, mode: int, owner: Optional[int] = None, group: Optional[int] = None) -> bool:
    """Give a plain file its mode and owner. Whether they were others; False where there's no such file."""
    above, name = os.path.split(path)
    try:
        with opened(above) as at:
            descriptor = os.open(name, _READ, dir_fd=at)
    except (FileNotFoundError, NotADirectoryError):
        return False
    try:
        found = os.fstat(descriptor)
        # A second name of it may be somebody's who waits for this.
        if not stat.S_ISREG(found.st_mode) or found.st_nlink != 1:
            raise Untrusted(errno.EINVAL, "it isn't a plain file with one name", path)
        return _give(descriptor, mode, owner, group)
    finally:
        os.close(descriptor)


def remove(path: str) -> bool:
    """Whether it was there."""
    above, name = os.path.split(path)
    try:
        with opened(above) as at:
            os.unlink(name, dir_fd=at)
            os.fsync(at)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def move(path: str, target: str) -> None:
    """Within one file system or by copy, with mode and owner. What was there is replaced."""
    content, found = read(path), os.lstat(path)
    write(target, content or b"", stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)
    remove(path)


def scratch_name(name: str) -> str:
    """What a file is called until it's whole. Hidden: the kubelet runs any other file in its folder."""
    return ".%s.kubeha-%d" % (name, os.getpid())


def _old_name(name: str) -> str:
    """What was there, until all of a batch is."""
    return scratch_name(name + ".old")


def scratch_files(folder: str) -> List[str]:
    """What runs that were killed have left."""
    try:
        names = sorted(os.listdir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    return [os.path.join(folder, name) for name in names if _is_dead_scratch(name, "")]


# Time


def within(seconds: float, call: Callable[[], T], what: str) -> T:
    """What a call returns, if it does so in time. One that hangs in the kernel is left behind."""
    found: Dict[str, Any] = {}

    def run() -> None:
        try:
            found["value"] = call()
        except BaseException as error:  # pylint: disable=broad-exception-caught  # handed on to the caller
            found["error"] = error

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if "error" in found:
        raise found["error"]
    if "value" not in found:
        raise Untrusted(errno.ETIMEDOUT, "it can't be read within %g s" % seconds, what)
    value: T = found["value"]
    return value


def _names(path: str, at: Optional[int]) -> List[str]:
    if at is not None:
        if path.startswith("/"):
            raise ValueError("%s isn't relative" % path)
        return _parts(path)
    top = TOP.rstrip("/") + "/"
    if not (path + "/").startswith(top):
        raise ValueError("%s isn't below %s" % (path, TOP))
    return _parts(path[len(top) - 1 :])


def _parts(path: str) -> List[str]:
    return [name for name in path.split("/") if name not in ("", ".")]


def _link(name: str, at: int, error: OSError, path: str) -> str:
    """Where a link leads that only root can have put there; else the error that came of it."""
    if error.errno not in (errno.ELOOP, errno.ENOTDIR) or not _is_link(name, at):
        raise OSError(error.errno, error.strerror, path) from None
    if not only_root_writes(os.fstat(at)) or os.stat(name, dir_fd=at, follow_symlinks=False).st_uid != ROOT:
        raise Untrusted(errno.ELOOP, "%s is a link that somebody else than root could have made" % name, path) from None
    return os.readlink(name, dir_fd=at)


def _is_link(name: str, at: int) -> bool:
    return stat.S_ISLNK(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode)


def only_root_writes(found: os.stat_result) -> bool:
    return found.st_uid == ROOT and not found.st_mode & 0o022


def _check_folder(found: os.stat_result, owners: Collection[int], path: str) -> None:
    if found.st_uid != ROOT and found.st_uid not in owners:
        raise Untrusted(errno.EPERM, "user %d owns a folder of this path, and only root may" % found.st_uid, path)
    if found.st_mode & 0o022:
        raise Untrusted(
            errno.EPERM, "others than its owner can write to a folder of this path (mode %04o)"
            % stat.S_IMODE(found.st_mode), path)


def _check_file(found: os.stat_result, owners: Collection[int], path: str) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise Untrusted(errno.EINVAL, "it isn't a plain file", path)
    if found.st_uid != ROOT and found.st_uid not in owners:
        raise Untrusted(errno.EPERM, "it belongs to user %d" % found.st_uid, path)


def _content(descriptor: int, limit: int, path: str) -> bytes:
    chunks: List[bytes] = []
    size = 0
    while True:
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > limit:
            raise Untrusted(errno.EFBIG, "it's larger than %d bytes" % limit, path)
        chunks.append(chunk)


def _or_root(owner: Optional[int], group: Optional[int]) -> Tuple[int, int]:
    return ROOT if owner is None else owner, ROOT_GROUP if group is None else group


def _differs(found: os.stat_result, mode: int, owner: Optional[int], group: Optional[int]) -> bool:
    return (stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid) != (mode, *_or_root(owner, group))


def _give(descriptor: int, mode: int, owner: Optional[int], group: Optional[int]) -> bool:
    found = os.fstat(descriptor)
    if not _differs(found, mode, owner, group):
        return False
    if (found.st_uid, found.st_gid) != _or_root(owner, group):
        os.fchown(descriptor, *_or_root(owner, group))
    os.fchmod(descriptor, mode)
    return True


def _write_new(
    name: str, at: int, content: bytes, mode: int, owner: Optional[int], group: Optional[int]
) -> None:
    descriptor = os.open(name, _NEW, 0o600, dir_fd=at)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fchown(descriptor, *_or_root(owner, group))
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
    except BaseException:
        _unlink(name, at)
        raise


@contextmanager
def _named(path: str) -> Iterator[None]:
    """Errors have the whole path of what was meant, and not a name below a descriptor."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None


def _is_there(name: str, at: int) -> bool:
    try:
        os.stat(name, dir_fd=at, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return True


def _unlink(name: str, at: int) -> None:
    try:
        os.unlink(name, dir_fd=at)
    except OSError:
        return


def _forget_scratch(name: str, at: int) -> None:
    """A run that was killed may have left one, with a secret in it."""
    for other in os.listdir(at):
        if _is_dead_scratch(other, name):
            _unlink(other, at)


def _is_dead_scratch(found: str, name: str) -> bool:
    """Of the file `name`, or of any where it's empty; and its writer has ended."""
    stem, mark, pid = found.rpartition(".kubeha-")
    if not mark or not stem.startswith(".") or not pid.isdigit():
        return False
    if name and stem not in ("." + name, ".%s.old" % name):
        return False
    return int(pid) == os.getpid() or not os.path.exists("/proc/" + pid)
