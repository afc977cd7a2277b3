"""What numba asks for compiled code before it compiles, and gives new code to.

It takes the place of numba's own cache, which wants to write beside every file it reads, takes a
torn file for an error, and does not see that a kernel is stale because one it calls has changed.
Here code belongs to the sources of all kernels together, and processes that want the same code at
the same time wait for the one that is compiling it.
"""

import hashlib
import pickle
import sys
from collections.abc import Callable
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from numba.core import event as numba_event
from numba.core.compiler import CompileResult
from numba.core.serialize import dumps

from pipeline.kernels.code_store import CodeStore, default_places, sources_digest


class CodeCache:
    """The kept code of one kernel, as numba's dispatcher calls for it.

    Parameters
    ----------
    function
        The kernel as it was written.
    store
        Where its code is.
    """

    def __init__(self, function: Callable[..., Any], store: CodeStore) -> None:
        self._store = store
        self._kernel = f"{function.__module__}.{function.__qualname__}"
        self._sources = sources_digest(Path(function.__code__.co_filename).parent)
        self._locked: str | None = None

    @property
    def cache_path(self) -> str | None:
        """Where code is written to, for numba's statistics."""
        return str(self._store.folder) if self._store.folder is not None else None

    def load_overload(self, signature: Any, target: Any) -> Any:
        """The code for arguments of these types, or None: then the caller compiles it."""
        target.refresh()
        name = self._name(signature, target.codegen())
        code = self._store.read(name)
        if code is None:
            self._store.lock(name)
            code = self._store.read(name)
            if code is None:
                self._locked = name
                return None
            self._store.unlock(name)
        rebuild: Callable[..., Any] = CompileResult._rebuild  # noqa: SLF001 - as numba's own does
        return rebuild(target, *pickle.loads(code))  # noqa: S301 - what this user or root wrote

    def save_overload(self, signature: Any, result: Any) -> None:
        """Keep new code."""
        try:
            if not result.lifted and not result.library.has_dynamic_globals:
                name = self._name(signature, result.codegen)
                code = dumps(result._reduce())  # type: ignore[no-untyped-call]  # noqa: SLF001
                self._store.write(name, code)
        finally:
            self.let_go()

    def let_go(self) -> None:
        """Let others compile what was to be compiled here."""
        if self._locked is not None:
            self._store.unlock(self._locked)
            self._locked = None

    def flush(self) -> None:
        """Nothing: code is never stale, as its name holds all that it depends on."""

    def _name(self, signature: Any, codegen: Any) -> str:
        """What the code is kept as: it differs where the code may."""
        made_for = repr((self._kernel, str(signature), codegen.magic_tuple(), self._sources))
        return f"{self._kernel}-{hashlib.sha256(made_for.encode()).hexdigest()[:32]}"


class _LettingGo(numba_event.Listener):
    """Lets go of a kernel that does not compile, as numba then has nothing to save."""

    def on_start(self, event: Any) -> None:
        """Nothing."""

    def on_end(self, event: Any) -> None:
        """Look whether the kernel has got code for these arguments."""
        dispatcher = event.data["dispatcher"]
        kept = dispatcher._cache  # noqa: SLF001
        if isinstance(kept, CodeCache) and tuple(event.data["args"]) not in dispatcher.overloads:
            kept.let_go()


def can_keep(function: Callable[..., Any]) -> bool:
    """Whether files tell all about a function: not what it closes over, nor a line typed in."""
    return function.__closure__ is None and Path(function.__code__.co_filename).is_file()


@cache
def default_store() -> CodeStore:
    """The store of this installation's kernels."""
    made_by = (version("numba"), version("llvmlite"), str(sys.implementation.cache_tag))
    numba_event.register("numba:compile", _LettingGo())  # type: ignore[no-untyped-call]
    edition = "-".join((*made_by, sources_digest(Path(__file__).parent)[:16]))
    return CodeStore(default_places(), edition)
