"""Instructions on several elements at a time.

A kernel is written once, for any number of lanes: with many for the bulk of a row, with one for what is left of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from llvmlite import ir

if TYPE_CHECKING:
    from collections.abc import Sequence

    from deepcore._dtype import DType

Code: TypeAlias = Any
"""A value of LLVM, which is what instructions take and give."""

CONTRACT: Final = ("contract",)
"""A product may be added without being rounded before, as processors do in one instruction."""

INT64: Final = ir.IntType(64)
DOUBLE: Final = ir.DoubleType()
_KINDS: Final = {
    "bool": "b",
    "signed integer": "i",
    "unsigned integer": "u",
    "real floating": "f",
    "complex floating": "c",
}
_FLOATS: Final = {32: ir.FloatType(), 64: DOUBLE}


def kind(dtype: DType) -> str:
    """Return what a data type is, in a letter: ``b``, ``i``, ``u``, ``f``, or ``c``."""
    return _KINDS[dtype.kind]


def is_supported(dtype: DType) -> bool:
    """Whether there are instructions for a data type."""
    return kind(dtype) in ("b", "i", "u") or (kind(dtype) == "f" and dtype.bits in _FLOATS)


def scalar_type(dtype: DType) -> Any:
    """Return the type of one element in a register."""
    if kind(dtype) == "f":
        return _FLOATS[dtype.bits]
    return ir.IntType(1 if kind(dtype) == "b" else dtype.bits)


def memory_type(dtype: DType) -> Any:
    """Return the type of one element in memory, where a Boolean is a byte."""
    return ir.IntType(8) if kind(dtype) == "b" else scalar_type(dtype)


class Lanes:
    """What writes instructions for a number of elements.

    Parameters
    ----------
    builder
        Where they go.
    width
        How many elements.
    """

    def __init__(self, builder: Any, width: int) -> None:
        self.builder = builder
        self.width = width

    # ------------------------------------------------------------------------------------------------------- types

    def wide(self, scalar: Any) -> Any:
        """Return the type of the lanes of a type."""
        return scalar if self.width == 1 else ir.VectorType(scalar, self.width)

    def constant(self, scalar: Any, number: float) -> Code:
        """Return a number in every lane."""
        if self.width == 1:
            return ir.Constant(scalar, number)
        return ir.Constant(self.wide(scalar), [ir.Constant(scalar, number)] * self.width)

    def spread(self, x: Code) -> Code:
        """Return one value in every lane."""
        if self.width == 1:
            return x
        wide = self.wide(x.type)
        first = self.builder.insert_element(ir.Constant(wide, ir.Undefined), x, INT32(0))
        return self.builder.shuffle_vector(
            first, ir.Constant(wide, ir.Undefined), ir.Constant(ir.VectorType(INT32, self.width), [0] * self.width)
        )

    def converted(self, x: Code, source: DType, target: DType) -> Code:
        """Return values in another data type, as NumPy's ``astype`` has them."""
        how = self._conversion(source, target)
        if how == "ask":
            return self.compared("!=", x, self.constant(scalar_type(source), 0), source)
        return x if how is None else getattr(self.builder, how)(x, self.wide(scalar_type(target)))

    @staticmethod
    def _conversion(source: DType, target: DType) -> str | None:
        """Return the instruction that converts, ``"ask"`` for a comparison with zero, or None where nothing changes."""
        kinds, more = kind(source) + kind(target), target.bits - source.bits
        if source is target or (kinds in ("iu", "ui") and not more):
            return None
        if kinds[1] == "b":
            return "ask"
        if kinds[1] == "f":
            grown = "fpext" if more > 0 else "fptrunc"
            return {"f": grown, "i": "sitofp", "u": "uitofp", "b": "uitofp"}[kinds[0]]
        if kinds[0] == "f":
            return "fptosi" if kinds[1] == "i" else "fptoui"
        if kinds[0] != "b" and more < 0:
            return "trunc"
        return "sext" if kinds[0] == "i" else "zext"

    # ------------------------------------------------------------------------------------------------ instructions

    def compared(self, how: str, x: Code, y: Code, dtype: DType) -> Code:
        """Return where a comparison holds. Nothing compares with NaN, but that it is not equal."""
        if kind(dtype) == "f":
            return self.builder.fcmp_unordered(how, x, y) if how == "!=" else self.builder.fcmp_ordered(how, x, y)
        return (self.builder.icmp_signed if kind(dtype) == "i" else self.builder.icmp_unsigned)(how, x, y)

    def intrinsic(self, name: str, *operands: Code) -> Code:
        """Return what one of LLVM's own functions makes of operands of one type."""
        form = operands[0].type
        scalar = form if self.width == 1 else form.element
        suffix = scalar.intrinsic_name if self.width == 1 else f"v{self.width}{scalar.intrinsic_name}"
        return self._call(f"llvm.{name}.{suffix}", form, operands)

    def _call(self, name: str, form: Any, operands: Sequence[Code]) -> Code:
        """Write the call of a function that gives what it is given, which is declared when it is called first."""
        module = self.builder.module
        function = module.globals.get(name)
        if function is None:
            function = ir.Function(module, ir.FunctionType(form, [form] * len(operands)), name)
        return self.builder.call(function, operands)

    def fma(self, x: Code, y: Code, z: Code) -> Code:
        """Return x y + z, rounded once."""
        return self.intrinsic("fma", x, y, z)

    def polynomial(self, x: Code, coefficients: Sequence[float]) -> Code:
        """Return a polynomial, whose coefficients come in ascending order, by Horner's rule."""
        scalar = x.type if self.width == 1 else x.type.element
        value = self.constant(scalar, coefficients[-1])
        for c in coefficients[-2::-1]:
            value = self.fma(value, x, self.constant(scalar, c))
        return value

    def called(self, name: str, *operands: Code) -> Code:
        """Return what a function of the C library makes of the operands, lane by lane."""
        if self.width == 1:
            return self._call(name, operands[0].type, operands)
        scalar = operands[0].type.element
        result = ir.Constant(operands[0].type, ir.Undefined)
        for lane in map(INT32, range(self.width)):
            one = self._call(name, scalar, [self.builder.extract_element(x, lane) for x in operands])
            result = self.builder.insert_element(result, one, lane)
        return result


INT32: Final = ir.IntType(32)
