"""The summary picture: planes with outlines, projections and measurements on one page."""

from PIL import Image

from pipeline.encode.picture.choice import Choice
from pipeline.encode.picture.layout import laid_out, word_column
from pipeline.encode.picture.panels import draw_panel
from pipeline.encode.picture.sheet import Sheet
from pipeline.encode.picture.surround import Surround, draw_surround
from pipeline.encode.picture.words import Words, write_words


def draw_summary(choice: Choice, words: Words, surround: Surround) -> Image.Image:
    """Draw the page.

    Returns
    -------
    RGB, 1400 x 1000 pixels.
    """
    sheet = Sheet()
    body = draw_surround(sheet, surround)
    layout = laid_out(
        body,
        len(choice.projections),
        words=not words.are_none,
        remarks=bool(words.remarks) and not words.fit(word_column(body)),
    )
    for box, panel in zip(layout.planes, choice.planes, strict=True):
        draw_panel(sheet, box, panel)
    for box, panel in zip(layout.projections, choice.projections, strict=True):
        draw_panel(sheet, box, panel)
    write_words(sheet, words, layout)
    return sheet.image
