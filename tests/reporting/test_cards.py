"""CAR/DS 2.0: small modules of our own in its form, every construct, every branch."""

from decimal import Decimal
from typing import Any

import pytest

from app.errors import InvalidReportingModule
from app.reporting.cards import read_cards
from app.reporting.evaluate import Outcome, evaluate

WHOLE = """<?xml version="1.0" encoding="UTF-8"?>
<ReportingModule>
  <Metadata>
    <Label>Renal stone</Label><ID>renal-stone</ID><SchemaVersion>2.0</SchemaVersion>
    <ModuleVersion>1.2</ModuleVersion><DevelopedBy>A test</DevelopedBy>
    <CodableConcept Name="c"><Coding><System Value="RadElement"/><Version Value="1"/><Code Value="RDES900"/><Display Value="Stone"/></Coding></CodableConcept>
    <Info><Description>Stones, for tests</Description><References><Citation Url="https://example.org">Somebody 2020</Citation></References></Info>
    <ReportCitationText>Made up</ReportCitationText>
    <ApplicableExams><ApplicableExamCategory Axis="Modality">CT</ApplicableExamCategory></ApplicableExams>
  </Metadata>
  <DataElements>
    <GlobalValue Id="organ">kidney</GlobalValue>
    <IntegerDataElement Id="count" IsRequired="true" DisplaySequence="2"><Label>How many?</Label><Minimum>1</Minimum><Maximum>20</Maximum>
      <ConditionalProperties><ConditionalProperty><EqualCondition DataElementId="seen" ComparisonValue="no"/><IsRelevant>false</IsRelevant></ConditionalProperty></ConditionalProperties>
    </IntegerDataElement>
    <ChoiceDataElement Id="seen" IsRequired="true" DisplaySequence="1"><Label>Stones?</Label>
      <CodableConcept Name="c"><Coding><System Value="RadElement"/><Version Value="1"/><Code Value="RDE901"/><Display Value="Presence"/></Coding></CodableConcept>
      <ChoiceInfo><Choice><Value>yes</Value><Label>Yes</Label></Choice><Choice><Value>no</Value><Label>No</Label></Choice></ChoiceInfo>
    </ChoiceDataElement>
    <NumericDataElement Id="long" Unit="mm" DisplaySequence="3"><Label>Long axis</Label><Minimum>0.5</Minimum>
      <ConditionalProperties>
        <ConditionalProperty><EqualCondition DataElementId="seen" ComparisonValue="yes"/><IsRelevant>true</IsRelevant><IsRequired>true</IsRequired></ConditionalProperty>
        <ConditionalProperty><GreaterThanCondition DataElementId="count" ComparisonValue="5"/><Maximum>30</Maximum></ConditionalProperty>
      </ConditionalProperties>
    </NumericDataElement>
    <NumericDataElement Id="short" Unit="mm" DisplaySequence="4"><Label>Short axis</Label></NumericDataElement>
    <MultiChoiceDataElement Id="places" DisplaySequence="5"><Label>Where?</Label>
      <ChoiceInfo><Choice IsDefault="true"><Value>left</Value><Label>left side</Label></Choice><Choice><Value>right</Value><Label>right side</Label><ReportText>the right</ReportText></Choice><Choice><Value>none</Value><Label>nowhere</Label></Choice></ChoiceInfo>
      <ConditionalProperties><ConditionalProperty><EqualCondition DataElementId="seen" ComparisonValue="yes"/><ChoiceNotRelevant ChoiceValue="none"/></ConditionalProperty></ConditionalProperties>
    </MultiChoiceDataElement>
    <DateTimeDataElement Id="since" DisplaySequence="6"><Label>Since</Label></DateTimeDataElement>
    <TimeSpanDataElement Id="pain" DisplaySequence="7"><Label>Pain for</Label><MaximumDay>10</MaximumDay></TimeSpanDataElement>
    <ComputedDataElement Id="mean"><Label>Mean</Label><ArithmeticExpression>round(({long} + {short}) / 2, 1)</ArithmeticExpression></ComputedDataElement>
    <ComputedDataElement Id="class"><DecisionPoint>
      <Branch><GreaterThanOrEqualsCondition DataElementId="mean" ComparisonValue="10"/><TextExpression>large</TextExpression></Branch>
      <Branch><LessThanCondition DataElementId="mean" ComparisonValue="5"/><DecisionPoint><Branch><EqualCondition DataElementId="count" ComparisonValue="1"/><TextExpression>small</TextExpression></Branch><DefaultBranch><TextExpression>small and many</TextExpression></DefaultBranch></DecisionPoint></Branch>
      <DefaultBranch><TextExpression>middling (<InsertValue DataElementId="mean" SignificantDigits="1"/> mm)</TextExpression></DefaultBranch>
    </DecisionPoint></ComputedDataElement>
  </DataElements>
  <Rules><DecisionPoint Id="top"><Label>Stones?</Label>
    <Branch><Label>None</Label><EqualCondition DataElementId="seen" ComparisonValue="no"/><EndPointRef EndPointId="none"/></Branch>
    <Branch><Label>Some</Label><AndCondition><EqualCondition DataElementId="seen" ComparisonValue="yes"/><SectionIf DataElementId="long"/></AndCondition>
      <DecisionPoint Id="size"><Label>Size?</Label>
        <Branch><Label>Urgent</Label><OrCondition><EqualCondition DataElementId="class" ComparisonValue="large"/><GreaterThanCondition DataElementId="pain" ComparisonValue="172800"/></OrCondition><EndPointRef EndPointId="urgent"/></Branch>
        <DefaultBranch><EndPointRef EndPointId="later"/></DefaultBranch>
      </DecisionPoint></Branch>
    <Branch><Label>Both sides</Label><HasAnyNChoicesCondition DataElementId="places" MinimumChoices="2"/><EndPointRef EndPointId="both"/></Branch>
  </DecisionPoint></Rules>
  <EndPoints>
    <TemplatePartial Id="size"><Branch><SectionIf DataElementId="mean"/><ReportText Type="PlainText">, </ReportText><ReportText Type="InsertDataElementValue" Value="mean"/><ReportText Type="PlainText"> mm</ReportText></Branch></TemplatePartial>
    <EndPoint Id="none"><Label>No stone</Label><ReportSections><ReportSection SectionId="Impression"><Branch><ReportText Type="PlainText">No stone in the </ReportText><ReportText Type="InsertDataElementValue" Value="organ"/><ReportText Type="PlainText">.</ReportText></Branch></ReportSection></ReportSections></EndPoint>
    <EndPoint Id="urgent"><Label>Urgent</Label><Diagnosis Code="95570007" CodingSystem="SnomedCT">Renal stone</Diagnosis>
      <ReportSections>
        <ReportSection SectionId="findings"><Branch><ReportText Type="InsertDataElementValue" Value="class"/><ReportText Type="InsertPartialTemplate" Value="size"/>
          <Branch><ContainsCondition DataElementId="places" ComparisonValue="right"/><ReportText Type="PlainText"> on </ReportText><ReportText Type="InsertDataElementValue" Value="places"/></Branch></Branch></ReportSection>
        <ReportSection SectionId="recommendation"><Branch><NotCondition><SectionIf DataElementId="since"/></NotCondition><ReportText Type="PlainText">Ask since when.</ReportText><ReportText Type="Newline"/></Branch><Branch><ReportText Type="PlainText">See a urologist.</ReportText></Branch></ReportSection>
      </ReportSections>
      <ActionableFinding Category="2"/>
      <ImagingFollowup><PreferredImagingExam Code="1">CT</PreferredImagingExam><AcceptableImagingExams><Exam Code="2" CodeSystem="x" Modality="US" BodyRegion="ABDOMEN">Ultrasound</Exam></AcceptableImagingExams><IndicationForFollowup Code="3">Stone</IndicationForFollowup><RecommendedTimeFrame Earliest="P1M" Latest="P3M"/></ImagingFollowup>
    </EndPoint>
    <EndPoint Id="later"><Label>Later</Label><ReportSections><ReportSection SectionId="impression"><Branch><SectionIfNot DataElementId="since"/><ReportText Type="InsertDataElementValue" Value="class"/></Branch><Branch><NotEqualCondition DataElementId="count" ComparisonValue="1"/><ReportText Type="Space"/><ReportText Type="PlainText">(several)</ReportText></Branch></ReportSection></ReportSections></EndPoint>
    <EndPoint Id="both"><Label>Both</Label><ReportSections><ReportSection SectionId="impression"><Branch><ReportText Type="PlainText">Both sides.</ReportText></Branch></ReportSection></ReportSections></EndPoint>
  </EndPoints>
</ReportingModule>
"""
MODULE = read_cards(WHOLE.encode())


