"""People at a browser: sign in, send a file, follow it, read findings and a report; by keyboard, on a telephone."""

import json
from collections.abc import Iterator
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

import pytest

from app.settings import Settings
from tests.browser.browser import PROGRAM, Browser, Page, browser
from tests.ingest.landing import exam
from tests.journeys.test_ninth import ENTRY, NINTH, SHOWN
from tests.journeys.test_ninth import REGISTRY as JOINTS
from tests.served import FACILITY, REGISTRY, Served, whole_service

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="there is no Chromium on this machine")


@pytest.fixture(scope="module")
def served(settings: Settings) -> Iterator[Served]:
    own = settings.model_copy(update={"definitions": NINTH})
    with whole_service(own, also=[JOINTS]) as service:
        yield service


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def tab(chromium: Browser, served: Served) -> Iterator[Page]:
    """A tab in which the registrar is signed in."""
    opened = chromium.page()
    opened.open(served.url + "/sign-in")
    opened.until("document.activeElement.id === 'key'")
    opened.type(served.registrar)
    opened.does("document.querySelector('main form').requestSubmit()")
    assert opened.run("location.pathname") == "/"
    yield opened
    opened.close()


@pytest.fixture
def page(tab: Page) -> Page:
    """The tab on a desk."""
    tab.size(1200, 900)
    return tab


def send(page: Page, served: Served, file: Path) -> None:
    page.open(f"{served.url}/registries/{REGISTRY}/submit")
    page.choose_file("#file", file)
    page.run("document.getElementById('submit').requestSubmit()")
    page.until("location.pathname.startsWith('/submissions/')")
    page.until("document.readyState === 'complete' && !document.getElementById('live')")


def test_a_file_is_sent_followed_and_its_findings_are_shown(
    page: Page, served: Served, tmp_path: Path
) -> None:
    good = [exam(exam_unique_id=f"BROWSER-{number}") for number in range(12)]
    flawed = exam(exam_unique_id="BROWSER-FLAWED", smoking_status="77")
    file = tmp_path / "exams.json"
    file.write_text(json.dumps({"entries": [*good, flawed]}))
    send(page, served, file)
    assert page.run("document.querySelector('h1').innerText") == "Your submission is in"
    figures = page.run(
        "Object.fromEntries([...document.querySelectorAll('.figures div')].map("
        "one => [one.querySelector('dt').innerText, one.querySelector('dd').innerText]))"
    )
    assert (figures["Entries"], figures["New cases"], figures["Rejected"]) == ("13", "12", "1")
    findings = page.run("document.querySelector('table').innerText")
    assert "smoking_status" in findings
    assert "not-in-value-set" in findings
    assert "77" not in page.run("document.querySelector('main').innerText")
    assert page.complaints() == []


