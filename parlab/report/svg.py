"""What all pictures for paper share: their width and their texts. They are plain SVG, dark on white."""

from collections.abc import Sequence

from markupsafe import Markup, escape

WIDTH, LEFT, RIGHT = 1000, 130, 20  # the width of a picture and its margins; in pixels
LETTER = 7.2  # pixels of a letter, at most


def text_at(x: float, y: float, text: str, anchor: str = "start") -> str:
    """A text; its anchor is `start`, `middle` or `end`."""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def picture(parts: Sequence[str], height: float, title: str) -> Markup:
    """The picture of these parts; its title is for readers who cannot see it."""
    body = "".join(parts)
    return Markup(  # all text in it is escaped
        f'<svg class="on-paper" viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{body}</svg>'
    )
