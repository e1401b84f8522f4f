"""
One submitted value to its canonical form, or to what is wrong with it.

Canonical: text, code and NPI are strings; codes a sorted list without repeats; an integer a
number; a decimal a string with exactly its scale; a date `YYYY-MM-DD`; a datetime as `moments.py`
writes it; a boolean true or false.
An absent value has no canonical form: None, blanks and the empty string all say "not given".

Nothing here raises on a value, whatever was sent, and nothing repeats it: what is wrong is said
by a code and by what would have been right.
"""

from app.registries.schema import Element, ValueSet
from app.registries.values import codes, days, numbers, texts
from app.registries.values.given import Parser


def parser(element: Element, value_set: ValueSet | None) -> Parser:
    """The parser of one element: canonical value out, or `Refused`; it may warn on the way."""
    match element.type:
        case "text":
            return texts.text_parser(element)
        case "code" if element.list is not None:
            return texts.text_parser(element)
        case "code":
            assert value_set is not None
            return codes.code_parser(value_set)
        case "codes":
            assert value_set is not None
            return codes.codes_parser(value_set)
        case "integer":
            return numbers.integer_parser(element)
        case "decimal":
            return numbers.decimal_parser(element)
        case "date":
            return (
                days.parse_day
                if element.precision == "day"
                else days.period_parser(element.precision)
            )
        case "datetime":
            return days.parse_moment
        case "boolean":
            return texts.parse_boolean
        case "npi":
            return texts.parse_npi
