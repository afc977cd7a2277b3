"""Receiving: association policy, C-ECHO, C-STORE into the spool."""
