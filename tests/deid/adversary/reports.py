"""Structured reports and key object selections: a tree of content, with identities in each kind."""

from pydicom import Dataset, uid
from pydicom.sequence import Sequence as Items

from tests.deid.adversary import modules
from tests.deid.adversary.answers import Path
from tests.deid.adversary.people import REMARKS
from tests.deid.adversary.planting import Kind, Planting, code, items, made, named, path

TAKEN_OUT = ("121013", "121016", "121030", "121012")
"""Concepts that PS3.15 Table E.3.4-1 lets no option keep here."""
FINDING = ("121071", "DCM", "Finding")


class Tree:
    """A content tree under way: adds items and knows the path of each."""

    def __init__(self, at: Planting) -> None:
        self.at = at
        self.root = at.dataset

    def add(
        self, parent: Dataset, path: Path, kind: str, name: tuple[str, str, str], **said: object
    ) -> tuple[Dataset, Path]:
        """One content item under a parent; the item and its path."""
        if "ContentSequence" not in parent:
            parent.ContentSequence = Items()
        item = made(RelationshipType="CONTAINS", ValueType=kind)
        item.ConceptNameCodeSequence = items(code(*name))
        for keyword, value in said.items():
            setattr(item, keyword, value)
        parent.ContentSequence.append(item)
        alike = [one for one in parent.ContentSequence if named(one) == name[0]]
        here = (*path, "ContentSequence", f"{name[0]}:{len(alike) - 1}")
        if name[0] not in TAKEN_OUT:
            self.at.case.kept.append(((*here, "RelationshipType"), "CONTAINS"))
            self.at.case.kept.append(((*here, "ValueType"), kind))
        return item, here


def _report(
    at: Planting, sop_class: str, title: tuple[str, str, str], modality: str = "SR"
) -> Tree:
    ds = at.dataset
    modules.begin(at, sop_class, modality)
    at.kept(
        ds,
        (),
        ValueType="CONTAINER",
        ContinuityOfContent="SEPARATE",
        CompletionFlag="COMPLETE",
        VerificationFlag="VERIFIED",
    )
    ds.ConceptNameCodeSequence = items(code(*title))
    at.keep(("ConceptNameCodeSequence", 0, "CodeMeaning"))
    observer = made(VerifyingObserverName=at.pn("VerifyingObserverName"))
    observer.VerifyingOrganization = at.visit.institution
    at.dates(observer, ("VerifyingObserverSequence", 0), "VerificationDateTime")
    at.case.dated.pop()  # the whole sequence may be replaced by an item that says nothing
    observer.VerifyingObserverIdentificationCodeSequence = items(
        code(at.identifier("observer code"), "99PHYS", at.pn("observer code").replace("^", " "))
    )
    ds.VerifyingObserverSequence = items(observer)
    author = made(ObserverType="PSN", PersonName=at.pn("AuthorObserverSequence"))
    author.InstitutionName = at.visit.institution
    ds.AuthorObserverSequence = items(author)
    ds.ReferencedPerformedProcedureStepSequence = Items()
    ds.PerformedProcedureCodeSequence = Items()
    evidence, where = made(), path("CurrentRequestedProcedureEvidenceSequence", 0)
    ds.CurrentRequestedProcedureEvidenceSequence = items(evidence)
    at.identify(evidence, where, StudyInstanceUID=at.visit.uid)
    series = made()
    evidence.ReferencedSeriesSequence = items(series)
    where = (*where, "ReferencedSeriesSequence", 0)
    at.identify(series, where, SeriesInstanceUID=f"{at.visit.uid}.1")
    series.ReferencedSOPSequence = items(made())
    at.refer(
        series.ReferencedSOPSequence[0], (*where, "ReferencedSOPSequence", 0), uid.CTImageStorage
    )
    request = made(
        StudyInstanceUID=at.visit.uid,
        AccessionNumber=at.visit.accession,
        RequestedProcedureID=at.identifier("ReferencedRequestSequence"),
        PlacerOrderNumberImagingServiceRequest=at.identifier("ReferencedRequestSequence"),
        FillerOrderNumberImagingServiceRequest=at.identifier("ReferencedRequestSequence"),
    )
    ds.ReferencedRequestSequence = items(request)
    at.identify(request, ("ReferencedRequestSequence", 0), StudyInstanceUID=at.visit.uid)
    at.describe(request, ("ReferencedRequestSequence", 0), "RequestedProcedureDescription")
    return Tree(at)


