"""How Sphinx builds the manual: ``make docs``. Nothing is fetched, and Airflow needs no database for it."""

from __future__ import annotations

from airflow_provider_ghl import __version__

project = "airflow-provider-ghl"
version = release = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc"]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"{project} {release}"
html_show_copyright = False

# The pages are read as plain Markdown too, so that links into them are those that a forge makes of headings.
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
# What is not ours has its own manuals, which a build without a network cannot look into.
nitpick_ignore_regex = [(r"py:.*", r"(?!airflow_provider_ghl\b).*")]
