"""
CAR/DS 2.0: a module of ACR Assist's form, read into ours.

Source: CARDS_Schema_2.0.rnc and Metadata_Schema_2.0.rnc of the American College of Radiology
(github.com/ACRCode/CARDS-schema, MIT). What cannot be read is refused with its line. What can be
read and yet reads as a slip (a condition on an element that is not there, on a choice that the
element does not offer) is kept as written and noted as a doubt: published modules hold such.
"""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import InvalidReportingModule
from app.reporting.cards.elements import read_elements
from app.reporting.cards.ends import read_end_point, read_passages, read_point
from app.reporting.cards.reading import Reading, codings
from app.reporting.cards.whole import look_over
from app.reporting.markup import Node, read
from app.reporting.module import Module
from app.reporting.order import ordered


def read_cards(content: bytes) -> Module:
    """The module in a CAR/DS document, or `InvalidReportingModule` with every complaint."""
    root, reading = read(content), Reading()
    if root.name != "ReportingModule":
        raise InvalidReportingModule([f"line {root.line}: is no ReportingModule"])
    about = root.first("Metadata") or Node("Metadata", root.line, {})
    info = about.first("Info") or Node("Info", about.line, {})
    elements, computed = read_elements(reading, root)
    ends = root.first("EndPoints") or Node("EndPoints", root.line, {})
    rules = root.first("Rules") or Node("Rules", root.line, {})
    name, version = about.said("ID"), about.said("ModuleVersion")
    for value, what in ((name, "ID"), (version, "ModuleVersion")):
        if not value:
            reading.complain(about, f"Metadata needs `{what}`")
    cited = info.first("References")
    module = Module(
        id=name,
        version=version,
        title=about.said("Label") or name,
        description=info.said("Description"),
        developed_by=about.said("DevelopedBy"),
        citation=about.said("ReportCitationText"),
        references=tuple(one.text for one in cited.named("Citation")) if cited else (),
        codings=codings(about),
        modalities=tuple(_modalities(about)),
        elements=elements,
        computed=computed,
        rules=tuple(read_point(reading, one) for one in rules.named("DecisionPoint")),
        partials={
            reading.attribute(one, "Id"): read_passages(reading, one)
            for one in ends.named("TemplatePartial")
        },
        end_points=tuple(read_end_point(reading, one) for one in ends.named("EndPoint")),
    )
    look_over(reading, root, module)
    if reading.complaints:
        raise InvalidReportingModule(reading.complaints)
    computed, looped = ordered(module.computed, module.partials)
    if looped is not None:
        reading.doubt(root, f"`{looped}` is worked out of itself")
    object.__setattr__(module, "computed", computed)
    object.__setattr__(module, "doubts", tuple(dict.fromkeys(reading.doubts)))
    return module


def _modalities(about: Node) -> Iterator[str]:
    exams = about.first("ApplicableExams")
    for one in exams.named("ApplicableExamCategory") if exams else ():
        if one.attributes.get("Axis") == "Modality":
            yield one.text
