"""Markdown documents with figures: from a template to files.

Here: rendering, wrapping of text, writing files. Not here: a document's text (`templates`) or its
numbers.
"""

import textwrap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kalshi_assets.pages.canvas import Sheet
from kalshi_assets.pages.markdown import cross_table, estimate, p_value, signed, table
from kalshi_assets.pages.page import render
from kalshi_assets.pages.svg import svg_file
from kalshi_assets.pages.words import number

PICTURES = "pictures"


def document(template: str, **context: Any) -> str:
    """Render the template of that name and wrap its text at 100 characters.

    Blocks are separated by empty lines; those that begin with `|`, `#` or `!` are left unchanged.
    """
    tools = (table, cross_table, estimate, signed, p_value, number)
    text = render(template, **{tool.__name__: tool for tool in tools}, **context)
    blocks = (block.strip("\n") for block in text.split("\n\n"))
    return "\n\n".join(_filled(block) for block in blocks if block.strip()) + "\n"


def _filled(block: str) -> str:
    if block[0] in "|#!":
        return block
    first, *items = f"\n{block}".split("\n- ")
    parts = [first.strip(), *(f"- {item}" for item in items)]
    return "\n".join(
        textwrap.fill(
            " ".join(part.split()),
            100,
            break_long_words=False,
            break_on_hyphens=False,
            subsequent_indent="  " if part.startswith("- ") else "",
        )
        for part in parts
        if part
    )


def write_document(path: Path, text: str, figures: Mapping[str, tuple[str, Sheet]]) -> list[Path]:
    """Write a document, and its figures to `pictures` beside it; return the paths written.

    Parameters
    ----------
    path
        Path of the document; folders are created.
    figures
        Alternative text and sheet by file name.
    """
    pictures = path.parent / PICTURES
    pictures.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
    for name, (alt, sheet) in figures.items():
        (pictures / name).write_text(svg_file(sheet, alt), "utf-8")
    return [path, *(pictures / name for name in figures)]
