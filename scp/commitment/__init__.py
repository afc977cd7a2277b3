"""Storage commitment: what the spool truly holds, decided and reported to who asked.

Source: PS3.4 annex J.
"""