def said(**answers: Any) -> Outcome:
    return evaluate(MODULE, answers)


def ends(outcome: Outcome) -> list[str]:
    return [one.id for one in outcome.end_points]


def test_a_module_is_read_whole() -> None:
    assert (MODULE.id, MODULE.version, MODULE.title) == ("renal-stone", "1.2", "Renal stone")
    assert (MODULE.developed_by, MODULE.citation) == ("A test", "Made up")
    assert (MODULE.references, MODULE.modalities) == (("Somebody 2020",), ("CT",))
    assert [one.code for one in MODULE.codings] == ["RDES900"]
    assert [one.id for one in MODULE.elements] == [
        "seen", "count", "long", "short", "places", "since", "pain",
    ]  # fmt: skip
    assert MODULE.by_id["pain"].maximum == 864_000
    assert MODULE.doubts == ()


BRANCHES = [
    ({"seen": "no"}, ["none"], {"impression": "No stone in the kidney."}),
    (
        {"seen": "yes", "count": 1, "long": 12, "short": 9.0},
        ["urgent"],
        {"findings": "large, 10.5 mm", "recommendation": "Ask since when.\nSee a urologist."},
    ),
    (
        {"seen": "yes", "count": 2, "long": 3, "short": 3, "pain": "P2DT1S", "places": ["right"], "since": "2026-01-02"},
        ["urgent"],
        {"findings": "small and many, 3 mm on the right", "recommendation": "See a urologist."},
    ),
    ({"seen": "yes", "count": 1, "long": 3, "short": 3, "pain": "P2D"}, ["later"], {"impression": "small"}),
    ({"seen": "yes", "count": 3, "long": 7, "short": 7}, ["later"], {"impression": "middling (7 mm) (several)"}),
    ({"seen": "yes", "count": 3, "long": 7, "short": 7, "since": "2026-01-02T03:04Z"}, ["later"], {"impression": "(several)"}),
    (
        {"seen": "yes", "count": 1, "long": 10, "short": 10, "places": ["left", "right"]},
        ["urgent", "both"],
        {"findings": "large, 10 mm on left side, the right", "recommendation": "Ask since when.\nSee a urologist.", "impression": "Both sides."},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("answers", "reached", "sections"), BRANCHES)
def test_every_branch_ends_where_it_says_in_the_words_it_says(
    answers: dict[str, Any], reached: list[str], sections: dict[str, str]
) -> None:
    outcome = said(**answers)
    assert outcome.complete
    assert ends(outcome) == reached
    assert outcome.sections == sections


def test_what_is_asked_depends_on_what_was_answered() -> None:
    none = {one.element.id: one for one in said().questions}
    assert none["seen"].open
    assert none["count"].open
    assert not none["long"].relevant
    no = {one.element.id: one for one in said(seen="no").questions}
    assert not no["count"].relevant
    assert not no["long"].relevant
    yes = {one.element.id: one for one in said(seen="yes", count=6).questions}
    assert yes["long"].open
    assert yes["long"].maximum == Decimal(30)
    assert yes["places"].without == ("none",)


def test_an_answer_that_became_irrelevant_counts_no_more() -> None:
    outcome = said(seen="no", count=6, long=200, short=1)
    assert outcome.complete
    assert ends(outcome) == ["none"]
    assert "mean" not in outcome.computed


@pytest.mark.parametrize(
    ("answers", "place", "code"),
    [
        ({"seen": "perhaps"}, "seen", "not-a-choice"),
        ({"seen": ["yes"]}, "seen", "not-a-choice"),
        ({"seen": "yes", "count": 0}, "count", "out-of-range"),
        ({"seen": "yes", "count": 1.5}, "count", "not-a-number"),
        ({"seen": "yes", "count": True}, "count", "not-a-number"),
        ({"seen": "yes", "count": "NaN"}, "count", "not-a-number"),
        ({"seen": "yes", "count": 6, "long": 31}, "long", "out-of-range"),
        ({"seen": "yes", "places": ["none"]}, "places", "choice-not-relevant"),
        ({"seen": "yes", "places": [3]}, "places", "not-a-choice"),
        ({"since": "yesterday"}, "since", "not-a-time"),
        ({"pain": "long"}, "pain", "not-a-span"),
        ({"pain": "P11D"}, "pain", "out-of-range"),
        ({"mood": "good"}, None, "unknown-element"),
    ],
)
def test_an_answer_that_is_none_is_told_by_place_and_code(
    answers: dict[str, Any], place: str | None, code: str
) -> None:
    outcome = said(**answers)
    assert ((place,) if place else (), code) in {(one.place, one.code) for one in outcome.flaws}
    assert not outcome.complete


def test_codes_diagnosis_and_follow_up_are_told() -> None:
    outcome = said(seen="yes", count=1, long=12, short=12)
    (end,) = outcome.end_points
    assert (end.diagnosis, end.diagnosis_codings[0].code, end.actionable) == (
        "Renal stone",
        "95570007",
        "2",
    )
    assert end.follow_up is not None
    assert (end.follow_up.exam, end.follow_up.acceptable) == ("CT", ("Ultrasound",))
    assert (end.follow_up.earliest, end.follow_up.latest) == ("P1M", "P3M")
    assert [(one.concept.code, one.text) for one in outcome.codes] == [("RDE901", "Yes")]


@pytest.mark.parametrize(
    ("old", "new", "complaint"),
    [
        ("<ReportingModule>", "<Module>", "mismatched tag"),
        ('EndPointId="urgent"', 'EndPointId="nowhere"', "there is no EndPoint `nowhere`"),
        ('Id="short"', 'Id="long"', "the Id `long` is used twice"),
        ("<Minimum>1</Minimum>", "<Minimum>one</Minimum>", "line 13: a number is needed"),
        ("<ID>renal-stone</ID>", "", "line 3: Metadata needs `ID`"),
        ("round(({long}", "open(({long}", "allows + - * / %"),
        ("SectionId=\"findings\"", "SectionId=\"history\"", "`history` is no section"),
        ('<SectionIf DataElementId="long"/>', "<SectionIf/>", "`SectionIf` needs `DataElementId`"),
        ("<Value>no</Value>", "", "a Choice needs a Value"),
        ("<Minimum>1</Minimum>", "<Minimum>1E999999</Minimum>", "line 13: a number is needed"),
        ('Value="size"/>', 'Value="size"/><ReportText Type="InsertDataElementValue" Value="mean" SignificantDigits="29"/>', "`SignificantDigits` is a whole number from 1 to 28"),
        ('Value="size"/>', 'Value="size"/><ReportText Type="InsertDataElementValue" Value="mean" SignificantDigits="1.5"/>', "`SignificantDigits` is a whole number from 1 to 28"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_is_refused_with_its_line(old: str, new: str, complaint: str) -> None:
    assert old in WHOLE
    with pytest.raises(InvalidReportingModule) as refused:
        read_cards(WHOLE.replace(old, new, 1).encode())
    assert any(complaint in one for one in refused.value.complaints)


@pytest.mark.parametrize(
    ("old", "new", "doubt"),
    [
        ('DataElementId="pain"', 'DataElementId="pian"', "there is no element `pian`"),
        ('ComparisonValue="no"/><EndPointRef', 'ComparisonValue="No"/><EndPointRef', "`No` is no choice of `seen`: this never holds"),
        ('Value="size"', 'Value="sizes"', "there is no TemplatePartial `sizes`"),
        ('Value="organ"', 'Value="organs"', "there is no element `organs` to insert"),
    ],
)  # fmt: skip
def test_what_reads_as_a_slip_is_kept_and_doubted(old: str, new: str, doubt: str) -> None:
    assert old in WHOLE
    module = read_cards(WHOLE.replace(old, new, 1).encode())
    assert any(doubt in one for one in module.doubts)


BOMB = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><ReportingModule>&c;</ReportingModule>'


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"", "no element found"),
        (b"PK\x03\x04", "not well-formed"),
        (b"<html/>", "is no ReportingModule"),
        (BOMB.encode(), "declares a document type"),
        (b"<a>" * 300, "nested deeper"),
        (b"<ReportingModule/>", "asks nothing"),
        (WHOLE.encode("utf-16"), "encoding"),
        (b'<?xml version="1.0" encoding="nonsense"?><a/>', "encoding"),
        (b'<?xml version="1.0" encoding="gb2312"?><a/>', "encoding"),
        (b"<a>" + b" " * (4 * 1024 * 1024) + b"</a>", "larger than 4 MiB"),
    ],
)
def test_a_hostile_document_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(InvalidReportingModule) as refused:
        read_cards(content)
    assert any(complaint in one for one in refused.value.complaints)


def partials(chain: dict[str, list[str]]) -> bytes:
    """The whole module with partials before its own, each of which inserts others."""
    written = "".join(
        f'<TemplatePartial Id="{name}"><Branch>'
        + "".join(f'<ReportText Type="InsertPartialTemplate" Value="{one}"/>' for one in inserted)
        + "</Branch></TemplatePartial>"
        for name, inserted in chain.items()
    )
    return WHOLE.replace("<EndPoints>", f"<EndPoints>{written}").encode()


@pytest.mark.parametrize(
    ("chain", "complaint"),
    [
        ({"a": ["a"]}, "the TemplatePartial `a` inserts itself"),
        ({"a": ["b"], "b": ["a"]}, "inserts itself"),
        ({f"p{number}": [f"p{number + 1}"] for number in range(2_000)}, "deeper than 20"),
    ],
)
def test_partials_that_go_on_and_on_are_refused(
    chain: dict[str, list[str]], complaint: str
) -> None:
    with pytest.raises(InvalidReportingModule) as refused:
        read_cards(partials(chain))
    assert any(complaint in one for one in refused.value.complaints)


def test_partials_that_multiply_stop_at_the_length_of_a_report() -> None:
    chain = {f"p{number}": [f"p{number + 1}"] * 4 for number in range(18)}
    inserts = '<ReportText Type="InsertPartialTemplate" Value="p0"/>'
    written = partials(chain).decode()
    bomb = written.replace('Value="size"/>', f'Value="size"/>{inserts}')
    outcome = evaluate(
        read_cards(bomb.encode()), {"seen": "yes", "count": 1, "long": 12, "short": 12}
    )
    assert [(one.place, one.code) for one in outcome.flaws] == [((), "too-long")]
    assert outcome.sections == {}


def test_what_is_worked_out_of_one_another_needs_no_order() -> None:
    later = (
        '<ComputedDataElement Id="c1"><ArithmeticExpression>c2 + 1</ArithmeticExpression></ComputedDataElement>'
        '<ComputedDataElement Id="c2"><ArithmeticExpression>count * 2</ArithmeticExpression></ComputedDataElement>'
    )
    module = read_cards(WHOLE.replace("<DataElements>", f"<DataElements>{later}").encode())
    assert evaluate(module, {"seen": "yes", "count": 3}).computed["c1"] == 7
    looped = read_cards(
        WHOLE.replace("<DataElements>", f"<DataElements>{later}")
        .replace("count *", "c1 *")
        .encode()
    )
    assert any("is worked out of itself" in one for one in looped.doubts)
    assert "c1" not in evaluate(looped, {"seen": "yes", "count": 3}).computed


def test_texts_that_multiply_stop_as_well() -> None:
    doubled = "".join(
        f'<ComputedDataElement Id="d{number}"><TextExpression>'
        f'<InsertValue DataElementId="d{number - 1}"/><InsertValue DataElementId="d{number - 1}"/>'
        "</TextExpression></ComputedDataElement>"
        for number in range(1, 40)
    )
    first = '<GlobalValue Id="d0">ten signs.</GlobalValue>'
    bomb = WHOLE.replace("<DataElements>", f"<DataElements>{first}{doubled}")
    outcome = evaluate(read_cards(bomb.encode()), {"seen": "no"})
    assert [one.code for one in outcome.flaws] == ["too-long"]


@pytest.mark.parametrize(
    ("count", "long", "expected"),
    [(1, 12, ["none"]), (2, 3, ["both"]), (2, 7, ["later", "both"]), (2, 12, ["urgent", "later", "both"])],
)  # fmt: skip
def test_branches_stand_in_branches_beside_where_these_lead(
    count: int, long: int, expected: list[str]
) -> None:
    def above(element: str, value: int) -> str:
        return f'<GreaterThanCondition DataElementId="{element}" ComparisonValue="{value}"/>'

    rules = (
        f'<Rules><DecisionPoint Id="d"><Label>d</Label><Branch>{above("count", 1)}'
        f'<Branch>{above("long", 5)}<Branch>{above("long", 10)}<EndPointRef EndPointId="urgent"/>'
        '</Branch><Branch><EndPointRef EndPointId="later"/></Branch></Branch>'
        '<DecisionPoint Id="e"><Label>e</Label><Branch><EndPointRef EndPointId="both"/></Branch>'
        '</DecisionPoint></Branch><DefaultBranch><EndPointRef EndPointId="none"/></DefaultBranch>'
        "</DecisionPoint></Rules>"
    )
    before, rest = WHOLE.split("<Rules>")
    module = read_cards((before + rules + rest.split("</Rules>")[1]).encode())
    answers = {"seen": "yes", "count": count, "long": long, "short": long}
    assert ends(evaluate(module, answers)) == expected
