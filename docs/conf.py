"""How the documentation is built: ``make docs``."""

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

from lyapsk import __version__

project = "lyapsk"
copyright = "the lyapsk developers"
version = release = __version__

extensions = [
    "matplotlib.sphinxext.plot_directive",
    "myst_parser",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx_copybutton",
    "sphinx_gallery.gen_gallery",
]
templates_path = ["_templates"]
exclude_patterns = ["_build", "_templates", "examples"]
nitpicky = True
nitpick_ignore_regex = [
    ("py:.*", r"(collections|dask|joblib|matplotlib|numpy|optuna|sklearn|skorch|torch)\..*"),
    ("py:.*", r"lyapsk\..*\._.*"),
]

numpydoc_show_class_members = False
autosummary_generate = True
autodoc_default_options = {"members": True, "inherited-members": True}
myst_heading_anchors = 3

copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True

plot_formats = [("png", 150)]
plot_html_show_formats = False
plot_html_show_source_link = False
plot_include_source = True
plot_rcparams = {"figure.figsize": (5.4, 3.6), "figure.constrained_layout.use": True}

sphinx_gallery_conf = {
    "examples_dirs": "examples",
    "gallery_dirs": "gallery",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("lyapsk",),
    "reference_url": {"lyapsk": None},
    "within_subsection_order": "FileNameSortKey",
    "download_all_examples": False,
    "abort_on_example_error": True,
    "show_memory": False,
    "show_signature": False,
    "write_computation_times": False,
}

html_theme = "pydata_sphinx_theme"
html_title = "lyapsk"
html_show_sourcelink = False
html_static_path = ["_static"]
html_css_files = ["custom.css"]
html_sidebars = {page: [] for page in ("quick_start", "mathematics", "comparison", "limits")}
html_math_renderer = "mathml"
html_context = {"default_mode": "auto"}
html_theme_options = {
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}


def _mathml(display):
    """A visitor that writes formulas as MathML, which browsers show without a script."""

    def visit(self, node):
        self.body.append(tex2mathml(node.astext(), as_block=display))
        raise nodes.SkipNode

    return visit


def _not_ours(app, what, name, member, skip, options):
    """Leave out what classes inherit from other libraries, which describe it themselves."""
    home = getattr(getattr(member, "fget", None) or member, "__module__", None) or ""
    return None if home.startswith("lyapsk") else True


def setup(app):
    """Show formulas without any request over the network, and of classes only what is ours."""
    app.connect("autodoc-skip-member", _not_ours)
    app.add_html_math_renderer("mathml", (_mathml(False), None), (_mathml(True), None))
