"""A page of HTML as tests read it: what it says, and what it would load."""

from __future__ import annotations

from html.parser import HTMLParser

VOID = {"meta", "img", "br", "link", "hr", "input"}


class Page(HTMLParser):
    """Checks that elements are closed in order, and keeps what a test asks about."""

    def __init__(self):
        super().__init__()
        self.open, self.text, self.tags = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("style", "script"):
            self.text.append(data)

    def of(self, tag):
        """Return the attributes of all elements of a kind."""
        return [attrs for name, attrs in self.tags if name == tag]


def parse(html: str) -> tuple[Page, str]:
    """Return a page whose elements are all closed, and what it says, in one line."""
    page = Page()
    page.feed(html)
    page.close()
    assert page.open == []
    return page, " ".join(" ".join(page.text).split())
