"""Pages for people: the summary picture, and the note that there is no result."""

from pipeline.encode.picture.content import PictureContent
from pipeline.encode.picture.encoders import encode_note, encode_picture

__all__ = ["PictureContent", "encode_note", "encode_picture"]
