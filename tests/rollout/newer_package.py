# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a lab host: offer the package NAME, which is the argument, with a newer version and nothing else new."""

from __future__ import annotations

import glob
import hashlib
import os
import re
import shutil
import subprocess
import sys
import tempfile

FOLDER = "/srv/apt"
LISTING = FOLDER + "/Packages"


def main() -> None:
    name = sys.argv[1]
    with open(LISTING, encoding="utf-8") as file:
        stanzas = file.read().split("\n\n")
    index, stanza = next(item for item in enumerate(stanzas) if value(item[1], "Package") == name)
    base, _plus, number = value(stanza, "Version").partition("+newer")
    version = "%s+newer%d" % (base, int(number or 0) + 1)
    package = build(os.path.join(FOLDER, value(stanza, "Filename")), version, "%s/%s_newer.deb" % (FOLDER, name))
    with open(package, "rb") as file:
        content = file.read()
    for key, new in {"Version": version, "Filename": "./" + os.path.basename(package), "Size": str(len(content)),
                     "SHA256": hashlib.sha256(content).hexdigest()}.items():
        stanza = re.sub("^%s: .*$" % key, "%s: %s" % (key, new), stanza, flags=re.M)
    stanzas[index] = re.sub(r"^(MD5sum|SHA1|SHA512): .*\n?", "", stanza, flags=re.M).rstrip("\n")
    with open(LISTING, "w", encoding="utf-8") as file:
        file.write("\n\n".join(stanzas))
    # What was derived from the listing before.
    for pattern in (LISTING + ".*", FOLDER + "/*Release*", "/var/lib/apt/lists/*_Packages*"):
        for path in glob.glob(pattern):
            os.unlink(path)
    subprocess.run(["apt-get", "update", "--quiet"], check=True)


def value(stanza: str, key: str) -> str:
    found = re.search("^%s: (.*)$" % key, stanza, re.M)
    return found.group(1) if found else ""


def build(package: str, version: str, target: str) -> str:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--raw-extract", package, folder + "/root"], check=True)
        control = folder + "/root/DEBIAN/control"
        with open(control, encoding="utf-8") as file:
            text = file.read()
        with open(control, "w", encoding="utf-8") as file:
            file.write(re.sub("^Version: .*$", "Version: " + version, text, flags=re.M))
        subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--build", folder + "/root", folder + "/new.deb"], check=True)
        shutil.move(folder + "/new.deb", target)
    return target


if __name__ == "__main__":
    main()
