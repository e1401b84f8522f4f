"""CMS's published measures, and which of them a registry's measures may say they are."""

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from app.errors import Unprocessable
from app.registries.load import PACKAGED, load
from app.registries.measure import Measure, Qpp, Stratifier
from app.registries.qpp import published as files
from app.registries.qpp.condense import condense, written
from app.registries.qpp.mapping import claimed_twice, unfit
from app.registries.qpp.published import published, years
from tests.benchmarks.toy import EXAM
from tests.reports.qpp.registry import READER, WITH_READER

CMS = Path(__file__).parent / "qpp_published"
"""The radiology measures of CMS's qpp-measures-data 11.1.0 and its schemas (MIT): their facts and form,
without the descriptions."""

YEARS = (2024, 2025, 2026, 2027)


def told(name: str, year: int) -> Any:
    path = CMS / f"{name}-{year}.json"
    return json.loads(path.read_bytes()) if path.is_file() else []


def merged(node: Any, root: Any) -> Any:
    """CMS's `$merge` (ajv-merge-patch) worked out: RFC 7396 of `source` with `with`."""
    if isinstance(node, list):
        return [merged(one, root) for one in node]
    if not isinstance(node, dict):
        return node
    if "$merge" in node:
        source = merged(node["$merge"]["source"], root)
        if set(source) == {"$ref"}:
            name = source["$ref"].rpartition("/")[2]
            source = merged(deepcopy(root["definitions"][name]), root)
        return patched(source, merged(node["$merge"]["with"], root))
    return {key: merged(value, root) for key, value in node.items()}


