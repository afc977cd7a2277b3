"""A dark page to draw on: boxes, text that stays inside of them, and its colours.

Text is in the font that Pillow carries, laid out by Pillow alone, so that the same page comes out
wherever that release is installed. It has the letters of plain English only.
"""

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import TypeAlias, TypeVar

from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont
Item = TypeVar("Item")

WIDTH, HEIGHT = 1400, 1000
MARGIN = 24
GAP = 16
GROUND: Colour = (17, 19, 24)
BLACK: Colour = (0, 0, 0)
INK: Colour = (230, 233, 238)
FAINT: Colour = (158, 166, 180)
ATTENTION: Colour = (245, 190, 80)

TITLE, LARGE, TEXT, SMALL = 26, 20, 16, 14
_LINE_SPACING = 1.4
# An apostrophe as a share of the font's size.
_NARROWEST = 0.18
_MORE = "..."
_SPELT_OUT = str.maketrans({"ß": "ss", "µ": "u", "Ø": "O", "ø": "o", "Æ": "AE", "æ": "ae"})


@dataclass(frozen=True, slots=True)
class Box:
    """A part of a page, in pixels."""

    left: int
    top: int
    width: int
    height: int

    @property
    def right(self) -> int:
        """The first column beyond."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """The first row beyond."""
        return self.top + self.height

    def columns(self, count: int) -> "list[Box]":
        """Boxes of equal width, side by side with gaps between."""
        width = (self.width - (count - 1) * GAP) // count
        return [
            Box(self.left + number * (width + GAP), self.top, width, self.height)
            for number in range(count)
        ]

    def rows(self, count: int) -> "list[Box]":
        """Boxes of equal height, one below the other with gaps between."""
        height = (self.height - (count - 1) * GAP) // count
        return [
            Box(self.left, self.top + number * (height + GAP), self.width, height)
            for number in range(count)
        ]


PAGE = Box(MARGIN, MARGIN, WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN)


@dataclass(frozen=True, slots=True)
class Sheet:
    """A page that is being drawn."""

    image: Image.Image = field(default_factory=lambda: Image.new("RGB", (WIDTH, HEIGHT), GROUND))

    @property
    def draw(self) -> ImageDraw.ImageDraw:
        """What draws on it."""
        return ImageDraw.Draw(self.image)

    def write(
        self, place: tuple[float, float], text: str, size: int, colour: Colour, anchor: str = "la"
    ) -> None:
        """Write one line; the anchor says which of its points is at the place, as Pillow has it."""
        self.draw.text(place, text, font=font(size), fill=colour, anchor=anchor)

    def write_lines(
        self, left: int, top: int, lines: Sequence[str], size: int, colour: Colour
    ) -> int:
        """Write lines one below the other.

        Returns
        -------
        Where the next one begins.
        """
        for line in lines:
            self.write((left, top), line, size, colour)
            top += line_height(size)
        return top

    def fill(self, box: Box, colour: Colour) -> None:
        """Fill a box."""
        self.draw.rectangle((box.left, box.top, box.right - 1, box.bottom - 1), fill=colour)


@cache
def font(size: int) -> Font:
    """The font of all text."""
    return ImageFont.load_default(size)


def line_height(size: int) -> int:
    """From line to line."""
    return round(size * _LINE_SPACING)


def text_width(text: str, size: int) -> float:
    """How wide a line is."""
    return font(size).getlength(text)


def plain(text: str) -> str:
    """Text in the letters that the font has: accents are left off, other scripts are '?'."""
    spelt = unicodedata.normalize("NFKD", text.translate(_SPELT_OUT))
    letters = (letter for letter in spelt if not unicodedata.combining(letter))
    words = "".join(letter if letter.isascii() else "?" for letter in letters).split()
    return " ".join("".join(filter(str.isprintable, word)) for word in words)


def cut(text: str, size: int, width: float) -> str:
    """One line that fits, its end left off where it must be."""
    text = plain(text)
    if _fitting(text, size, width) == len(text):
        return text
    kept = text[: _fitting(text, size, width - text_width(_MORE, size))]
    return kept.rstrip() + _MORE if kept else ""


def wrapped(text: str, size: int, width: float) -> list[str]:
    """Lines that fit, broken between words, and within a word that is longer than a line."""
    lines: list[str] = []
    line = ""
    for word in plain(text).split():
        for part in _parts(word, size, width):
            longer = f"{line} {part}".strip()
            if line and text_width(longer, size) > width:
                lines.append(line)
                longer = part
            line = longer
    return [*lines, line] if line else lines


def shortened(items: Sequence[Item], room: int) -> tuple[Sequence[Item], int]:
    """As many as there is room for, and how many are left out; to say so takes one place too."""
    if len(items) <= room:
        return items, 0
    shown = max(room - 1, 0)
    return items[:shown], len(items) - shown


def _parts(word: str, size: int, width: float) -> list[str]:
    """A word, or its pieces where it is too long for a line."""
    parts = []
    while word:
        fitting = max(1, _fitting(word, size, width))
        parts.append(word[:fitting])
        word = word[fitting:]
    return parts


def _fitting(text: str, size: int, width: float) -> int:
    """How many letters from the beginning fit."""
    most = min(len(text), max(0, int(width / (_NARROWEST * size))))
    return bisect_right(range(1, most + 1), width, key=lambda count: text_width(text[:count], size))
