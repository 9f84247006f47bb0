"""Loops in machine code that outlive the process which compiled them.

Numba compiles a loop when it is first called, and its machine code is kept in a file. A process that finds the file
links and calls the code without numba: to import numba and to make it ready takes longer than a large capture takes to
be metered. What is kept serves only the sources, the versions of numba and LLVM, and the kind of processor it was made
with; anything else is compiled anew.
"""

import ctypes
import gc
import hashlib
import os
import platform
import secrets
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from netsynth_core.quickstart import without_blas

OPTIONS: Final = {
    "nogil": True,
    "error_model": "numpy",
    "no_cpython_wrapper": True,
    "no_cfunc_wrapper": True,
    "_nrt": False,
}
"""Options of numba's decorator for a loop and for every function it calls: no way in from Python and no memory of its
own, so that the code refers to nothing outside of it."""

_MAGIC: Final = b"netsynth loop 1\n"
_UNRELATED: Final = ("NUMBA_CACHE_DIR", "NUMBA_NUM_THREADS")

Kind = tuple[str, int] | None
"""Of an argument: the type of its items and its dimensions for an array, None for a whole number."""


class Loop:
    """A function of arrays and whole numbers that runs as machine code, without the GIL.

    Parameters
    ----------
    module, name
        Where the function is, under numba's decorator with `OPTIONS`. The module is imported to compile only.
    results
        How many whole numbers it returns: None for 0, a number for 1, otherwise a tuple.
    others
        Sources that the code is made from, beside the module and (where its package begins with ``_``) the package.

    Notes
    -----
    Whole numbers are int64. Arrays may be read-only where the function only reads.
    """

    def __init__(self, module: str, name: str, *, results: int, others: Sequence[Path] = ()) -> None:
        self._module, self._name, self._results, self._others = module, name, results, tuple(others)
        self._lock = threading.Lock()
        self._linked: dict[tuple[Kind, ...], Callable[..., int]] = {}

    @property
    def kinds(self) -> list[tuple[Kind, ...]]:
        """The kinds of arguments it was called with."""
        return list(self._linked)

    def __call__(self, *args: Any) -> Any:
        """Run it; compiled or linked when called with arguments of these kinds for the first time."""
        kinds = tuple((a.dtype.str, a.ndim) if isinstance(a, np.ndarray) else None for a in args)
        function = self._linked.get(kinds)
        if function is None:
            with self._lock:
                function = self._linked.get(kinds) or self._ready(kinds, args)
        results, trouble = (ctypes.c_int64 * max(self._results, 1))(), ctypes.c_void_p()
        flat: list[Any] = [ctypes.addressof(results), ctypes.addressof(trouble)]
        held: list[NDArray[Any]] = []
        for arg in args:
            if isinstance(arg, np.ndarray):
                array = np.ascontiguousarray(arg)
                held.append(array)
                flat += (None, None, array.size, array.itemsize, array.ctypes.data, *array.shape, *array.strides)
            else:
                flat.append(int(arg))
        if function(*flat) != 0:
            raise RuntimeError(f"The loop {self._name} failed.")
        _hand_back(args, held)
        return tuple(results) if self._results > 1 else results[0] if self._results else None

    def is_kept(self) -> bool:
        """Whether its machine code is kept, for arguments of whatever kinds."""
        return bool(self._linked) or any(_folder().glob(f"{self._stem()}-*"))

    def _stem(self) -> str:
        sources = _sources(Path(str(_origin(self._module))), self._others)
        return f"{self._name}-{_digest(f'{self._module} {sources} {_surroundings()}')}"

    def _ready(self, kinds: tuple[Kind, ...], args: Sequence[Any]) -> Callable[..., int]:
        path = _folder() / f"{self._stem()}-{_digest(repr(kinds))}"
        address = _link_kept(path) or self._compile(args, path)
        types: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
        for kind in kinds:
            if kind is None:
                types.append(ctypes.c_int64)
            else:
                types += (
                    [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] + [ctypes.c_int64] * 2 * kind[1]
                )
        function = self._linked[kinds] = ctypes.CFUNCTYPE(ctypes.c_int32, *types)(address)
        return function

    def _compile(self, args: Sequence[Any], path: Path) -> int:
        """Let numba compile it for arguments like these; keep the code."""
        without_blas()
        from numba import from_dtype, types

        dispatcher = getattr(import_module(self._module), self._name)
        signature = tuple(
            types.Array(from_dtype(arg.dtype), arg.ndim, "C") if isinstance(arg, np.ndarray) else types.int64
            for arg in args
        )
        with _uncollected():
            dispatcher.compile(signature)
        compiled = dispatcher.overloads[signature]
        numbers: Any = types.UniTuple
        returned = (
            (types.none, types.int64)[self._results] if self._results < 2 else numbers(types.int64, self._results)
        )
        if compiled.signature.return_type != returned:
            raise TypeError(f"The loop {self._name} returns {compiled.signature.return_type}, not {returned}.")
        name, library = compiled.fndesc.llvm_func_name, compiled.library
        # nothing can be kept on a disk that is full or read-only
        with suppress(OSError):
            _keep(path, name.encode(), library._get_compiled_object())
        _HELD.append(library)
        return int(library.get_pointer_to_function(name))


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without garbage collection: compiling makes many objects that stay."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


