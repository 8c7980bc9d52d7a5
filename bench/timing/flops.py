"""Floating-point operations of a function as written, counted from its jaxpr.

XLA's own cost analysis counts the body of a loop once, and nothing inside library calls.
"""

from collections.abc import Callable, Mapping
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import JaxprEqn, jaxprs_in_params
from jaxtyping import PyTree


def count(function: Callable, *example: PyTree, period: int = 1) -> int:
    """Return the floating-point operations of one call; of `example` only shapes and dtypes matter.

    One for each sum, product, quotient, maximum, sign, root, power or transcendental function of an element; two for
    each multiplication in a product of matrices or a convolution; of factorizations the leading order. None for moving,
    selecting, comparing, converting, sorting, for integers, for Fourier transforms and whatever else has no rule here.
    Of a `cond` the largest branch counts in one of `period` calls, the smallest in the others; the mean is returned.
    How often a `while` turns is unknown, so it counts once: the sum of a function with one is a lower bound. What the
    compiler would remove or share counts all the same.
    """
    jaxpr = jax.make_jaxpr(function)(*example)
    most = _total(jaxpr, max)
    return most if period == 1 else (most + (period - 1) * _total(jaxpr, min)) // period


#: max or min: from the operations of a `cond`'s branches to those of the branch that counts.
Choose = Callable[[list[int]], int]


def _total(jaxpr: Any, choose: Choose) -> int:
    return sum(_operations(equation, choose) for equation in jaxpr.eqns)


def _operations(equation: JaxprEqn, choose: Choose) -> int:
    """Return the operations of one equation, and of what it calls: the function of a `jit`, the body of a loop."""
    name, params = equation.primitive.name, equation.params
    if name in RULES:
        return RULES[name](equation)
    if name == "cond":
        return choose(_branches(params, choose))
    if name == "custom_linear_solve":
        # It holds the transposed solve and the matrix's own products too, for derivatives.
        params = {"solve": params["jaxprs"].solve}
    return sum(_branches(params, choose)) * (params["length"] if name == "scan" else 1)


def _branches(params: Mapping[str, Any], choose: Choose) -> list[int]:
    return [_total(jaxpr, choose) for jaxpr in jaxprs_in_params(params)]


def _floats(variable: Any) -> int:
    """Return the number of an array's elements if they are floating-point numbers, else 0."""
    array = variable.aval
    return array.size if jnp.issubdtype(array.dtype, jnp.inexact) else 0


def _shape(variable: Any) -> tuple[int, ...]:
    return variable.aval.shape


def _output(equation: JaxprEqn) -> int:
    return _floats(equation.outvars[0])


def _input(equation: JaxprEqn) -> int:
    return _floats(equation.invars[0])


def _product(equation: JaxprEqn) -> int:
    (contracted, _), _ = equation.params["dimension_numbers"]
    shape = _shape(equation.invars[0])
    return 2 * _output(equation) * prod(shape[axis] for axis in contracted)


def _convolution(equation: JaxprEqn) -> int:
    """Return twice the output's size times the kernel's terms: of one group, without the zeros of dilation."""
    shape = _shape(equation.invars[1])
    terms = prod(shape) // shape[equation.params["dimension_numbers"].rhs_spec[0]]
    return 2 * _output(equation) * terms // prod(equation.params["lhs_dilation"])


def _window(equation: JaxprEqn) -> int:
    return _output(equation) * prod(equation.params["window_dimensions"])


def _matrix(of_sides: Callable[[int, int], int]) -> Callable[[JaxprEqn], int]:
    """Return a factorization's rule, from its operations by the longer and the shorter side of a matrix."""

    def rule(equation: JaxprEqn) -> int:
        *batch, rows, columns = _shape(equation.invars[0])
        return prod(batch) * of_sides(max(rows, columns), min(rows, columns))

    return rule


_ELEMENTWISE = """
    abs acos acosh add add_any asin asinh atan atan2 atanh cbrt ceil clamp cos cosh digamma div erf erf_inv erfc exp
    exp2 expm1 floor integer_pow lgamma log log1p log2 logistic max min mul neg pow rem round rsqrt sign sin sinh sqrt
    square sub tan tanh
"""
_REDUCTIONS = """
    cumlogsumexp cummax cummin cumprod cumsum reduce_max reduce_min reduce_prod reduce_sum select_and_scatter_add
"""

#: Primitive -> its operations. Factorizations: G. H. Golub, C. F. Van Loan, Matrix Computations, 2013: triangular
#: systems and LU in chapter 3, Cholesky in 4, Householder's QR in 5, eigenvalues and singular values, which iterate,
#: in 8 (symmetric QR and Golub-Reinsch, with vectors).
RULES: dict[str, Callable[[JaxprEqn], int]] = {
    **dict.fromkeys(_ELEMENTWISE.split(), _output),
    # The derivative of tanh, in jax 0.12.
    "one_minus_square": lambda equation: 2 * _output(equation),
    **dict.fromkeys(_REDUCTIONS.split(), _input),
    **dict.fromkeys(("reduce_window_max", "reduce_window_min", "reduce_window_sum"), _window),
    **dict.fromkeys(("scatter-add", "scatter-mul", "scatter-sub"), lambda equation: _floats(equation.invars[2])),
    "dot_general": _product,
    "conv_general_dilated": _convolution,
    "triangular_solve": lambda equation: _floats(equation.invars[1]) * _shape(equation.invars[0])[-1],
    "lu": _matrix(lambda m, n: m * n**2 - n**3 // 3),
    "cholesky": _matrix(lambda n, _: n**3 // 3),
    # Half of it for R, half for as many columns of Q.
    "qr": _matrix(lambda m, n: 4 * m * n**2 - 4 * n**3 // 3),
    "eigh": _matrix(lambda n, _: 9 * n**3),
    "svd": _matrix(lambda m, n: 14 * m * n**2 + 8 * n**3),
}
