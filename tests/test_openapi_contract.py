"""
The service keeps to the letter of the OpenAPI document that it serves.

Requests are made from the document by schemathesis, right ones and wrong ones, with keys of different
reach, against the real processes. Nothing may fail on our side, and no answer may have a status, a
header, a media type or a shape that the document does not name. `make soak` runs the long form.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any
from zlib import crc32

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.pytest.lazy import get_all_tests
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    ignored_auth,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from app.api.outcomes import MEDIA_TYPE as FHIR
from app.archive import Archive
from app.benchmarks.periods import period
from app.commands.definitions import newest
from app.commands.serve import OPENAPI
from app.database import Database, Role
from app.main import create_app
from app.postgres import addresses
from app.registries.answers import response
from app.reports import issue
from app.settings import Settings
from tests.access.walking import operations
from tests.evaluations.writing import written
from tests.ingest.landing import EXAM, FOLLOW_UP, entry
from tests.make.definitions import sent_folder
from tests.make.instances import DICOM_PARTS, ct, multipart, sent
from tests.reporting.test_cards import WHOLE
from tests.served import ADDRESS, FACILITY, NEIGHBOUR, REGISTRY, Served, whole_service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    ignored_auth,
]
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
KNOWN: dict[str, list[Any]] = {
    "registry_id": [REGISTRY],
    "registry": [REGISTRY],
    "facility_id": [FACILITY, NEIGHBOUR],
    "facility": [FACILITY],
    "measure": ["ctdivol", "ppv1"],
    "peer_group": ["all"],
    "form": ["exam"],
    "form_id": ["exam", "follow_up"],
    "measure_id": ["ctdivol", "ppv1"],
    "chart": ["strata", "run", "funnel", "peers"],
    "code": ["not-found"],
    "period": ["2026", "2026Q3", "2026-09", "2025-10..2026-09"],
    "periodStart": ["2026", "2026-01-01"],
    "periodEnd": ["2026", "2026-03", "2026-12-31"],
    "year": [2024, 2026],
    "module_id": ["lung-rads-2022", "covid-19-chest-ct"],
    "list_id": ["exam_names"],
    "questionnaire_id": [f"{REGISTRY}-exam", f"{REGISTRY}-follow-up"],
    "worklist_id": ["positive-screens", "incidental-follow-up"],
    "version": ["1.12.0"],
    "accept_from": ["2100-01-01"],
    "use_case_id": ["HUC-01260001"],
    "use_case_version": [1],
    "comment_id": [1],
}
"""What the parameters of addresses may name; `things` adds what the service made."""

USE_CASE = written()

PROPOSALS = "/v1/registries/{registry_id}/proposals"
PROPOSED = {
    "rationale": "Every scanner says it.",
    "alterations": [
        {
            "kind": "element",
            "form": "exam",
            "element": "pitch",
            "definition": {"source_name": "Pitch", "title": "Pitch", "type": "decimal", "scale": 2},
        }
    ],
}

_LIST = "/v1/registries/{registry_id}/lists/{list_id}"
OF_ANOTHER_REGISTRY = {
    *(f"POST /v1/registries/{{registry_id}}/qpp/{what}" for what in ("results", "submission")),
    f"GET {_LIST}",
    f"PUT {_LIST}",
    f"GET {_LIST}/unlisted",
}
"""The packaged registry has no measure that CMS takes today, and no list of facilities; tests/reports/qpp
and tests/ingest have those that do."""

YEAR = "2025"
"""The year of the exam that is sent: it has ended, and there is something to draw of it."""
REPORTS = "/v1/facilities/{facility_id}/reports/{registry_id}/{period}"
LONG = 60
"""Seconds shared out among the operations in the long form, for each of its phases."""
WRITTEN = json.loads(OPENAPI.read_text())
OPERATIONS = [f"{method} {path}" for method, path, _ in operations(WRITTEN)]
"""The operations of the document as it is written down, which `make check` holds the service to."""


@cache
def document() -> dict[str, Any]:
    """What the application says of its wire."""
    return create_app(Settings()).openapi()


@cache
def schema(*, whole: bool) -> schemathesis.BaseSchema:
    """The document as schemathesis reads it; `whole` tries every boundary of every parameter."""
    config = SchemathesisConfig.from_dict({"phases": {"coverage": {"enabled": whole}}})
    return schemathesis.openapi.from_dict(document(), config=config)


def holding(
    test: Callable[..., None], *, whole: bool, examples: int, derandomize: bool
) -> dict[str, Callable[..., None]]:
    """
    A test for each operation, by "METHOD path". `schema.parametrize()` would make the same requests
    of all operations when tests are collected, in every worker, also where none is run.
    """
    chosen = settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=list(HealthCheck),
        derandomize=derandomize,
    )
    every = get_all_tests(
        schema=schema(whole=whole), test_func=test, settings=chosen, given_kwargs=None
    )
    return {operation.label: made for operation, made in (one.ok() for one in every)}


@schemathesis.serializer(
    "application/x-ndjson",
    XLSX,
    "application/dicom",
    "multipart/related",
)
def as_bytes(_: object, value: object) -> bytes:
    """Bodies that are bytes: sent as they come, whatever they are."""
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


def dice(*thrown: object) -> int:
    """A number that follows from what was made: the same run gives the same choices."""
    return crc32(repr(thrown).encode())


@schemathesis.hook
def map_path_parameters(_: object, path_parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    """Most addresses name what exists, or the tests would see nothing but 404."""
    return known(path_parameters)


@schemathesis.hook
def map_query(_: object, query: dict[str, Any] | None) -> dict[str, Any] | None:
    """So do most queries."""
    return known(query)


def known(parameters: dict[str, Any] | None) -> dict[str, Any] | None:
    thrown = dice(parameters)
    if parameters and thrown % 4:
        for name in parameters:
            if name in KNOWN:
                parameters[name] = KNOWN[name][thrown // 4 % len(KNOWN[name])]
    return parameters


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    with whole_service(settings) as service:
        KNOWN.update(things(service))
        asyncio.run(issue_a_report(service))
        yield service


async def issue_a_report(service: Served) -> None:
    """What a facility was sent of a year that has ended; only the command line does that."""
    definition = newest(REGISTRY)
    at = datetime.now(UTC)
    with addresses(service.settings) as found:
        worker = Database(found.worker, Role.WORKER, pool=1)
        try:
            begun = await issue.begin(
                worker, definition, period(YEAR), today=at, facilities={FACILITY}
            )
            assert begun is not None
            archive = Archive(service.settings)
            assert await issue.issue_next(
                worker, archive, definition, begun.id, at=at, lease_seconds=60, tries=1
            )
        finally:
            await worker.close()


def things(service: Served) -> dict[str, list[Any]]:
    """One of everything that an address can name: answers are held to their shapes as well."""
    with httpx.Client(base_url=service.url, timeout=60) as http:

        def ask(method: str, path: str, key: str, **body: Any) -> httpx.Response:
            headers = service.authorised(key) | body.pop("headers", {})
            answer = http.request(method, path, headers=headers, **body)
            assert answer.is_success, answer.text
            return answer

        def finished(location: str) -> str:
            until = time.monotonic() + 60
            while ask("GET", location, service.registrar).json()["state"] != "completed":
                assert time.monotonic() < until
                time.sleep(0.1)
            return location.rpartition("/")[2]

        entries = [
            entry(EXAM),
            entry(EXAM, exam_unique_id="A-2", dlp="much"),
            entry(FOLLOW_UP, form="follow_up"),
        ]
        door = f"/v1/registries/{REGISTRY}/submissions"
        told = ask("POST", door, service.registrar, json={"entries": entries})
        submission = finished(told.headers["Location"])
        stored = ask(
            "POST",
            f"/dicomweb/{REGISTRY}/studies",
            service.registrar,
            content=multipart([sent(AccessionNumber="A-1")]),
            headers={"Content-Type": DICOM_PARTS},
        )
        delivered = finished(stored.headers["Location"])
        (uids,) = re.findall(r"/studies/([\d.]+)/series/([\d.]+)/instances/([\d.]+)", stored.text)
        account = ask("GET", "/v1/corporate-accounts", service.operator).json()[0]["id"]
        cases = ask("GET", f"/v1/registries/{REGISTRY}/cases", service.registrar).json()
        participations = ask("GET", "/v1/participations", service.operator).json()
        ada = {"npi": "1234567893", "first_name": "Ada", "last_name": "Adams"}
        ada |= {"corporate_account_id": account, "facilities": [FACILITY]}
        physician = ask("POST", "/v1/physicians", service.operator, json=ada).json()
        sender = {"name": "Sender", "registries": [REGISTRY]}
        partner = ask("POST", "/v1/partners", service.operator, json=sender).json()
        spare = {"role": "dashboard", "label": "spare", "facilities": [FACILITY]}
        key = ask("POST", "/v1/keys", service.operator, json=spare).json()
        return {
            "submission_id": [submission, delivered],
            "response_id": [f"{submission}-1", f"{submission}-2"],
            "case_id": [one["id"] for one in cases],
            "case": [one["id"] for one in cases],
            "observation_id": [f"case-{one['id']}-0" for one in cases],
            "account_id": [account],
            "participation_id": [one["id"] for one in participations],
            "physician_id": [physician["id"]],
            "partner_id": [partner["id"]],
            "key_id": [key["id"]],
            "proposal_id": [
                ask(
                    "POST", PROPOSALS.format(registry_id=REGISTRY), service.operator, json=PROPOSED
                ).json()["id"]
            ],
            **dict(
                zip(
                    ("study_instance_uid", "series_instance_uid", "sop_instance_uid"),
                    ([uid] for uid in uids),
                    strict=True,
                )
            ),
        }


class Teller:
    """Sends right requests, and holds every answer to the document."""

    def __init__(self, served: Served, http: httpx.Client) -> None:
        self.served, self.http = served, http
        self.answered: set[str] = set()

    def __call__(
        self,
        method: str,
        path: str,
        key: str,
        *,
        where: dict[str, Any] | None = None,
        headers: dict[str, str] | None = None,
        query: dict[str, Any] | None = None,
        **body: Any,
    ) -> httpx.Response:
        request = self.http.build_request(
            method,
            path.format(**(where or {})),
            headers=self.served.authorised(key) | (headers or {}),
            params=query or {},
            **body,
        )
        request.read()
        answer = self.http.send(request)
        assert answer.is_success, f"{method} {path}: {answer.status_code} {answer.text}"
        case = schema(whole=False)[path][method].Case(
            path_parameters=where or {}, query=query or {}
        )
        # What was sent is right, and nobody is asked twice: a key that ended once cannot end again.
        case.validate_response(answer, checks=[one for one in CHECKS if one is not ignored_auth])
        documented = document()["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        assert bool(answer.content) == ("content" in documented), f"{method} {path}: the body"
        self.answered.add(f"{method} {path}")
        return answer


def write_everything(tell: Teller, served: Served) -> dict[str, Any]:
    """Every operation that changes something, done once as it should be; returns what it made."""
    ask = partial(tell, key=served.operator)
    address = {**ADDRESS, "name": "Lakeside Health"}
    person = {"first_name": "Ada", "last_name": "Adams"}

    account = ask("POST", "/v1/corporate-accounts", json=address).json()["id"]
    of_it = {"account_id": account}
    ask("PUT", "/v1/corporate-accounts/{account_id}", where=of_it, json=address)
    steward = {**person, "email": "ada@example.org"}
    path = "/v1/corporate-accounts/{account_id}/administrator"
    ask("PUT", path, where=of_it, json=steward)
    place = {**address, "category": "community", "location": "rural"}
    facility = ask("POST", "/v1/facilities", json={**place, "corporate_account_id": account}).json()
    of_it = {"facility_id": facility["id"]}
    ask("PUT", "/v1/facilities/{facility_id}", where=of_it, json=place)
    ask("PUT", "/v1/facilities/{facility_id}/administrator", where=of_it, json=steward)

    ada = {**person, "npi": "1003000126", "facilities": [facility["id"]]}
    made = ask("POST", "/v1/physicians", json={**ada, "corporate_account_id": account}).json()
    path, of_it = "/v1/physicians/{physician_id}", {"physician_id": made["id"]}
    ask("PUT", path, where=of_it, json=ada)
    ask("DELETE", path, where=of_it)

    applied = {"facility_id": facility["id"], "registry_id": REGISTRY}
    membership = ask("POST", "/v1/participations", json=applied).json()
    path = "/v1/participations/{participation_id}/transitions"
    signed = {"state": "agreement-signed", "signed_by": "A. Adams", "on": "2026-01-02"}
    ask("POST", path, where={"participation_id": membership["id"]}, json=signed)
    named = {"name": "Lakeside Software", "registries": [REGISTRY]}
    partner = ask("POST", "/v1/partners", json=named).json()
    path = "/v1/facilities/{facility_id}/partners/{partner_id}/{registry_id}"
    leave = {"facility_id": FACILITY, "partner_id": partner["id"], "registry_id": REGISTRY}
    tell("PUT", path, served.administrator, where=leave)
    tell("DELETE", path, served.administrator, where=leave)
    spare = {"role": "dashboard", "label": "short-lived", "facilities": [FACILITY]}
    key = ask("POST", "/v1/keys", json=spare).json()
    ask("DELETE", "/v1/keys/{key_id}", where={"key_id": key["id"]})

    ask = partial(tell, key=served.registrar, where={"registry_id": REGISTRY})
    path = "/v1/registries/{registry_id}/submissions"
    exam = entry(EXAM, exam_unique_id="W-1")
    ask("POST", path, json={"entries": [exam]}, headers={"Prefer": "wait=60"})
    told = exam["elements"]
    table = "\n".join((",".join(told), ",".join(told.values())))
    template = "/v1/registries/{registry_id}/forms/{form_id}/template"
    form = {"registry_id": REGISTRY, "form_id": "exam"}
    book = ask("GET", template, where=form).content
    for media, content in {
        "application/x-ndjson": json.dumps(exam),
        "text/csv": table,
        "text/plain": table.replace(",", "|"),
        XLSX: book,
    }.items():
        ask("POST", path, content=content, headers={"Content-Type": media})
    ask("POST", path, files={"file": ("exams.csv", table, "text/csv")})

    send_responses(ask, {**told, "exam_unique_id": "W-3"})
    path = "/v1/registries/{registry_id}/cases/search"
    (case,) = ask("POST", path, json={"key": {"exam_unique_id": "W-1"}, "form": "exam"}).json()
    tell("DELETE", "/v1/cases/{case_id}", served.registrar, where={"case_id": case["id"]})

    ask("POST", "/v1/qpp/checks", json={"entityType": "group"})
    path = "/v1/reporting-modules"
    tell("POST", path, served.operator, content=WHOLE, headers={"Content-Type": "application/xml"})
    answers = {"nodules": [{"kind": "solid", "status": "baseline", "diameter": 7}]}
    where = {"module_id": "lung-rads-2022"}
    ask("POST", f"{path}/{{module_id}}/evaluate", where=where, json={"answers": answers})
    report = {"answers": answers, "elements": {"exam_unique_id": "W-2"}}
    into = {"registry": REGISTRY}
    ask("POST", f"{path}/{{module_id}}/drafts", where=where, query=into, json=report)
    path = "/v1/registries/{registry_id}/forms/{form_id}/trials"
    ask("POST", path, where=form, json={"elements": told})
    project = write_project(partial(tell, key=served.administrator))
    write_definition(partial(tell, key=served.operator))
    use_case = write_use_cases(partial(tell, key=served.operator))

    path = "/dicomweb/{registry_id}/studies"
    whole = {"Content-Type": DICOM_PARTS}
    ask("POST", path, content=multipart([sent(study=7)]), headers=whole)
    ask("POST", path, content=sent(study=8), headers={"Content-Type": "application/dicom"})
    some = multipart([sent(study=9), b"no instance"])
    assert ask("POST", path, content=some, headers=whole).status_code == 202
    study = {"registry_id": REGISTRY, "study_instance_uid": str(ct(study=7).StudyInstanceUID)}
    again = multipart([sent(2, study=7)])
    ask("POST", f"{path}/{{study_instance_uid}}", where=study, content=again, headers=whole)
    return {
        "use_case_id": use_case,
        "project_id": project,
        "account_id": account,
        "/v1/facilities/{facility_id}/administrator facility_id": facility["id"],
    }


def send_responses(ask: partial[httpx.Response], elements: dict[str, Any]) -> None:
    """The doors of FHIR, with the response that a form filler makes of an exam."""
    definition = newest(REGISTRY)
    form = definition.entry_forms[0]
    one = response(definition, form, elements, "completed", "http://hounsfield.test")
    typed = {"headers": {"Content-Type": FHIR, "Prefer": "wait=30"}}
    path = "/fhir/{registry_id}/QuestionnaireResponse"
    assert ask("POST", path, content=json.dumps(one), **typed).status_code == 201
    assert ask("POST", path, content=json.dumps(one), **typed).status_code == 200
    bundle = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": one}]}
    ask("POST", "/fhir/{registry_id}", content=json.dumps(bundle), **typed)


def write_project(ask: partial[httpx.Response]) -> int:
    """An improvement project from beginning to end; its number."""
    path = "/v1/facilities/{facility_id}/improvement-projects"
    where: dict[str, Any] = {"facility_id": FACILITY}
    plan = {"measure": "ctdivol", "aim": "Less.", "baseline": "2025-01..2025-06"}
    new = {"registry_id": REGISTRY, "template": "radiation-dose", **plan}
    project = ask("POST", path, where=where, json=new).json()["id"]
    where, path = where | {"project_id": project}, f"{path}/{{project_id}}"
    ask("PUT", path, where=where, json=plan)
    step = {"kind": "do", "on": "2025-07-01", "says": "We did."}
    person = {"name": "Ada", "role": "Lead", "from_day": "2025-07-01"}
    for rows, one, body in (("interventions", "intervention", step), ("participants", "participant", person)):  # fmt: skip
        made = ask("POST", f"{path}/{rows}", where=where, json=body).json()["id"]
        at = where | {f"{one}_id": made}
        ask("PUT", f"{path}/{rows}/{{{one}_id}}", where=at, json=body)
        ask("DELETE", f"{path}/{rows}/{{{one}_id}}", where=at)
    ask("POST", f"{path}/closing", where=where, json={"conclusion": "Kept."})
    return int(project)


def write_definition(ask: partial[httpx.Response]) -> None:
    """A proposal from beginning to end, and a version that is published and ended."""
    where: dict[str, Any] = {"registry_id": REGISTRY}
    made = ask("POST", PROPOSALS, where=where, json=PROPOSED).json()["id"]
    of_it, path = where | {"proposal_id": made}, f"{PROPOSALS}/{{proposal_id}}"
    ask("POST", f"{path}/comments", where=of_it, json={"says": "So it does."})
    ask("POST", f"{path}/transitions", where=of_it, json={"state": "accepted"})
    path, where = "/v1/registries/{registry_id}/versions", {"registry_id": "visits"}
    for _ in range(2):  # once more changes nothing
        ask("POST", path, where=where, json=sent_folder())
    ended = {"accept_until": "2199-12-31"}
    ask("PUT", f"{path}/{{version}}/sunset", where=where | {"version": "1.0.0"}, json=ended)


def write_use_cases(ask: partial[httpx.Response]) -> str:
    """A use case from its draft to its second version; its number."""
    path, step = "/v1/use-cases", {"state": "panel-review"}
    number = ask("POST", path, json=USE_CASE).json()["use_case_id"]
    where: dict[str, Any] = {"use_case_id": number, "use_case_version": 1}
    versions = f"{path}/{{use_case_id}}/versions"
    version = f"{versions}/{{use_case_version}}"
    ask("PUT", version, where=where, json=USE_CASE | {"title": "Another title"})
    ask("POST", f"{version}/transitions", where=where, json=step)
    said = {"section": "overview", "says": "Well said."}
    comment = ask("POST", f"{version}/comments", where=where, json=said).json()["id"]
    at, outcome = where | {"comment_id": comment}, {"outcome": "noted"}
    ask("PUT", f"{version}/comments/{{comment_id}}/outcome", where=at, json=outcome)
    ask("DELETE", f"{version}/comments/{{comment_id}}", where=at)
    for state in ("public-comment", "published"):
        ask("POST", f"{version}/transitions", where=where, json={"state": state})
    ask("POST", versions, where={"use_case_id": number})
    KNOWN["use_case_id"], KNOWN["comment_id"] = [number], [comment]
    return str(number)


def read_everything(tell: Teller, served: Served, made: dict[str, Any]) -> None:
    """Every operation that reads, done once by somebody who may."""
    known = {name: values[0] for name, values in KNOWN.items()} | made
    delivered = KNOWN["submission_id"][1]
    known["/v1/submissions/{submission_id}/instances submission_id"] = delivered
    chart = f"{REPORTS}/charts/{{measure_id}}/{{chart}}.vl.json"
    known |= {f"{REPORTS}/issued period": YEAR, f"{chart} period": YEAR}
    known[f"{chart} measure_id"] = "screens"  # a count is shown however small
    for method, path, operation in operations(document()):
        if method != "GET" or f"{method} {path}" in OF_ANOTHER_REGISTRY:
            continue
        asked = operation.get("parameters", [])
        where = {
            one["name"]: known.get(f"{path} {one['name']}", known[one["name"]])
            for one in asked
            if one["in"] == "path"
        }
        query = {
            one["name"]: known[one["name"]]
            for one in asked
            if one["in"] == "query" and (one.get("required") or one["name"] == "facility")
        }
        by_facility = path.startswith("/dicomweb") or "/worklists" in path or "/lists" in path
        key = served.registrar if by_facility else served.operator
        if "/physicians/{physician_id}/" in path:
            key = served.administrator
        tell(method, path, key, where=where, query=query)


def test_every_operation_done_right_answers_as_the_document_says(served: Served) -> None:
    with httpx.Client(base_url=served.url, timeout=90) as http:
        tell = Teller(served, http)
        made = write_everything(tell, served)
        read_everything(tell, served, made)
    every = {f"{method} {path}" for method, path, _ in operations(document())}
    assert tell.answered == every - OF_ANOTHER_REGISTRY


ASKS_FOR_A_KEY: set[str] = set()
"""Operations that answered a right key and refused none and a wrong one."""


def keeps_its_word(case: schemathesis.Case, served: Served) -> None:
    keys = (served.operator, served.administrator, served.registrar, served.dashboard)
    key = keys[dice(case.path_parameters, case.query, case.headers, case.body) % len(keys)]
    # That a key is asked for holds of an operation: where it was seen once, nobody asks again.
    seen = case.operation.label in ASKS_FOR_A_KEY
    checks = [one for one in CHECKS if not (seen and one is ignored_auth)]
    answer = case.call_and_validate(
        base_url=served.url, headers=served.authorised(key), checks=checks, timeout=30
    )
    if answer.status_code < 300:
        ASKS_FOR_A_KEY.add(case.operation.label)


@pytest.fixture(scope="module")
def short() -> dict[str, Callable[..., None]]:
    """The short form leaves out the phase that tries every boundary of every parameter by turns."""
    return holding(one_keeps_its_word, whole=False, examples=4, derandomize=True)


def one_keeps_its_word(case: schemathesis.Case, served: Served) -> None:
    keeps_its_word(case, served)


@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_answers_as_the_document_says(
    operation: str, short: dict[str, Callable[..., None]], served: Served
) -> None:
    short[operation](served=served)


@pytest.fixture(scope="module")
def long() -> dict[str, Callable[..., None]]:
    """About two minutes of requests, the same time for each operation."""
    until: dict[str, float] = {}

    def one_keeps_its_word_for_a_while(case: schemathesis.Case, served: Served) -> None:
        each = LONG / len(OPERATIONS)
        if time.monotonic() < until.setdefault(case.operation.label, time.monotonic() + each):
            keeps_its_word(case, served)

    return holding(one_keeps_its_word_for_a_while, whole=True, examples=30, derandomize=False)


@pytest.mark.soak
@pytest.mark.parametrize("operation", OPERATIONS)
def test_every_operation_answers_as_the_document_says_at_length(
    operation: str, long: dict[str, Callable[..., None]], served: Served
) -> None:
    long[operation](served=served)


def test_what_is_tried_is_every_operation(short: dict[str, Callable[..., None]]) -> None:
    assert set(short) == set(OPERATIONS)


def test_no_name_in_the_document_tells_where_it_is_written() -> None:
    """Two models of one name are told apart by their Python modules: partners' clients would be."""
    schemas = json.loads(OPENAPI.read_text())["components"]["schemas"]
    assert not [name for name in schemas if "__" in name]
