"""The Jinja environment that renders pages; HTML is escaped, undefined names raise.

Not here: the content of a page, or where it is stored (`library`).
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from kalshi_assets.pages import words

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """Render the template of that name; in HTML every value is escaped unless it is Markup."""
    return _environment().get_template(template).render(**context)


@cache
def _environment() -> "Environment":
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

    environment = Environment(
        loader=PackageLoader("kalshi_assets.pages"),
        autoescape=select_autoescape(disabled_extensions=("md.j2",), default=True),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "dollars": words.dollars,
        "number": words.number,
        "percent": words.percent,
        "utc": words.utc,
    }
    return environment