def _said(tree: Tree, parent: Dataset, path: Path) -> None:
    """Content of every value type, with identities in each that can carry one."""
    at, add = tree.at, tree.add
    text, words = at.text("SR TEXT", 1024)
    _, here = add(parent, path, "TEXT", FINDING, TextValue=text)
    at.case.words.append(((*here, "TextValue"), words))
    remark = at.random.choice(REMARKS)
    _, here = add(parent, path, "TEXT", ("121077", "DCM", "Conclusion"), TextValue=remark)
    at.case.words.append(((*here, "TextValue"), tuple(remark.split())))
    add(
        parent,
        path,
        "PNAME",
        ("121008", "DCM", "Person Observer Name"),
        PersonName=at.pn("SR PNAME"),
    )
    add(parent, path, "PNAME", ("121029", "DCM", "Subject Name"), PersonName=at.patient.name)
    add(parent, path, "TEXT", ("121030", "DCM", "Subject ID"), TextValue=at.patient.mrn or "none")
    number, here = add(parent, path, "UIDREF", ("112040", "DCM", "Tracking Unique Identifier"))
    at.identify(number, here, UID=at.uid())
    item, here = add(parent, path, "DATE", ("111060", "DCM", "Study Date"))
    at.dates(item, here, "Date")
    item, here = add(parent, path, "DATETIME", ("121135", "DCM", "Observation Date Time"))
    at.dates(item, here, "DateTime")
    item, here = add(parent, path, "TIME", ("111061", "DCM", "Study Time"))
    at.kept(item, here, Time="101112")
    item, here = add(parent, path, "NUM", ("410668003", "SCT", "Length"))
    measured = made(NumericValue="12.5")
    measured.MeasurementUnitsCodeSequence = items(code("mm", "UCUM", "millimeter"))
    item.MeasuredValueSequence = items(measured)
    at.case.kept.append(
        ((*here, "MeasuredValueSequence", 0, "NumericValue"), measured.NumericValue)
    )
    at.case.kept.append(
        ((*here, "MeasuredValueSequence", 0, "MeasurementUnitsCodeSequence", 0, "CodeValue"), "mm")
    )
    item, here = add(parent, path, "CODE", ("363698007", "SCT", "Finding Site"))
    item.ConceptCodeSequence = items(code("39607008", "SCT", "Lung"))
    at.case.kept.append(((*here, "ConceptCodeSequence", 0, "CodeMeaning"), "Lung"))
    item, here = add(parent, path, "CODE", ("121058", "DCM", "Procedure reported"))
    given, family = at.stranger()
    at.name_secrets("SR CODE meaning", given, family)
    item.ConceptCodeSequence = items(
        code(at.identifier("SR CODE value"), "99LOCAL", f"Biopsy by {given} {family}")
    )
    item, here = add(parent, path, "IMAGE", ("121112", "DCM", "Source of Measurement"))
    item.ReferencedSOPSequence = items(made())
    at.refer(item.ReferencedSOPSequence[0], (*here, "ReferencedSOPSequence", 0), uid.CTImageStorage)
    item, here = add(parent, path, "SCOORD", ("111030", "DCM", "Image Region"))
    at.kept(item, here, GraphicType="CIRCLE", GraphicData=[10.5, 20.25, 12.0, 24.0])


def basic_text(at: Planting) -> None:
    """Basic text report."""
    tree = _report(at, uid.BasicTextSRStorage, ("18748-4", "LN", "Diagnostic Imaging Report"))
    _said(tree, tree.root, ())


def comprehensive(at: Planting) -> None:
    """Comprehensive report, five levels deep."""
    tree = _report(at, uid.ComprehensiveSRStorage, ("126000", "DCM", "Imaging Measurement Report"))
    parent: Dataset = tree.root
    path: Path = ()
    for _ in range(5):
        parent, path = tree.add(
            parent,
            path,
            "CONTAINER",
            ("125007", "DCM", "Measurement Group"),
            ContinuityOfContent="SEPARATE",
        )
        at.dates(parent, path, "ObservationDateTime")
        tracking, here = tree.add(parent, path, "TEXT", ("112039", "DCM", "Tracking Identifier"))
        tracking.TextValue = f"Lesion {at.patient.family} 1"
        at.case.words.append(((*here, "TextValue"), ("Lesion",)))
    _said(tree, parent, path)


