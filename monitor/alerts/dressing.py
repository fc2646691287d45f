"""Write a mail's style sheet into its elements: many mail programs look nowhere else."""

from css_inline import CSSInliner

# Nothing is fetched. Rules that ask for a dark screen cannot be inlined, and stay.
_INLINER = CSSInliner(keep_style_tags=False, keep_at_rules=True, load_remote_stylesheets=False)


def dressed(html: str) -> str:
    """Return *html* with the rules of its style blocks in its elements."""
    return _INLINER.inline(html) + "\n"