_HELD: Final = list[Any]()
"""What owns the machine code that was linked: it stays for the life of the process."""


def _hand_back(args: Sequence[Any], held: Sequence[NDArray[Any]]) -> None:
    """Copy back what a loop wrote to copies of arrays that do not lie in one piece."""
    arrays = [arg for arg in args if isinstance(arg, np.ndarray)]
    for array, copy in zip(arrays, held, strict=True):
        if copy is not array and array.flags.writeable and not np.shares_memory(array, copy):
            array[...] = copy


def _keep(path: Path, name: bytes, code: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    for old in path.parent.glob(f"{path.name.split('-')[0]}-*-{path.name.split('-')[2]}"):
        old.unlink(missing_ok=True)
    # not forced to the disk, unlike files of a user: a digest tells whether it is whole
    temporary = path.with_name(f".{secrets.token_hex(4)}.{path.name}")
    try:
        temporary.write_bytes(_MAGIC + hashlib.blake2b(code, digest_size=16).digest() + name + b"\n" + code)
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _link_kept(path: Path) -> int:
    """The address of a loop whose code is in a file; 0 where there is none, or it is damaged."""
    try:
        kept = path.read_bytes()
    except OSError:
        return 0
    digest, (name, _, code) = kept[len(_MAGIC) : len(_MAGIC) + 16], kept[len(_MAGIC) + 16 :].partition(b"\n")
    if not kept.startswith(_MAGIC) or hashlib.blake2b(code, digest_size=16).digest() != digest:
        return 0
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), target)
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    _HELD.append(engine)
    return int(engine.get_function_address(name.decode()))


def _folder() -> Path:
    """Where numba would keep what it compiled: where its variable says, beside the sources, else with the user."""
    chosen = os.environ.get("NUMBA_CACHE_DIR")
    if chosen:
        return Path(chosen) / "netsynth"
    package = Path(__file__).parent
    if os.access(package, os.W_OK):
        return package / "__pycache__" / "loops"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "netsynth"


@lru_cache
def _surroundings() -> str:
    """What machine code depends on besides its sources."""
    import llvmlite
    import llvmlite.binding as llvm

    numba = Path(str(_origin("numba"))).with_name("_version.py")
    chosen = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_") and k not in _UNRELATED)
    features = llvm.get_host_cpu_features().flatten()
    machine = f"{sys.platform} {platform.machine()} {llvm.get_host_cpu_name()} {features}"
    return f"{llvmlite.__version__} {numba.read_text()} {machine} {chosen}"


@lru_cache
def _sources(file: Path, others: tuple[Path, ...]) -> str:
    """A digest of the sources a loop is made from: a module, or all of a package that holds loops only."""
    mine = sorted(file.parent.glob("*.py")) if file.parent.name.startswith("_") else [file]
    return _digest(*(path.read_bytes() for path in (*mine, *others, Path(__file__))))


def _origin(module: str) -> str | None:
    spec = find_spec(module)
    return spec.origin if spec else None


def _digest(*parts: str | bytes) -> str:
    whole = hashlib.blake2b(digest_size=12)
    for part in parts:
        whole.update(part.encode() if isinstance(part, str) else part)
    return whole.hexdigest()
