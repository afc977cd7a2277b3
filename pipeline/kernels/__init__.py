"""Compiled array kernels that the algorithms share; they know nothing else of the project."""
