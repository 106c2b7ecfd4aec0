"""From templates to files: the environment that renders pages, and how a page is written.

Here: Jinja's environment with HTML escaped and unknown names refused, the paths of pages, the
atomic write. Not here: what stands on a page.
"""

import datetime as dt
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kalshi_assets.lake.files import write_atomically
from kalshi_assets.pages import words

if TYPE_CHECKING:
    from jinja2 import Environment


def day_path(root: Path, city: str, date: dt.date) -> Path:
    """Where the page of a city-day lies under the data folder `root`."""
    return root / "reports" / city / f"{date}.html"


def index_path(root: Path) -> Path:
    """Where the index of all city-days lies under the data folder `root`."""
    return root / "reports" / "index.html"


def write_page(path: Path, html: str) -> Path:
    """Write `html` so that a reader sees the old page or the new one, never half of one.

    The disk is not waited for: it is busy with the partitions that the page can be made of again.

    Parameters
    ----------
    path
        The page; folders are made.
    html
        Its text.

    Returns
    -------
    `path`.
    """
    write_atomically(
        path, lambda temporary: temporary.write_text(html, encoding="utf-8"), flush=False
    )
    return path


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
