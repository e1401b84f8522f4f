"""Rounding: once, of the exact value, halves away from zero."""

import math
from decimal import Decimal
from fractions import Fraction


def half_up(value: Fraction | Decimal | int, digits: int) -> Decimal:
    """The value with so many decimals, halves away from zero."""
    exact = Fraction(value) * 10**digits
    whole = math.floor(abs(exact) + Fraction(1, 2))
    return Decimal(-whole if exact < 0 else whole).scaleb(-digits)
