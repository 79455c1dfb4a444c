# Copyright (c) 2026, the kubeha.apiserver authors
# GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: the guides, and the plugins' pages as antsibull-docs writes them. `./dev docs --site` builds it."""

project = "kubeha.apiserver"
author = "the kubeha.apiserver authors"
extensions = ["myst_parser", "sphinx_antsibull_ext"]
html_theme = "sphinx_ansible_theme"
html_theme_options = {"navigation_depth": 2, "documentation_home_url": "index.html", "vcs_pageview_mode": ""}
html_show_sphinx = False
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_title = project
root_doc = "index"
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}
myst_heading_anchors = 4
# Files of the repository that are no pages, and labels of Ansible's own documentation.
suppress_warnings = ["myst.xref_missing", "myst.header", "ref.ref"]