def test_a_file_of_another_kind_is_refused_in_words_before_it_is_sent(
    page: Page, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "scan.pdf"
    file.write_bytes(b"%PDF-1.7")
    page.open(f"{served.url}/registries/{REGISTRY}/submit")
    page.choose_file("#file", file)
    page.run("document.getElementById('submit').requestSubmit()")
    assert "not taken" in page.until("document.getElementById('problem').innerText")
    assert page.run("location.pathname") == f"/registries/{REGISTRY}/submit"


def test_a_file_that_cannot_be_read_ends_as_a_page_that_says_why(
    page: Page, served: Served, tmp_path: Path
) -> None:
    file = tmp_path / "exams.xlsx"
    file.write_bytes(b"this is no workbook")
    send(page, served, file)
    assert page.run("document.querySelector('h1').innerText") == "This submission cannot be read"
    assert "unreadable" in page.run("document.querySelector('table').innerText")


TYPING = """(() => {
  const within = (box, name) => [...box.querySelectorAll(`[data-element="${name}"]`)].find(
    (one) => one.parentElement.closest("[data-row], [data-section]") === box);
  const groups = (box, name) => [...box.querySelectorAll(`[data-group="${name}"]`)].find(
    (one) => one.parentElement.closest("[data-row], [data-section]") === box);
  const fill = (box, elements) => {
    for (const [name, value] of Object.entries(elements)) {
      if (Array.isArray(value) && typeof value[0] === "object") {
        const group = groups(box, name);
        const rows = () => [...group.querySelectorAll(`[data-row="${name}"]`)];
        value.forEach((row, number) => {
          if (rows().length <= number) group.querySelector(`[data-add="${name}"]`).click();
          fill(rows()[number], row);
        });
        continue;
      }
      const shown = within(box, name);
      if (shown.hidden) throw new Error(name + " is not asked");
      for (const one of [].concat(value)) {
        const boxed = shown.querySelector(`input[type=checkbox][value="${one}"]`);
        const control = boxed || shown.querySelector("input, select");
        if (boxed) boxed.checked = true; else control.value = String(one);
        control.dispatchEvent(new Event("input", { bubbles: true }));
      }
    }
  };
  fill(document.querySelector("[data-section]"), %s);
})()"""


def test_an_entry_with_rows_inside_rows_is_typed_and_becomes_a_case(
    page: Page, served: Served
) -> None:
    page.open(f"{served.url}/registries/{JOINTS}/submit")
    page.does(f"document.querySelector('a[href$=\"/{JOINTS}/forms/injection\"]').click()")
    page.until("document.getElementById('entry').dataset.ready")
    asked = "document.querySelector('[data-element=sedative]').hidden"
    assert page.run(asked) is True
    assert page.run("document.querySelectorAll('[data-row=joints]').length") == 1
    page.run(TYPING % json.dumps(ENTRY))
    assert page.run(asked) is False
    others = "[...document.querySelectorAll('[data-element=joint_other]')].map(one => one.hidden)"
    assert page.run(others) == [True, False], "a row's question hangs on that row's answer"
    assert page.run("document.querySelectorAll('[data-row=needles]').length") == 2
    page.run("document.querySelector('[data-add=joints]').click()")
    assert page.run("document.querySelector('[data-add=joints]').disabled") is True
    page.run("[...document.querySelectorAll('[data-remove=joints]')].at(-1).click()")
    assert page.run("document.querySelector('[data-add=joints]').disabled") is False
    page.does("document.querySelector('#entry button[value=submit]').click()")
    page.until("document.readyState === 'complete' && !document.getElementById('live')")
    figures = page.run("document.querySelector('.figures').innerText")
    assert "New cases" in figures
    case = page.run(
        f"fetch('/v1/registries/{JOINTS}/cases').then(answer => answer.json())"
        ".then(cases => fetch('/v1/cases/' + cases[0].id)).then(answer => answer.json())"
    )
    assert case["elements"] | SHOWN == case["elements"]
    assert page.complaints() == []


def test_a_typed_entry_that_is_flawed_says_where_and_keeps_the_page_usable(
    page: Page, served: Served
) -> None:
    page.open(f"{served.url}/registries/{JOINTS}/forms/injection")
    page.until("document.getElementById('entry').dataset.ready")
    lacking = {"accession": "T-2", "record": "MRN-8", "joints": [{"joint": "K", "needles": [{"gauge": 99}]}]}  # fmt: skip
    page.run(TYPING % json.dumps(lacking))
    page.does("document.querySelector('#entry button[value=submit]').click()")
    page.until("document.readyState === 'complete' && !document.getElementById('live')")
    findings = page.run("document.querySelector('table').innerText")
    assert "joints[0].needles[0].gauge" in findings
    assert "sedation" in findings
    assert "99" not in findings
    page.until("document.activeElement.id === 'first-finding'")


def test_a_typed_entry_outlives_its_session_and_an_answer_that_is_lost(
    page: Page, served: Served
) -> None:
    page.open(f"{served.url}/registries/{JOINTS}/forms/injection")
    page.until("document.getElementById('entry').dataset.ready")
    page.run(TYPING % json.dumps(ENTRY | {"accession": "T-3", "record": "MRN-9"}))
    submit = "document.querySelector('#entry button[value=submit]').click()"

    page.call("Network.enable")
    cookies = page.call("Network.getCookies")["cookies"]
    page.call("Network.clearBrowserCookies")
    page.run(submit)
    page.until("!!document.querySelector('#problem a[href=\"/sign-in\"]')")
    assert page.run("document.activeElement.id") == "problem"
    kept = ("name", "value", "domain", "path", "secure", "httpOnly", "sameSite")
    for one in cookies:
        page.call("Network.setCookie", **{name: one[name] for name in kept if name in one})

    # The answer is lost when the entry has arrived: sent again it is the same, and taken once.
    page.run(
        "(() => { const real = window.fetch; window.fetch = async (...request) => {"
        " window.fetch = real; await real(...request); throw new TypeError('lost'); }; })()"
    )
    page.does(submit)
    page.until("document.readyState === 'complete' && !document.getElementById('live')")
    assert page.run("location.pathname").startswith("/submissions/")
    assert "New cases" in page.run("document.querySelector('.figures').innerText")


def test_rows_are_added_and_taken_away_by_keyboard_and_each_says_which_it_is(
    page: Page, served: Served
) -> None:
    page.open(f"{served.url}/registries/{JOINTS}/forms/injection")
    page.until("document.getElementById('entry').dataset.ready")
    names = "[...document.querySelectorAll('[data-remove=joints]')].map(one => one.ariaLabel)"
    legends = (
        "[...document.querySelectorAll('[data-row=joints] > legend')].map(one => one.innerText)"
    )
    page.run("document.querySelector('[data-add=joints]').focus()")
    page.press("Enter")
    one, two = page.run(legends)
    assert page.run(names) == [f"Take away {one}", f"Take away {two}"]
    assert page.run(
        "[...document.querySelectorAll('[data-row=joints]')][1].contains(document.activeElement)"
    )
    page.run("document.querySelector('[data-remove=joints]').focus()")
    page.press("Enter")
    assert page.run(names) == [f"Take away {one}"], "rows are numbered anew"
    assert page.run("document.activeElement.dataset.remove") == "joints", "the next row's"
    page.press("Enter")
    assert page.run("document.activeElement.dataset.add") == "joints"
    unlabelled = (
        "[...document.querySelectorAll('#entry input, #entry select')]"
        ".filter(one => !one.labels.length && !one.ariaLabel).length"
    )
    assert page.run(unlabelled) == 0
    needed = "document.querySelector('[data-element=accession] input').ariaRequired"
    assert page.run(needed) == "true"

    page.run("setTimeout(() => location.assign('/'))")
    page.browser.wait(page.session, "Page.javascriptDialogOpening")  # what was typed is not sent
    page.browser.forget(page.session)
    page.call("Page.handleJavaScriptDialog", accept=True)
    page.browser.wait(page.session, "Page.loadEventFired")


def test_a_report_opens_from_its_page_and_obeys_its_own_policy(page: Page, served: Served) -> None:
    page.open(f"{served.url}/reports")
    page.run(f"document.getElementById('registry').value = '{REGISTRY}'")
    page.run("document.getElementById('period').value = '2026Q1'")
    page.does("document.querySelector('main form').requestSubmit()")
    assert page.run("location.pathname") == f"/v1/facilities/{FACILITY}/reports/{REGISTRY}/2026Q1"
    assert page.run("document.querySelector('h1').innerText") == "Riverside Imaging"
    assert page.run("getComputedStyle(document.querySelector('.measure')).borderRadius") == "8px"
    assert page.complaints() == []


def test_a_report_shows_the_figures_that_the_metrics_answer(page: Page, served: Served) -> None:
    page.open(served.url + "/")
    metrics = f"/v1/registries/{REGISTRY}/metrics?facility={FACILITY}&period=2025Q1"
    page.until(
        f"fetch('{metrics}').then(answer => answer.json()).then("
        "told => told.metrics.some(one => one.measure === 'ctdivol' && one.observations === 12))"
    )
    told = page.run(f"fetch('{metrics}').then(answer => answer.json())")
    report = f"/v1/facilities/{FACILITY}/reports/{REGISTRY}/2025Q1?format=json"
    composed = page.run(f"fetch('{report}').then(answer => answer.json())")
    shown = {one["id"]: one["result"] for part in composed["sections"] for one in part["measures"]}
    assert composed["quality"]["cases"] == 12
    assert {one["measure"] for one in told["metrics"]} == set(shown)
    compared = 0
    for one in told["metrics"]:
        result = shown[one["measure"]]
        assert result["withheld"] == one["withheld"]
        if one["scoring"] == "cohort":
            assert result["rate"] == str(one["initial_population"])
        elif one["rate"] is None:
            assert result["rate"] is None
        elif one["scoring"] == "proportion":
            exact = Decimal(one["numerator"]) * one["per"] / one["denominator"]
            assert Decimal(result["rate"]) == exact.quantize(Decimal("0.1"), ROUND_HALF_UP)
            assert (result["numerator"], result["denominator"]) == (
                one["numerator"],
                one["denominator"],
            )
            compared += 1
        else:
            assert abs(float(result["rate"]) - one["rate"]) <= 0.0501
            compared += 1
    assert compared >= 8


def fill(page: Page, form: str, **fields: str) -> None:
    """Fill a form in and send it as a person does: the browser's own checks hold."""
    for name, value in fields.items():
        page.run(f"document.getElementById('{name}').value = {json.dumps(value)}")
    page.does(f"document.getElementById('{form}').requestSubmit()")


def test_an_improvement_project_is_begun_changed_shown_before_and_after_and_closed(
    page: Page, served: Served, tmp_path: Path
) -> None:
    doses = {"2024-09-10": "3.00", "2025-06-10": "1.50"}
    file = tmp_path / "doses.json"
    entries = [
        exam(exam_unique_id=f"DOSE-{day}-{number}", exam_date=day, ctdivol=dose)
        for day, dose in doses.items()
        for number in range(12)
    ]
    file.write_text(json.dumps({"entries": entries}))
    send(page, served, file)
    metrics = f"/v1/registries/{REGISTRY}/metrics?facility={FACILITY}&period=2025Q2&measure=ctdivol"
    page.until(
        f"fetch('{metrics}').then(answer => answer.json()).then(told => told.metrics[0].observations === 12)"
    )
    page.open(f"{served.url}/improvement")
    measure = f"{REGISTRY} radiation-dose ctdivol"
    fill(page, "begin", choice=measure, aim="Half the dose.", baseline="2024-07..2024-12", remeasurement="2025-04..2025-09")  # fmt: skip
    assert page.run("document.querySelector('h1').innerText") == "Appropriate radiation dose"
    project = page.run("location.pathname")
    for kind, day in (("plan", "2024-12-01"), ("do", "2025-01-15"), ("study", "2025-10-01"), ("act", "2025-10-02")):  # fmt: skip
        fill(page, "step", kind=kind, on=day, says=f"We {kind} it.")
    fill(page, "participant", name="Ada Long", role="Lead", from_day="2024-12-01")
    said = page.run("document.querySelector('main').innerText")
    assert "Baseline, July 2024 to December 2024: 3 mGy" in said.replace("3.00", "3").replace("3.0", "3")  # fmt: skip
    assert page.run("document.querySelectorAll('#run svg circle').length") >= 3
    fill(page, "close", conclusion="We keep it.")
    assert page.run("location.pathname") == project
    said = page.run("document.querySelector('main').innerText")
    assert "SHA-256 of the evidence" in said
    assert page.run("document.querySelectorAll('main form').length") == 0
    page.size(360, 740)
    assert page.run("document.documentElement.scrollWidth") <= 360
    page.size(1200, 900)
    kept = page.run(f"fetch('/v1/facilities/{FACILITY}/improvement-projects/{project.rpartition('/')[2]}/evidence').then(answer => answer.json())")  # fmt: skip
    assert (kept["baseline"]["denominator"], kept["remeasurement"]["denominator"]) == (12, 12)
    assert (kept["baseline"]["rate"], kept["remeasurement"]["rate"]) == ("3.00", "1.50")
    assert kept["complete"] is True
    assert page.complaints() == []


def test_everything_can_be_reached_by_keyboard(page: Page, served: Served) -> None:
    page.open(f"{served.url}/registries/{REGISTRY}/submit")
    page.run("document.body.focus()")
    reached = []
    for _ in range(30):
        page.press("Tab")
        reached.append(page.run("document.activeElement.id || document.activeElement.innerText"))
    assert reached[0] == "Skip to the content"
    for wanted in ("Registries", "Submissions", "Reports", "Sign out", "facility", "file", "Send"):
        assert wanted in reached
    page.run("document.querySelector('main a').focus()")
    outline = page.run("getComputedStyle(document.activeElement, ':focus-visible').outlineStyle")
    assert outline != "none"


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/registries",
        f"/registries/{REGISTRY}",
        f"/registries/{REGISTRY}/submit",
        "/submissions",
        "/reports",
        "/improvement",
        "/reference",
        "/problems",
        f"/v1/facilities/{FACILITY}/reports/{REGISTRY}/2026Q1?format=html",
    ],
)
def test_no_page_is_wider_than_a_telephone_and_none_complains(
    page: Page, served: Served, address: str
) -> None:
    page.size(360, 740)
    page.open(served.url + address)
    assert page.run("document.documentElement.scrollWidth") <= 360
    assert page.run("document.querySelectorAll('h1').length") == 1
    assert page.complaints() == []


def test_a_script_in_the_page_cannot_read_the_key(page: Page, served: Served) -> None:
    page.open(served.url + "/")
    assert page.run("document.cookie") == ""
    assert page.run("localStorage.length + sessionStorage.length") == 0


def test_signing_out_shows_the_pages_of_a_stranger(page: Page, served: Served) -> None:
    page.open(served.url + "/")
    page.does("document.querySelector('header form').requestSubmit()")
    assert "Sign in" in page.run("document.querySelector('nav').innerText")
    page.open(served.url + "/submissions")
    assert page.run("location.pathname") == "/sign-in"
