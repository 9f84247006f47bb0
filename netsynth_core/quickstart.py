"""What makes a command that only reads a capture start sooner, without changing anything that is computed."""

import os
import sys
from types import ModuleType
from typing import Final

_BLAS: Final = ("scipy.linalg", "scipy.linalg.cython_blas")


def without_plugins() -> None:
    """Keep pydantic from searching all installed packages for plugins; call it before pydantic is imported."""
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")


def without_threads() -> None:
    """Keep NumPy's linear algebra, unneeded here, from starting threads; call it before NumPy is imported."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def without_blas() -> None:
    """Keep numba from importing scipy.linalg when it loads its first kernel: it only looks whether there is one.

    A kernel that multiplies matrices imports it when it is compiled or loaded. Does nothing once numba has looked.
    """
    import numba

    if "numba.np.arraymath" in sys.modules or any(name in sys.modules for name in _BLAS):
        return
    sys.modules.update({name: ModuleType(name) for name in _BLAS})
    try:
        import numba.np.arraymath  # noqa: F401
    finally:
        for name in _BLAS:
            del sys.modules[name]