def patched(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    target = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        target[key] = patched(target.get(key), value)
    return target


def validator(name: str, year: int) -> jsonschema_rs.Draft7Validator:
    text = (CMS / f"{name}-schema-{year}.yaml").read_text()
    schema = yaml.safe_load(text)
    whole = merged(schema, schema)
    whole["$schema"] = "http://json-schema.org/draft-07/schema#"
    whole.pop("$id", None)
    return jsonschema_rs.Draft7Validator(json.loads(json.dumps(whole, default=str)))


def test_the_years_of_the_issue_are_known() -> None:
    assert years() == YEARS


@pytest.mark.parametrize("year", YEARS)
def test_what_is_shipped_is_drawn_from_documents_that_satisfy_cmss_schemas(year: int) -> None:
    measures, benchmarks = told("measures", year), told("benchmarks", year)
    assert measures
    validator("measures", year).validate(measures)
    if benchmarks:
        validator("benchmarks", year).validate(benchmarks)
    drawn = condense(year, measures, benchmarks, published(year).source)
    assert drawn == published(year)
    assert written(drawn) == (files.FOLDER / f"{year}.json").read_text("utf-8")
    assert len(drawn.benchmarks) == len(benchmarks)


def test_a_schema_of_cms_refuses_a_measure_of_an_unknown_kind() -> None:
    measures = told("measures", 2026)
    measures[0]["metricType"] = "guesswork"
    with pytest.raises(jsonschema_rs.ValidationError):
        validator("measures", 2026).validate(measures)


def test_percentiles_are_cmss_own() -> None:
    found = published(2026).benchmark("ACRAD34")
    assert found is not None
    assert (found.percentiles[1], found.percentiles[5], found.percentiles[9]) == (
        70.38,
        89.71,
        96.61,
    )
    assert published(2027).benchmarks == ()


def test_a_benchmark_of_another_year_or_with_other_percentiles_is_refused() -> None:
    measures, benchmarks = told("measures", 2026), told("benchmarks", 2026)
    with pytest.raises(Unprocessable, match="145"):
        condense(2025, measures, benchmarks, "")
    del benchmarks[0]["percentiles"]["50"]
    with pytest.raises(Unprocessable, match="145"):
        condense(2026, measures, benchmarks, "")


def test_a_stratified_measure_without_strata_is_refused() -> None:
    measures = told("measures", 2026)
    (one,) = [each for each in measures if each["measureId"] == "ACRAD34"]
    one["strata"] = []
    with pytest.raises(Unprocessable, match="ACRAD34"):
        condense(2026, measures, [], "")


def measure(qpp: dict[str, Any], **changes: Any) -> Measure:
    document = {
        "id": "one",
        "title": "One",
        "description": "One.",
        "form": "exam",
        "scoring": "proportion",
        "numerator": "TRUE",
        "stratifiers": (
            Stratifier(
                id="part", title="Part", expression="result", strata={"1": "One", "2": "Two"}
            ),
        ),
        "qpp": [{"years": [2026], "clinician": READER, **qpp}],
        **changes,
    }
    return Measure.model_validate(document)


STRATA = {"abdomen": "1", "chest": "2", "head": "3"}


@pytest.mark.parametrize(
    ("qpp", "changes", "says"),
    [
        ({"id": "ACRAD44"}, {}, None),
        ({"id": "406"}, {"improvement": "decrease"}, None),
        ({"id": "ACRAD99", "years": [2017]}, {}, None),
        (
            {"id": "ACRAD4"},
            {},
            "ACRAD4 of 2026: CMS has no such radiology measure; did you mean ACRAD4",
        ),
        ({"id": "ACRAD15"}, {}, "of 2026: CMS has no such radiology measure"),
        ({"id": "ACRAD15", "years": [2025]}, {}, "nonProportion needs a continuous-variable"),
        ({"id": "494"}, {}, "a registry may not send it; CMS takes electronicHealthRecord"),
        ({"id": "406"}, {"improvement": "increase"}, "to CMS a lower rate is better"),
        ({"id": "364"}, {"improvement": "decrease"}, "to CMS a higher rate is better"),
        ({"id": "364", "clinician": "dose"}, {}, f"`exam`; it has {READER}"),
        ({"id": "364", "stratifier": "other"}, {}, "is no stratifier of this measure; it has part"),
        ({"id": "ACRAD34"}, {}, "CMS takes exactly the strata abdomen, chest, head"),
        (
            {"id": "ACRAD34", "stratifier": "part", "strata": {"abdomen": "1", "chest": "2"}},
            {},
            "CMS takes exactly the strata abdomen, chest, head",
        ),
        (
            {"id": "ACRAD34", "stratifier": "part", "strata": STRATA},
            {},
            "`3` is no stratum of `part`",
        ),
        (
            {"id": "ACRAD34", "stratifier": "part", "strata": {**STRATA, "head": "1"}},
            {},
            "two strata of CMS are one of ours",
        ),
        ({"id": "364", "strata": {"a": "1"}, "stratifier": "part"}, {}, "takes it without strata"),
        (
            {"id": "364", "exclusions": "exclusion"},
            {"denominator_exclusion": "TRUE"},
            "CMS takes 0 exclusions",
        ),
        ({"id": "364", "exceptions": "numerator-exclusion"}, {}, "has no `numerator-exclusion`"),
    ],
)
def test_a_measure_that_cannot_be_what_it_says_is_told_why(
    qpp: dict[str, Any], changes: dict[str, Any], says: str | None
) -> None:
    found = [message for _, message in unfit(measure(qpp, **changes), WITH_READER)]
    if says is None:
        assert found == []
    else:
        assert any(says in one for one in found), found


def test_a_form_without_an_npi_has_nobody_to_report() -> None:
    ((place, message),) = unfit(measure({"id": "ACRAD44"}), EXAM)
    assert place == ("qpp", 0, "clinician")
    assert message.endswith("it has none")


def test_two_measures_are_not_the_same_qpp_measure_in_one_year() -> None:
    one, other = measure({"id": "364"}), measure({"id": "364", "years": [2025]}, id="other")
    assert list(claimed_twice([one, other])) == []
    ((place, message),) = claimed_twice([one, other, measure({"id": "364"}, id="third")])
    assert place == (2, "qpp", 0)
    assert message == "`one` is 364 in 2026 already"


def test_the_lung_registry_says_what_its_measures_were_and_when() -> None:
    definition = load(PACKAGED / "early-lung-cancer-detection" / "1.12.0")
    found = {one.id: one.qpp for one in definition.measures if one.qpp}
    assert {name: [(each.id, each.years) for each in qpp] for name, qpp in found.items()} == {
        "cancer_detection_rate": [("ACRAD21", (2017, 2018))],
        "ppv1": [("ACRAD22", (2017, 2018))],
        "abnormal_interpretation_rate": [("ACRAD23", (2017, 2018))],
    }
    every: list[Qpp] = [each for qpp in found.values() for each in qpp]
    assert {(each.source, each.reference) for each in every} == {("unconfirmed", "S30")}
