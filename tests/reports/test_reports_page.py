"""Pages: text escaped, nothing loaded from elsewhere, figures that repeat byte for byte."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import Any

import pytest

from slth.errors import InvalidInput
from slth.reports.figures import inline_svg, picture_kind, render
from slth.reports.page import bullets, facts, figure, number, page, paragraph, section, table, tiles

VOID = {"meta", "br", "link", "img", "hr"}


class Reader(HTMLParser):
    """Collects what a page would load or run, and checks that tags close in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in VOID:
            self.open.append(tag)
        if tag in {"script", "link", "img", "iframe", "object", "embed"}:
            self.loads.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name in {"src", "href", "xlink:href"} and re.match(r"(?i)[a-z]+:|//", value or ""):
                self.loads.append(f"{tag} {value}")
            if name.startswith("on"):
                self.loads.append(f"{tag} {name}")

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(document: str) -> Reader:
    reader = Reader()
    reader.feed(document)
    assert reader.open == []
    return reader


def wave(ax: Any) -> None:
    ax.plot([0, 1, 2], [1, 0, 1], label="x")
    ax.legend()


def test_page_is_well_formed_and_stands_alone() -> None:
    nasty = '<script>alert("&")</script>'
    body = section(
        nasty,
        paragraph(nasty),
        bullets([nasty]),
        tiles([(nasty, nasty, nasty)]),
        table((nasty, "n"), [(nasty, 1)]),
        facts([(nasty, nasty)]),
        figure(inline_svg(wave, size=(3, 2), name="one", label=nasty), nasty),
        figure(inline_svg(wave, size=(3, 2), name="two", label=nasty), nasty),
    )
    document = page(nasty, body)
    reader = read(document)
    assert reader.loads == []
    assert len(reader.ids) == len(set(reader.ids)), "two figures share identifiers"
    assert "<script" not in document


def test_the_reader_would_notice() -> None:
    assert read('<p><a href="https://x">y</a></p>').loads == ["a https://x"]
    assert read("<script></script>").loads == ["script"]


def test_references_inside_a_figure_resolve() -> None:
    svg = inline_svg(wave, size=(3, 2), name="one", label="x")
    ids = set(re.findall(r'\bid="([^"]+)"', svg))
    used = set(re.findall(r'href="#([^"]+)"', svg)) | set(re.findall(r"url\(#([^)]+)\)", svg))
    assert used
    assert used <= ids


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_figures_repeat_byte_for_byte(kind: str) -> None:
    one, other = (render(wave, kind=kind, size=(3, 2), name="n", title="t") for _ in range(2))
    assert one == other
    assert render(wave, kind=kind, size=(3, 2), name="n", title="u") != one
    assert b"<dc:date>" not in one


def test_numbers() -> None:
    assert [number(v) for v in (1234567, 0.0123456, True, "x", float("inf"))] == [
        "1,234,567",
        "0.01235",
        "True",
        "x",
        "\u221e",
    ]


def test_suffix_decides_the_kind() -> None:
    from pathlib import Path

    assert picture_kind(Path("a.svg")) == "svg"
    with pytest.raises(InvalidInput, match=r"`out` must end in .svg or .png; got 'a.pdf'"):
        picture_kind(Path("a.pdf"))
