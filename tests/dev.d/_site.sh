# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
#
# One site of the guides and the plugins' pages. Source _common.sh and _python.sh first.
#
#   build_site COLLECTION PYTHON    prints the site's path

build_site() {
    local collection=$1 environment source=$CACHE/site-source site=$CACHE/site
    environment=$(venv site "$ROOT/tests/requirements/site.txt" "$2")
    rm -rf "$source" "$site"
    mkdir -p "$source/_static" "$source/collection"
    # Other users could have antsibull-docs write elsewhere.
    chmod 755 "$source" "$source/collection"
    cp -r "$collection"/{README.md,README.zh-CN.md,CONTRIBUTING.md,CODE_OF_CONDUCT.md,CHANGELOG.md,docs} "$source"
    mv "$source"/docs/docsite/{conf.py,index.md} "$source"
    mv "$source/docs/docsite/site.css" "$source/_static"
    step "pages of plugins and roles" -- "$environment/bin/antsibull-docs" collection --use-current --squash-hierarchy \
        --no-breadcrumbs --dest-dir "$source/collection" kubeha.apiserver
    # A link or a page that can't be resolved is an error.
    step "site" -- "$environment/bin/sphinx-build" --quiet --fail-on-warning --keep-going -b html "$source" "$site"
    printf '%s\n' "$site/index.html"
}
