"""Imported once by the process that receivers are forked from, so that they share its memory."""

import gc

import scp.receive.running  # noqa: F401 - what a receiver needs

gc.freeze()  # what is collected is written to, and what is written to is shared no more
