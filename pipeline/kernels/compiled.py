"""How kernels are compiled: once, kept on disk, free of the interpreter lock."""

import os
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import numba

from pipeline.kernels.code_cache import CodeCache, can_keep, default_store

_P = ParamSpec("_P")
_R = TypeVar("_R")


def kernel(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Compile a function of arrays and numbers at its first call.

    The machine code is kept on disk, in the first of these folders that can be written to:
    ``NUMBA_CACHE_DIR`` where it is set, ``__pycache__`` beside this file, the user's cache. Where
    none can, each process compiles anew. Functions of one file have different names.
    """
    compiled: Any = numba.njit(nogil=True)(function)
    if compiled is not function and can_keep(function):  # the same with NUMBA_DISABLE_JIT
        compiled._cache = CodeCache(function, default_store())  # noqa: SLF001 - no public way
    kept: Callable[_P, _R] = compiled
    return kept


def threads() -> int:
    """How many threads the machine's processors are worth to this process."""
    return len(os.sched_getaffinity(0))
