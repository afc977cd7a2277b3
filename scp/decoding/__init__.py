"""Decoding of planes in processes of their own, several at a time."""

from scp.decoding.pool import DecoderPool
from scp.decoding.process import DecoderStartError

__all__ = ["DecoderPool", "DecoderStartError"]