def enhanced_report(at: Planting) -> None:
    """Enhanced report with two sections."""
    tree = _report(at, uid.EnhancedSRStorage, ("18782-3", "LN", "Radiology Study observation"))
    for _ in range(2):
        section, path = tree.add(
            tree.root,
            (),
            "CONTAINER",
            ("121070", "DCM", "Findings"),
            ContinuityOfContent="SEPARATE",
        )
        _said(tree, section, path)


def mammo_cad(at: Planting) -> None:
    """Mammography CAD report."""
    tree = _report(at, uid.MammographyCADSRStorage, ("111036", "DCM", "Mammography CAD Report"))
    _said(tree, tree.root, ())


def radiation(at: Planting) -> None:
    """Radiation dose report: accumulated and per-event numbers, people and devices."""
    tree = _report(
        at, uid.XRayRadiationDoseSRStorage, ("113701", "DCM", "X-Ray Radiation Dose Report")
    )
    add = tree.add
    add(
        tree.root, (), "TEXT", ("121013", "DCM", "Device Observer Name"), TextValue=at.visit.station
    )
    add(
        tree.root,
        (),
        "TEXT",
        ("121016", "DCM", "Device Observer Serial Number"),
        TextValue=at.identifier("dose report device"),
    )
    maker, here = add(tree.root, (), "TEXT", ("121014", "DCM", "Device Observer Manufacturer"))
    maker.TextValue = "SIEMENS"
    device, here = add(tree.root, (), "UIDREF", ("121012", "DCM", "Device Observer UID"))
    device.UID = at.uid()
    start, here = add(tree.root, (), "DATETIME", ("113809", "DCM", "Start of X-Ray Irradiation"))
    at.dates(start, here, "DateTime")
    events, path = add(
        tree.root,
        (),
        "CONTAINER",
        ("113819", "DCM", "CT Acquisition"),
        ContinuityOfContent="SEPARATE",
    )
    protocol, here = add(events, path, "TEXT", ("125203", "DCM", "Acquisition Protocol"))
    protocol.TextValue = f"ThorRoutine CHEST {at.patient.family}"
    at.case.words.append(((*here, "TextValue"), ("CHEST",)))
    event, here = add(events, path, "UIDREF", ("113769", "DCM", "Irradiation Event UID"))
    at.identify(event, here, UID=at.uid())
    for value, name in (
        ("4.21", ("113830", "DCM", "Mean CTDIvol")),
        ("161.3", ("113838", "DCM", "DLP")),
    ):
        number, here = add(events, path, "NUM", name)
        measured = made(NumericValue=value)
        measured.MeasurementUnitsCodeSequence = items(code("mGy", "UCUM", "mGy"))
        number.MeasuredValueSequence = items(measured)
        at.case.kept.append(
            ((*here, "MeasuredValueSequence", 0, "NumericValue"), measured.NumericValue)
        )
    add(
        events,
        path,
        "PNAME",
        ("113870", "DCM", "Person Name"),
        PersonName=at.pn("dose report person"),
    )


def key_object(at: Planting) -> None:
    """Key object selection."""
    tree = _report(
        at, uid.KeyObjectSelectionDocumentStorage, ("113000", "DCM", "Of Interest"), "KO"
    )
    ds = at.dataset
    for keyword in (
        "VerifyingObserverSequence",
        "VerificationFlag",
        "CompletionFlag",
        "AuthorObserverSequence",
    ):
        del ds[keyword]
        at.forget(keyword)
    text, words = at.text("KO TEXT", 1024)
    _, here = tree.add(ds, (), "TEXT", ("113012", "DCM", "Key Object Description"), TextValue=text)
    at.case.words.append(((*here, "TextValue"), words))
    item, here = tree.add(ds, (), "IMAGE", ("121112", "DCM", "Source of Measurement"))
    item.ReferencedSOPSequence = items(made())
    at.refer(item.ReferencedSOPSequence[0], (*here, "ReferencedSOPSequence", 0), uid.CTImageStorage)


REPORTS: dict[str, Kind] = {
    kind.__name__.replace("_", "-"): kind
    for kind in (
        basic_text,
        comprehensive,
        enhanced_report,
        mammo_cad,
        radiation,
        key_object,
    )
}
