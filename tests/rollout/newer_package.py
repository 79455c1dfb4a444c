# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""On a lab host: offer the package NAME, which is the argument, with a newer version and nothing else new. With
"broken" as the second argument its program ends at once with an error."""

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
    # All that are on offer stay there. The first one is what the distribution made.
    offered = [item for item in stanzas if value(item, "Package") == name]
    stanza = offered[0]
    version = "%s+newer%d" % (value(stanza, "Version"), len(offered))
    package = build(os.path.join(FOLDER, value(stanza, "Filename")), version,
                    "%s/%s_%s.deb" % (FOLDER, name, version.replace(":", "-")), "broken" in sys.argv[2:])
    with open(package, "rb") as file:
        content = file.read()
    for key, new in {"Version": version, "Filename": "./" + os.path.basename(package), "Size": str(len(content)),
                     "SHA256": hashlib.sha256(content).hexdigest()}.items():
        stanza = re.sub("^%s: .*$" % key, "%s: %s" % (key, new), stanza, flags=re.M)
    stanza = re.sub(r"^(MD5sum|SHA1|SHA512): .*\n?", "", stanza, flags=re.M)
    with open(LISTING, "w", encoding="utf-8") as file:
        file.write("\n\n".join(item.strip("\n") for item in [*stanzas, stanza] if item.strip()) + "\n")
    # What was derived from the listing before.
    for pattern in (LISTING + ".*", FOLDER + "/*Release*", "/var/lib/apt/lists/*_Packages*"):
        for path in glob.glob(pattern):
            os.unlink(path)
    subprocess.run(["apt-get", "update", "--quiet"], check=True)


def value(stanza: str, key: str) -> str:
    found = re.search("^%s: (.*)$" % key, stanza, re.M)
    return found.group(1) if found else ""


def build(package: str, version: str, target: str, broken: bool) -> str:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(["dpkg-deb", "--raw-extract", package, folder + "/root"], check=True)
        control = folder + "/root/DEBIAN/control"
        with open(control, encoding="utf-8") as file:
            text = file.read()
        with open(control, "w", encoding="utf-8") as file:
            file.write(re.sub("^Version: .*$", "Version: " + version, text, flags=re.M))
        if broken:
            name = value(text, "Package")
            with open("%s/root/usr/sbin/%s" % (folder, name), "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho 'this one is broken' >&2\nexit 1\n")
        subprocess.run(["dpkg-deb", "-Zgzip", "-z1", "--build", folder + "/root", folder + "/new.deb"], check=True)
        shutil.move(folder + "/new.deb", target)
    return target


if __name__ == "__main__":
    main()
