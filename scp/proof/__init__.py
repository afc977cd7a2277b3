"""Proof of delivery: a destination commits to what it was sent, or it is found there.

Source: PS3.4 annexes C and J.
"""
