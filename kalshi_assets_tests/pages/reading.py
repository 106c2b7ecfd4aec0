"""Reading a page back: its sections, tables and words, as a browser would see them."""

from dataclasses import dataclass, field
from html.parser import HTMLParser

_VOID = {"meta", "br", "link", "img", "use", "image", "hr"}


@dataclass
class Page(HTMLParser):
    """A parsed page.

    Attributes
    ----------
    sections
        Text per id of a section.
    tables
        Per id of a section, its tables; a table is rows of cells of its body.
    opened
        Names of all elements, in order.
    """

    text: str
    sections: dict[str, str] = field(default_factory=dict)
    tables: dict[str, list[list[list[str]]]] = field(default_factory=dict)
    opened: list[str] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._section = ""
        self._cell: list[str] | None = None
        self._body = False
        self._stack: list[str] = []
        self.feed(self.text)
        self.close()
        assert not self._stack, f"elements left open: {self._stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.opened.append(tag)
        self.addresses += [v or "" for k, v in attrs if k in ("href", "src", "xlink:href")]
        if tag not in _VOID:
            self._stack.append(tag)
        if tag == "section":
            self._section = dict(attrs).get("id") or ""
            self.tables[self._section] = []
        elif tag == "table":
            self.tables[self._section].append([])
        elif tag == "tbody":
            self._body = True
        elif tag == "tr" and self._body:
            self.tables[self._section][-1].append([])
        elif tag == "td":
            self._cell = []

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in _VOID:
            self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self._stack[-1:] == [tag], f"</{tag}> closes {self._stack[-3:]}"
            self._stack.pop()
        if tag == "section":
            self._section = ""
        elif tag == "tbody":
            self._body = False
        elif tag == "td" and self._cell is not None:
            if self._body:
                self.tables[self._section][-1][-1].append(" ".join("".join(self._cell).split()))
            self._cell = None

    def handle_data(self, data: str) -> None:
        self.sections[self._section] = self.sections.get(self._section, "") + data
        if self._cell is not None:
            self._cell.append(data)

    def words(self, section: str) -> str:
        """The text of a section, with single spaces."""
        return " ".join(self.sections[section].split())
