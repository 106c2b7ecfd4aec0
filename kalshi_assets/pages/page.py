"""The environment that renders pages: Jinja's, with HTML escaped and unknown names refused.

Not here: what stands on a page, or where it lies (`library`).
"""

from functools import cache
from typing import TYPE_CHECKING, Any

from kalshi_assets.pages import words

if TYPE_CHECKING:
    from jinja2 import Environment


def render(template: str, **context: Any) -> str:
    """A page from the template of that name; in HTML every value is escaped unless it is Markup."""
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
