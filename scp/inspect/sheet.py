"""Blocks of a picture, one below the other, on a dark ground."""

from collections.abc import Sequence
from typing import TypeAlias

from PIL import Image, ImageDraw, ImageFont

Colour: TypeAlias = tuple[int, int, int]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

WIDTH = 1280
MARGIN = 24
INNER_WIDTH = WIDTH - 2 * MARGIN
GROUND: Colour = (17, 19, 24)
PANEL: Colour = (27, 30, 37)
INK: Colour = (226, 229, 235)
FAINT: Colour = (137, 145, 160)
GOOD: Colour = (86, 200, 160)
REMARK: Colour = (245, 190, 80)
BAD: Colour = (240, 96, 96)

_BLOCK_GAP = 18
_LINE_SPACING = 1.35


def font(size: int) -> Font:
    """The font of all text."""
    return ImageFont.load_default(size)


def block(height: int) -> Image.Image:
    """An empty block."""
    return Image.new("RGB", (INNER_WIDTH, height), GROUND)


def text_block(lines: Sequence[tuple[str, Colour, int]]) -> Image.Image:
    """Text as wide as a block, broken between words.

    Parameters
    ----------
    lines
        Text, colour and font size of each.
    """
    broken = [
        (part, colour, size) for text, colour, size in lines for part in _broken(text, font(size))
    ]
    drawn = block(sum(_line_height(size) for _, _, size in broken))
    draw, top = ImageDraw.Draw(drawn), 0
    for text, colour, size in broken:
        draw.text((0, top), text, font=font(size), fill=colour)
        top += _line_height(size)
    return drawn


def stacked(blocks: Sequence[Image.Image]) -> Image.Image:
    """One picture of blocks, with margins around and gaps between."""
    gaps = _BLOCK_GAP * (len(blocks) - 1)
    height = 2 * MARGIN + gaps + sum(item.height for item in blocks)
    sheet = Image.new("RGB", (WIDTH, height), GROUND)
    top = MARGIN
    for item in blocks:
        sheet.paste(item, (MARGIN, top))
        top += item.height + _BLOCK_GAP
    return sheet


def _line_height(size: int) -> int:
    return round(size * _LINE_SPACING)


def _broken(text: str, written: Font) -> list[str]:
    """The text in lines that fit a block."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if written.getlength(longer) <= INNER_WIDTH or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines
