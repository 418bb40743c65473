"""Time zones and arithmetic: what a model is bad at and a machine is not."""

import ast
import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Annotated
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import BaseModel, ConfigDict, Field

from agents.toolbox.building import tool
from agents.toolbox.moments import moment
from devops_chatbot.errors import BadRequest
from devops_chatbot.tools import READY, Surroundings, Tool, ToolsetState

LARGEST_POWER = 4096
_BINARY: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
}
_FUNCTIONS: dict[str, Callable[..., float]] = {
    "abs": abs,
    "ceil": math.ceil,
    "exp": math.exp,
    "floor": math.floor,
    "log": math.log,
    "log10": math.log10,
    "log2": math.log2,
    "max": max,
    "min": min,
    "round": round,
    "sqrt": math.sqrt,
    "sum": lambda *numbers: math.fsum(numbers),
}
_NAMES = {"pi": math.pi, "e": math.e}


class ClockSettings(BaseModel):
    """There is nothing to set."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Clock:
    """Tools that reach nothing outside."""

    Settings = ClockSettings
    name = "clock"

    def __init__(self, settings: ClockSettings, surroundings: Surroundings) -> None:
        """There is nothing to keep."""

    async def state(self) -> ToolsetState:
        return READY

    def tools(self) -> Sequence[Tool]:
        return [tool(self.time_in), tool(self.calculate)]

    async def time_in(
        self,
        zone: Annotated[str, Field(description="an IANA name such as `Europe/Berlin`")] = "UTC",
        at: Annotated[str, Field(description="`now`, `-2h`, seconds since 1970, or ISO 8601")] = "now",
    ) -> str:
        """A moment in a time zone, with its offset, the weekday, and seconds since 1970."""
        try:
            there = moment(at).astimezone(ZoneInfo(zone))
        except (ZoneInfoNotFoundError, ValueError):
            raise BadRequest("clock.no_zone", zone=zone) from None
        return f"{there.isoformat(timespec='seconds')} ({there:%A}), {there.timestamp():.0f} s since 1970; " + (
            f"UTC {there.astimezone(UTC).isoformat(timespec='seconds')}"
        )

    async def calculate(
        self, expression: Annotated[str, Field(description="such as `(92.4 - 81) / 3 * 24`", max_length=1000)]
    ) -> str:
        """The value of an arithmetic expression: + - * / // % **, parentheses, min, max, sum, round, sqrt, log …"""
        try:
            value = _value(ast.parse(expression.strip(), mode="eval").body)
        except (ArithmeticError, ValueError, SyntaxError, TypeError, RecursionError) as error:
            raise BadRequest("clock.no_expression", expression=expression, error=error) from None
        return f"{expression.strip()} = {value}"


def _value(node: ast.expr) -> float:
    """Only numbers and what computes with them. Raises `ValueError` and what Python's arithmetic raises."""
    match node:
        case ast.Constant(value=int() | float() as number):
            return number
        case ast.Name(id=name) if name in _NAMES:
            return _NAMES[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_value(operand)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _value(operand)
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, power = _value(left), _value(right)
            if abs(power) > LARGEST_POWER or (isinstance(base, int) and base.bit_length() * abs(power) > LARGEST_POWER):
                raise ValueError("the power is too large")
            result: float = base**power
            if isinstance(result, complex):
                raise ValueError("the root of a negative number")
            return result
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _BINARY:
            return _BINARY[type(op)](_value(left), _value(right))
        case ast.Call(func=ast.Name(id=name), args=arguments, keywords=[]) if name in _FUNCTIONS:
            return _FUNCTIONS[name](*map(_value, arguments))
    raise ValueError(f"{ast.unparse(node)} is no arithmetic")


def now() -> str:
    """For prompts."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
