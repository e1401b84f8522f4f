"""
The codes a finding may carry: the same at every door.

A finding names a place and never what stood there. Its severity follows from its code, except
for rules, which say it themselves.
"""

from enum import StrEnum


class Severity(StrEnum):
    """What a finding does to its entry."""

    REJECT = "reject"
    WARN = "warn"
    INFORMATION = "information"


class FindingCode(StrEnum):
    """What is wrong at a place."""

    MISSING = "missing"
    NOT_RELEVANT = "not-relevant"
    NOT_TEXT = "not-text"
    NOT_AN_INTEGER = "not-an-integer"
    NOT_A_NUMBER = "not-a-number"
    TOO_MANY_DECIMALS = "too-many-decimals"
    NOT_A_DATE = "not-a-date"
    NOT_A_DATETIME = "not-a-datetime"
    NOT_A_BOOLEAN = "not-a-boolean"
    NOT_AN_NPI = "not-an-npi"
    NOT_IN_VALUE_SET = "not-in-value-set"
    NOT_ON_LIST = "not-on-list"
    RETIRED_CODE = "retired-code"
    EXCLUSIVE_CODE = "exclusive-code"
    REPEATED_CODE = "repeated-code"
    TOO_LONG = "too-long"
    PATTERN = "pattern"
    FORBIDDEN_CHARACTER = "forbidden-character"
    OUT_OF_RANGE = "out-of-range"
    UNUSUAL = "unusual"
    RULE = "rule"
    UNKNOWN_ELEMENT = "unknown-element"
    DUPLICATE_ELEMENT = "duplicate-element"
    NOT_ROWS = "not-rows"
    TOO_MANY_ROWS = "too-many-rows"
    UNKNOWN_FORM = "unknown-form"
    UNKNOWN_ACTION = "unknown-action"
    NOT_AN_ENTRY = "not-an-entry"
    TOO_MANY_CELLS = "too-many-cells"
    UNKNOWN_FACILITY = "unknown-facility"
    OTHER_FACILITY = "other-facility"
    NOT_PARTICIPATING = "not-participating"
    NO_IDENTITY = "no-identity"
    IDENTITY_CONFLICT = "identity-conflict"
    UNKNOWN_CASE = "unknown-case"
    WAITING_FOR_PARENT = "waiting-for-parent"
    SUPERSEDED = "superseded"
    WHOLE_FILE = "whole-file"
    UNREADABLE = "unreadable"
    EMPTY = "empty"
    TOO_LARGE = "too-large"
    HELD = "held"
    EXPIRED = "expired"
    NOT_DICOM = "not-dicom"
    BURNED_IN_TEXT = "burned-in-text"
    ENCAPSULATED_DOCUMENT = "encapsulated-document"
    IDENTIFIER_REMAINS = "identifier-remains"
    PATIENT_MISMATCH = "patient-mismatch"
    DUPLICATE_INSTANCE = "duplicate-instance"
    UNKNOWN_UNIT = "unknown-unit"
    MEASURED_OTHERWISE = "measured-otherwise"
    OVERLAPPING = "overlapping"
    ONLY_FROM_IMAGES = "only-from-images"


SEVERITY = {
    FindingCode.UNUSUAL: Severity.WARN,
    FindingCode.RETIRED_CODE: Severity.WARN,
    FindingCode.TOO_MANY_DECIMALS: Severity.WARN,
    FindingCode.NOT_RELEVANT: Severity.WARN,
    FindingCode.IDENTITY_CONFLICT: Severity.WARN,
    FindingCode.SUPERSEDED: Severity.WARN,
    FindingCode.UNKNOWN_UNIT: Severity.WARN,
    FindingCode.MEASURED_OTHERWISE: Severity.WARN,
    FindingCode.OVERLAPPING: Severity.WARN,
    FindingCode.WAITING_FOR_PARENT: Severity.INFORMATION,
}


def severity(code: FindingCode) -> Severity:
    """What a finding of this code does, where the definition does not say otherwise."""
    return SEVERITY.get(code, Severity.REJECT)
