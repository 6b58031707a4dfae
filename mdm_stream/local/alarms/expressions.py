"""Metric math, as far as alarms here use it: arithmetic on series of one number a period."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Mapping
from typing import Final

Series = Mapping[int, float]
"""A number for each period that has one, by the period's begin in seconds since 1970."""

_OPERATORS: Final[Mapping[type[ast.operator], Callable[[float, float], float]]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}


class MetricExpression:
    """Numbers, names of metrics, ``+ - * /`` and brackets; ``ValueError`` for anything else.

    As in CloudWatch a period has a value where all its metrics have one, and none where it would divide by zero.
    """

    def __init__(self, text: str) -> None:
        try:
            self._tree = ast.parse(text, mode="eval").body
        except SyntaxError:
            raise ValueError("an expression has numbers, names of metrics, + - * / and brackets") from None
        self.names = frozenset(node.id for node in ast.walk(self._tree) if isinstance(node, ast.Name))
        _value(self._tree, dict.fromkeys(self.names, 1.0))
        if not self.names:
            raise ValueError("an expression names a metric")

    def apply(self, series: Mapping[str, Series]) -> dict[int, float]:
        """Return the expression's value in each period."""
        common = set.intersection(*(set(series[name]) for name in self.names))
        computed = ((start, _value(self._tree, {name: series[name][start] for name in self.names})) for start in common)
        return {start: value for start, value in sorted(computed) if value is not None}


def _value(node: ast.expr, values: Mapping[str, float]) -> float | None:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            return float(number)
        case ast.Name(id=name):
            return values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            value = _value(operand, values)
            return None if value is None else -value
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _OPERATORS:
            first, second = _value(left, values), _value(right, values)
            if first is None or second is None or (isinstance(sign, ast.Div) and second == 0):
                return None
            return _OPERATORS[type(sign)](first, second)
        case _:
            raise ValueError("an expression has numbers, names of metrics, + - * / and brackets")
