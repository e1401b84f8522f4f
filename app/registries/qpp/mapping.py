"""
Whether a measure can be the QPP measure that it says it is.

Checked for the performance years whose measures CMS has published; of other years nothing is known
here, and nothing is said.
"""

import difflib
from collections.abc import Iterable, Iterator, Sequence

from app.registries.measure import Measure, Qpp
from app.registries.qpp.published import Published, published, years
from app.registries.schema import Form

Place = tuple[str | int, ...]
Complaints = Iterator[tuple[Place, str]]

CQM = frozenset({"singlePerformanceRate", "multiPerformanceRate"})
"""Kinds that CMS works the rate out of itself; what is excluded has left their eligible population."""
WITH_NUMERATOR_EXCLUSION = frozenset({"registrySinglePerformanceRate", "nonProportion"})


def unfit(measure: Measure, form: Form) -> Complaints:
    """Why a measure of a form cannot be what it says it is, with the place in the measure."""
    for number, one in enumerate(measure.qpp):
        at: Place = ("qpp", number)
        element = form.by_id.get(one.clinician)
        if element is None or element.type != "npi":
            npis = [each.id for each in form.all_elements if each.type == "npi"]
            yield (
                (*at, "clinician"),
                f"is no element with an NPI of `{form.id}`; it has {_list(npis)}",
            )
        yield from (((*at, *place), message) for place, message in _strata_of_ours(measure, one))
        said = set()
        for year in sorted(set(one.years) & {*years()}):
            for place, message in _in_year(measure, one, year):
                if (place, message) not in said:
                    said.add((place, message))
                    yield (*at, *place), f"{one.id} of {year}: {message}"


def claimed_twice(measures: Sequence[Measure]) -> Complaints:
    """Two measures, or two parts of one, that are the same QPP measure in the same year."""
    seen: dict[tuple[str, int], str] = {}
    for place, measure in enumerate(measures):
        for number, one in enumerate(measure.qpp):
            for year in one.years:
                if (one.id, year) in seen:
                    first = seen[one.id, year]
                    yield (place, "qpp", number), f"`{first}` is {one.id} in {year} already"
                seen[one.id, year] = measure.id


def _strata_of_ours(measure: Measure, one: Qpp) -> Complaints:
    if one.stratifier is None:
        if one.strata:
            yield ("strata",), "needs a `stratifier`"
        return
    found = next((each for each in measure.stratifiers if each.id == one.stratifier), None)
    if found is None:
        ids = _list(each.id for each in measure.stratifiers)
        yield ("stratifier",), f"is no stratifier of this measure; it has {ids}"
        return
    for name in one.strata.values():
        if found.strata and name not in found.strata:
            yield (
                ("strata",),
                f"`{name}` is no stratum of `{found.id}`; it has {_list(found.strata)}",
            )
    if len({*one.strata.values()}) < len(one.strata):
        yield ("strata",), "two strata of CMS are one of ours"


def _in_year(measure: Measure, one: Qpp, year: int) -> Complaints:
    official = published(year)
    found = official.measure(one.id)
    if found is None:
        close = difflib.get_close_matches(one.id, official.sendable, 1)
        hint = f"did you mean {close[0]}? " if close else ""
        yield (
            ("id",),
            f"CMS has no such radiology measure; {hint}There are {_list(official.sendable)}",
        )
        return
    if "registry" not in found.submission_methods:
        yield ("id",), f"a registry may not send it; CMS takes {_list(found.submission_methods)}"
    needed = "proportion" if found.proportion else "continuous-variable"
    if measure.scoring != needed:
        yield ("id",), f"{found.metric_type} needs a {needed}; this is a {measure.scoring}"
    if measure.improvement not in ("none", "decrease" if found.is_inverse else "increase"):
        better = "lower" if found.is_inverse else "higher"
        yield ("id",), f"to CMS a {better} rate is better; `improvement` says the opposite"
    yield from _strata_of_theirs(one, found)
    yield from _populations(measure, one, found)


def _strata_of_theirs(one: Qpp, found: Published) -> Complaints:
    if {*one.strata} == {*found.strata}:
        return
    if found.stratified:
        yield ("strata",), f"CMS takes exactly the strata {_list(found.strata)}"
    else:
        yield ("strata",), "CMS takes it without strata"


def _populations(measure: Measure, one: Qpp, found: Published) -> Complaints:
    """Populations that this kind of result has no room for."""
    of_numerator = "numerator-exclusion"
    if measure.denominator_exclusion and one.exclusions == "exclusion":
        if found.metric_type in CQM:
            yield ("exclusions",), "CMS takes 0 exclusions: they are `outside` or `not-reported`"
        if not found.proportion:
            yield ("exclusions",), f"{found.metric_type} has exclusions only as `{of_numerator}`"
    for name in ("exclusions", "exceptions"):
        if getattr(one, name) == of_numerator and found.metric_type not in WITH_NUMERATOR_EXCLUSION:
            yield (name,), f"{found.metric_type} has no `{of_numerator}`"


def _list(names: Iterable[str]) -> str:
    return ", ".join(names) or "none"
