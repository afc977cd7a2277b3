"""Where planes, projections and words go on a summary picture."""

from dataclasses import dataclass

from pipeline.encode.picture.sheet import GAP, Box

_PICTURES_SHARE = 0.65
_LARGE_SHARE = 0.6
_LARGE_HEIGHT = 0.7


@dataclass(frozen=True, slots=True)
class Layout:
    """Boxes of a page.

    Parameters
    ----------
    planes
        Axial, coronal, sagittal.
    projections
        One for each.
    words
        What outlines are and what was measured; None where there is nothing to say.
    remarks
        What to know, where the column of words has no room for it.
    """

    planes: tuple[Box, Box, Box]
    projections: tuple[Box, ...] = ()
    words: Box | None = None
    remarks: Box | None = None


def laid_out(body: Box, projections: int, *, words: bool, remarks: bool) -> Layout:
    """Divide a page.

    Parameters
    ----------
    body
        What there is to divide.
    projections
        How many are shown, 0 to 2.
    words
        Whether there is something to say.
    remarks
        Whether remarks need a place of their own, which they get where nothing was projected.
    """
    column = word_column(body)
    pictures = Box(body.left, body.top, column.left - GAP - body.left, body.height)
    if projections:
        return _with_projections(pictures, column, projections, words=words)
    if not words:
        first, second, third = body.columns(3)
        return Layout((first, second, third))
    return _planes_only(pictures, column, remarks=remarks)


def word_column(body: Box) -> Box:
    """The column at the right."""
    width = body.width - round(body.width * _PICTURES_SHARE) - GAP
    return Box(body.right - width, body.top, width, body.height)


def _with_projections(pictures: Box, column: Box, count: int, *, words: bool) -> Layout:
    """Two rows of pictures; without words the first projection has their column."""
    (first, second), (third, fourth) = (row.columns(2) for row in pictures.rows(2))
    planes = (first, second, third)
    if words:
        return Layout(planes, tuple(fourth.columns(count)), column)
    return Layout(planes, (column, fourth)[:count])


def _planes_only(pictures: Box, column: Box, *, remarks: bool) -> Layout:
    """The axial plane large, the others beside it, one below the other."""
    width = round(pictures.width * _LARGE_SHARE)
    height = round(pictures.height * _LARGE_HEIGHT) if remarks else pictures.height
    axial = Box(pictures.left, pictures.top, width, height)
    beside = Box(axial.right + GAP, pictures.top, pictures.width - width - GAP, pictures.height)
    coronal, sagittal = beside.rows(2)
    top = axial.bottom + GAP
    below = Box(axial.left, top, width, pictures.bottom - top) if remarks else None
    return Layout((axial, coronal, sagittal), words=column, remarks=below)
