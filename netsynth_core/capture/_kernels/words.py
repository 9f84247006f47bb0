"""Numbers in bytes: one unaligned load each, and how the kernels of this package are compiled.

A load does not look at the end of its array: who calls it has compared ``at`` with the end before.
"""

import sys

from llvmlite import ir
from numba import njit
from numba.core import types
from numba.extending import intrinsic

from netsynth_core.machine import OPTIONS

inner = njit(**OPTIONS)  # type: ignore[call-overload]
"""Decorator of kernels."""


def _loader(bits, big, unsigned=False):
    """An intrinsic ``load(data, at)`` of a number of `bits` bits in big or little byte order."""
    swapped = big == (sys.byteorder == "little")
    result = types.uint64 if unsigned else types.int64

    @intrinsic
    def load(typing_context, data, at):
        signature = result(data, at)

        def build(context, builder, signature, arguments):
            array = context.make_array(signature.args[0])(context, builder, arguments[0])
            place = context.cast(builder, arguments[1], signature.args[1], types.intp)
            pointer = builder.bitcast(builder.gep(array.data, [place]), ir.IntType(bits).as_pointer())
            word = builder.load(pointer, align=1)
            if swapped and bits > 8:
                word = builder.bswap(word)
            return word if bits == 64 else builder.zext(word, ir.IntType(64))

        return signature, build

    return load


byte = _loader(8, True)


@intrinsic
def prefetch(typing_context, data, at):
    """Fetch the line of bytes around `at` into the cache; any place is allowed, one that is not mapped does nothing."""
    signature = types.void(data, at)

    def build(context, builder, signature, arguments):
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        pointer = builder.gep(array.data, [context.cast(builder, arguments[1], signature.args[1], types.intp)])
        number = ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [pointer.type, number, number, number])
        # to read, into all levels, as data
        function = builder.module.declare_intrinsic("llvm.prefetch", [pointer.type], kind)
        builder.call(function, [pointer, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature, build


def _chooser(comparison):
    """An intrinsic that picks one of two int64, cheaper to compile than the builtin and never a branch."""

    @intrinsic
    def choose(typing_context, a, b):
        signature = types.int64(types.int64, types.int64)

        def build(context, builder, signature, arguments):
            a, b = arguments
            return builder.select(builder.icmp_signed(comparison, a, b), a, b)

        return signature, build

    return choose


least = _chooser("<")
most = _chooser(">")
be16 = _loader(16, True)
be32 = _loader(32, True)
be64 = _loader(64, True, unsigned=True)
bare32 = _loader(32, True, unsigned=True)
le16 = _loader(16, False)
le32 = _loader(32, False)


@inner
def word16(data, at, big):
    """16 bits in the byte order of the file."""
    return be16(data, at) if big else le16(data, at)


@inner
def word32(data, at, big):
    """32 bits in the byte order of the file."""
    return be32(data, at) if big else le32(data, at)
