"""
CAR/DS 2.0: a module of ACR Assist's form, read into ours.

Source: CARDS_Schema_2.0.rnc and Metadata_Schema_2.0.rnc of the American College of Radiology
(github.com/ACRCode/CARDS-schema, MIT). What cannot be read is refused with its line. What can be
read and yet reads as a slip (a condition on an element that is not there, on a choice that the
element does not offer) is kept as written and noted as a doubt: published modules hold such.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from app.errors import InvalidReportingModule
from app.reporting.arithmetic import Unreadable, names
from app.reporting.conditions import (
    MOST_DIGITS,
    All,
    AnyChoices,
    AnyOf,
    Compared,
    Comparison,
    Condition,
    Contains,
    Not,
    Present,
    number_in,
)
from app.reporting.markup import Node, read, spaced
from app.reporting.module import (
    SECTIONS,
    Arithmetic,
    Branch,
    Choice,
    Coding,
    Computed,
    Conditional,
    Decision,
    DecisionPoint,
    Element,
    EndPoint,
    FollowUp,
    Insert,
    Kind,
    Module,
    Partial,
    Passage,
    Piece,
    Plain,
    Words,
    Working,
)
from app.reporting.order import endless, ordered

_KINDS: dict[str, Kind] = {
    "ChoiceDataElement": "choice",
    "MultiChoiceDataElement": "choices",
    "IntegerDataElement": "integer",
    "NumericDataElement": "decimal",
    "DateTimeDataElement": "date-time",
    "TimeSpanDataElement": "time-span",
}
_SIGNS: dict[str, Comparison] = {
    "EqualCondition": "=",
    "NotEqualCondition": "!=",
    "LessThanCondition": "<",
    "LessThanOrEqualsCondition": "<=",
    "GreaterThanCondition": ">",
    "GreaterThanOrEqualsCondition": ">=",
}
_CONDITIONS = frozenset(
    (*_SIGNS, "AndCondition", "OrCondition", "NotCondition", "SectionIf", "SectionIfNot")
) | {"ContainsCondition", "HasAnyNChoicesCondition"}
_BLANKS = {"Newline": "\n", "Tab": "\t", "Space": " "}
_SPANS = (("Day", 86_400), ("Hours", 3_600), ("Minutes", 60), ("Seconds", 1))


def read_cards(content: bytes) -> Module:
    """The module in a CAR/DS document, or `InvalidReportingModule` with every complaint."""
    return _Reading().module(read(content))


class _Reading:
    def __init__(self) -> None:
        self.complaints: list[str] = []
        self.doubts: list[str] = []
        self.conditions: list[tuple[Node, Compared | Contains | AnyChoices | Present]] = []
        self.inserts: list[tuple[Node, str]] = []

    def complain(self, node: Node, message: str) -> None:
        self.complaints.append(f"line {node.line}: {message}")

    def doubt(self, node: Node, message: str) -> None:
        self.doubts.append(f"line {node.line}: {message}")

    # --- the whole ---

    def module(self, root: Node) -> Module:
        if root.name != "ReportingModule":
            raise InvalidReportingModule([f"line {root.line}: is no ReportingModule"])
        about = root.first("Metadata") or Node("Metadata", root.line, {})
        info = about.first("Info") or Node("Info", about.line, {})
        elements, computed = self.elements(root)
        ends = root.first("EndPoints") or Node("EndPoints", root.line, {})
        rules = root.first("Rules") or Node("Rules", root.line, {})
        name, version = about.said("ID"), about.said("ModuleVersion")
        for value, what in ((name, "ID"), (version, "ModuleVersion")):
            if not value:
                self.complain(about, f"Metadata needs `{what}`")
        cited = info.first("References")
        module = Module(
            id=name,
            version=version,
            title=about.said("Label") or name,
            description=info.said("Description"),
            developed_by=about.said("DevelopedBy"),
            citation=about.said("ReportCitationText"),
            references=tuple(one.text for one in cited.named("Citation")) if cited else (),
            codings=self.codings(about),
            modalities=tuple(self.modalities(about)),
            elements=elements,
            computed=computed,
            rules=tuple(self.point(one) for one in rules.named("DecisionPoint")),
            partials={
                self.attribute(one, "Id"): self.passages(one)
                for one in ends.named("TemplatePartial")
            },
            end_points=tuple(self.end_point(one) for one in ends.named("EndPoint")),
        )
        self.whole(root, module)
        if self.complaints:
            raise InvalidReportingModule(self.complaints)
        computed, looped = ordered(module.computed, module.partials)
        if looped is not None:
            self.doubt(root, f"`{looped}` is worked out of itself")
        object.__setattr__(module, "computed", computed)
        object.__setattr__(module, "doubts", tuple(dict.fromkeys(self.doubts)))
        return module

    def whole(self, root: Node, module: Module) -> None:
        """What can be said only when all of it is known."""
        if not module.elements:
            self.complain(root, "asks nothing: DataElements is missing or empty")
        if not module.end_points:
            self.complain(root, "ends nowhere: EndPoints has no EndPoint")
        if not module.rules:
            self.complain(root, "decides nothing: Rules has no DecisionPoint")
        ids = [one.id for one in module.elements] + [one.id for one in module.computed]
        ids += [one.id for one in module.end_points]
        for name in sorted(one for one, times in Counter(ids).items() if times > 1):
            self.complain(root, f"the Id `{name}` is used twice")
        for node, condition in self.conditions:
            element = module.by_id.get(condition.element)
            if condition.element not in module.known:
                self.doubt(node, f"there is no element `{condition.element}`")
            elif (
                element is not None
                and element.choices
                and not element.free_text
                and isinstance(condition, Compared | Contains)
                and condition.value not in {one.value for one in element.choices}
            ):
                self.doubt(
                    node, f"`{condition.value}` is no choice of `{element.id}`: this never holds"
                )
        for node, name in self.inserts:
            if name not in module.known:
                self.doubt(node, f"there is no element `{name}` to insert")
        for passage in module.passages():
            for piece in passage.pieces:
                if isinstance(piece, Partial) and piece.id not in module.partials:
                    self.doubt(root, f"there is no TemplatePartial `{piece.id}`")
        for wrong in endless(module.partials):
            self.complain(root, wrong)
        pending = list(module.rules)
        while pending:
            point = pending.pop()
            for branch in (*point.branches, *((point.otherwise,) if point.otherwise else ())):
                if branch.point:
                    pending.append(branch.point)
                if branch.end_point and branch.end_point not in module.ends:
                    self.complain(root, f"there is no EndPoint `{branch.end_point}`")
                if branch.end_point is None and branch.point is None:
                    self.doubt(root, f"a branch of `{point.id}` leads nowhere")

    def modalities(self, about: Node) -> Iterator[str]:
        exams = about.first("ApplicableExams")
        for one in exams.named("ApplicableExamCategory") if exams else ():
            if one.attributes.get("Axis") == "Modality":
                yield one.text

    def codings(self, node: Node) -> tuple[Coding, ...]:
        return tuple(
            Coding(
                _value(coding.first("System")),
                _value(coding.first("Code")),
                _value(coding.first("Display")),
            )
            for concept in node.named("CodableConcept")
            for coding in concept.named("Coding")
        )

    # --- elements ---

    def elements(self, root: Node) -> tuple[tuple[Element, ...], tuple[Computed, ...]]:
        elements = list[tuple[Decimal, Element]]()
        computed = list[Computed]()
        held = root.first("DataElements")
        for node in held.children if held else ():
            if node.name in _KINDS:
                order = self.number(node, node.attributes.get("DisplaySequence"))
                elements.append((Decimal(10**6) if order is None else order, self.element(node)))
            elif node.name == "GlobalValue":
                constant = Words((Plain(node.text),))
                computed.append(Computed(self.attribute(node, "Id"), "", constant))
            elif node.name == "ComputedDataElement":
                computed.append(
                    Computed(
                        self.attribute(node, "Id"),
                        node.said("Label"),
                        self.working(node) or Words(()),
                        node.attributes.get("ShowValue") == "true",
                    )
                )
            else:
                self.complain(node, f"`{node.name}` is no kind of data element")
        elements.sort(key=lambda pair: pair[0])
        return tuple(element for _, element in elements), tuple(computed)

    def element(self, node: Node) -> Element:
        kind = _KINDS[node.name]
        info = node.first("ChoiceInfo")
        choices = tuple(map(self.choice, info.named("Choice"))) if info else ()
        if kind in ("choice", "choices") and not choices:
            self.complain(node, "needs a Choice")
        values = [one.value for one in choices]
        if len(set(values)) < len(values):
            self.doubt(node, "offers the same choice twice")
        low, high = self.limits(node, kind)
        held = node.first("ConditionalProperties")
        return Element(
            id=self.attribute(node, "Id"),
            kind=kind,
            label=node.said("Label"),
            hint=node.said("Hint"),
            unit=node.attributes.get("Unit", ""),
            required=node.attributes.get("IsRequired") == "true",
            choices=choices,
            free_text=node.attributes.get("AllowFreetext") == "true",
            minimum=low,
            maximum=high,
            conditionals=tuple(
                self.conditional(one, kind) for one in held.named("ConditionalProperty")
            )
            if held
            else (),
            codings=self.codings(node),
        )

    def choice(self, node: Node) -> Choice:
        value = node.said("Value")
        if not value:
            self.complain(node, "a Choice needs a Value")
        return Choice(
            value,
            node.said("Label") or value,
            node.said("Hint"),
            node.said("ReportText"),
            node.attributes.get("IsDefault") == "true",
            self.codings(node),
        )

    def limits(self, node: Node, kind: Kind) -> tuple[Decimal | None, Decimal | None]:
        """Lowest and highest; of a span of time in seconds."""
        if kind != "time-span":
            low = self.number(node, node.said("Minimum") or None)
            return low, self.number(node, node.said("Maximum") or None)
        ends = list[Decimal | None]()
        for end in ("Minimum", "Maximum"):
            parts = [
                (self.number(node, node.said(end + one) or None), size) for one, size in _SPANS
            ]
            given = [part * size for part, size in parts if part is not None]
            ends.append(sum(given, Decimal(0)) if given else None)
        return ends[0], ends[1]

    def conditional(self, node: Node, kind: Kind) -> Conditional:
        low, high = self.limits(node, kind)
        return Conditional(
            when=self.condition(node) or All(()),
            relevant=_flag(node.said("IsRelevant")),
            required=_flag(node.said("IsRequired")),
            minimum=low,
            maximum=high,
            without=tuple(
                one.attributes.get("ChoiceValue", "") for one in node.named("ChoiceNotRelevant")
            ),
        )

    def working(self, node: Node) -> Working | None:
        for one in node.children:
            if one.name == "ArithmeticExpression":
                try:
                    self.inserts.extend((one, name) for name in names(one.text))
                except Unreadable as unreadable:
                    self.complain(one, str(unreadable))
                return Arithmetic(one.text)
            if one.name == "TextExpression":
                return Words(tuple(self.pieces(one)))
            if one.name == "DecisionPoint":
                branches = []
                for branch in one.named("Branch"):
                    working = self.working(branch)
                    if working is None:
                        self.complain(branch, "needs an expression or a DecisionPoint")
                        continue
                    branches.append((self.condition(branch) or All(()), working))
                rest = one.first("DefaultBranch")
                return Decision(tuple(branches), self.working(rest) if rest else None)
        return None

    def pieces(self, node: Node) -> Iterator[Piece]:
        """Mixed text: words, and the answers and partials that stand among them."""
        for one in node.content:
            if isinstance(one, str):
                yield Plain(spaced(one))
            elif one.name == "InsertValue":
                yield self.insert(one, self.attribute(one, "DataElementId"))
            elif one.name == "InsertPartial":
                yield Partial(self.attribute(one, "PartialId"))
            elif one.name == "NewLine":
                yield Plain("\n")
            else:
                yield Plain(one.words)

    def insert(self, node: Node, name: str) -> Insert:
        self.inserts.append((node, name))
        return Insert(name, self.small(node, "SignificantDigits"))

    # --- conditions ---

    def condition(self, node: Node) -> Condition | None:
        """What a node says must hold: all of the conditions among its children."""
        found = [self.one_condition(one) for one in node.children if one.name in _CONDITIONS]
        return found[0] if len(found) == 1 else All(tuple(found)) if found else None

    def one_condition(self, node: Node) -> Condition:
        inner = tuple(self.one_condition(one) for one in node.children if one.name in _CONDITIONS)
        if node.name in ("AndCondition", "OrCondition", "NotCondition"):
            if not inner:
                self.complain(node, f"`{node.name}` holds no condition")
            if node.name == "NotCondition":
                return Not(All(inner))
            return All(inner) if node.name == "AndCondition" else AnyOf(inner)
        element = self.attribute(node, "DataElementId")
        found: Compared | Contains | AnyChoices | Present
        if node.name in ("SectionIf", "SectionIfNot"):
            found = Present(element, absent=node.name == "SectionIfNot")
        elif node.name == "ContainsCondition":
            found = Contains(element, self.attribute(node, "ComparisonValue"))
        elif node.name == "HasAnyNChoicesCondition":
            found = AnyChoices(element, self.small(node, "MinimumChoices") or 1)
        else:
            found = Compared(element, _SIGNS[node.name], self.attribute(node, "ComparisonValue"))
        self.conditions.append((node, found))
        return found

    # --- rules and end points ---

    def point(self, node: Node) -> DecisionPoint:
        rest = node.first("DefaultBranch")
        return DecisionPoint(
            node.attributes.get("Id", ""),
            node.said("Label"),
            tuple(self.branch(one) for one in node.named("Branch")),
            self.branch(rest) if rest else None,
        )

    def branch(self, node: Node) -> Branch:
        end, point = node.first("EndPointRef"), node.first("DecisionPoint")
        return Branch(
            self.condition(node),
            node.said("Label"),
            self.attribute(end, "EndPointId") if end else None,
            self.point(point) if point else None,
        )

    def end_point(self, node: Node) -> EndPoint:
        sections = list[tuple[str, tuple[Passage, ...]]]()
        held = node.first("ReportSections")
        for one in held.named("ReportSection") if held else ():
            wanted = self.attribute(one, "SectionId")
            known = {name.lower(): name for name in SECTIONS}.get(wanted.lower())
            if known is None:
                self.complain(one, f"`{wanted}` is no section; there are {', '.join(SECTIONS)}")
            sections.append((known or wanted, self.passages(one)))
        diagnosis = node.first("Diagnosis")
        actionable = node.first("ActionableFinding")
        follow_up = node.first("ImagingFollowup")
        code = diagnosis.attributes.get("Code") if diagnosis else None
        return EndPoint(
            id=self.attribute(node, "Id"),
            label=node.said("Label"),
            sections=tuple(sections),
            diagnosis=diagnosis.text if diagnosis else "",
            diagnosis_codings=(
                Coding(diagnosis.attributes.get("CodingSystem", ""), code, diagnosis.text),
            )
            if diagnosis and code
            else (),
            actionable=actionable.attributes.get("Category", "") if actionable else "",
            follow_up=self.follow_up(follow_up) if follow_up else None,
        )

    def follow_up(self, node: Node) -> FollowUp:
        frame = node.first("RecommendedTimeFrame")
        acceptable = node.first("AcceptableImagingExams")
        cited = node.first("References")
        return FollowUp(
            exam=node.said("PreferredImagingExam"),
            acceptable=tuple(one.text for one in acceptable.named("Exam")) if acceptable else (),
            indication=node.said("IndicationForFollowup"),
            earliest=frame.attributes.get("Earliest", "") if frame else "",
            latest=frame.attributes.get("Latest", "") if frame else "",
            references=tuple(one.text for one in cited.named("Citation")) if cited else (),
        )

    def passages(self, node: Node) -> tuple[Passage, ...]:
        return tuple(
            Passage(
                self.condition(one),
                tuple(self.report_pieces(one)),
                self.passages(one),
            )
            for one in node.named("Branch")
        )

    def report_pieces(self, node: Node) -> Iterator[Piece]:
        for one in node.named("ReportText"):
            kind = one.attributes.get("Type", "PlainText")
            if kind in _BLANKS:
                yield Plain(_BLANKS[kind])
            elif kind == "InsertDataElementValue":
                yield self.insert(one, self.attribute(one, "Value"))
            elif kind == "InsertPartialTemplate":
                yield Partial(self.attribute(one, "Value"))
            elif kind == "PlainText":
                yield Plain(one.words)
            else:
                self.complain(one, f"`{kind}` is no type of ReportText")

    # --- small ones ---

    def attribute(self, node: Node, name: str) -> str:
        value = node.attributes.get(name, "").strip()
        if not value:
            self.complain(node, f"`{node.name}` needs `{name}`")
        return value

    def number(self, node: Node, text: str | None) -> Decimal | None:
        if text is None:
            return None
        number = number_in(text)
        if number is None:
            self.complain(node, "a number is needed")
        return number

    def small(self, node: Node, name: str) -> int | None:
        """An attribute that is a whole number from 1 to 28, if it is given."""
        number = self.number(node, node.attributes.get(name))
        if number is None:
            return None
        if number not in range(1, MOST_DIGITS + 1):
            self.complain(node, f"`{name}` is a whole number from 1 to {MOST_DIGITS}")
            return None
        return int(number)


def _value(node: Node | None) -> str:
    return (node.attributes.get("Value") or node.text) if node else ""


def _flag(text: str) -> bool | None:
    return {"true": True, "false": False}.get(text)
