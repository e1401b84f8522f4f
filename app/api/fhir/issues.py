"""Findings as FHIR R4 tells them: the issues of an OperationOutcome."""

import re
from collections.abc import Iterable
from typing import Any, Final

from app.models.submission import Finding

MOST: Final = 1000
"""Issues of one outcome; the rest is in the submission's findings."""
_SEVERITY: Final = {"reject": "error", "warn": "warning", "information": "information"}
_TYPES: Final = {
    "missing": "required",
    "no-identity": "required",
    "empty": "required",
    "not-in-value-set": "code-invalid",
    "not-on-list": "code-invalid",
    "retired-code": "code-invalid",
    "unknown-element": "structure",
    "duplicate-element": "structure",
    "not-an-entry": "structure",
    "not-rows": "structure",
    "unreadable": "structure",
    "unknown-form": "not-found",
    "unknown-case": "not-found",
    "unknown-facility": "not-found",
    "other-facility": "forbidden",
    "not-participating": "forbidden",
    "rule": "business-rule",
    "whole-file": "business-rule",
    "superseded": "business-rule",
    "identity-conflict": "conflict",
    "too-large": "too-long",
    "too-long": "too-long",
    "waiting-for-parent": "incomplete",
    "held": "transient",
}
"""The code of a finding -> FHIR's IssueType; what is not named is a `value`."""
_ELEMENT: Final = re.compile(r"(?:[a-z][a-z0-9_]*\[\d+\]\.)*[a-z][a-z0-9_]*", re.ASCII)
"""A place that is an element of the form, or of a row of it."""
_NO_ELEMENT: Final = frozenset({"row", "submission", "contained"})


def outcome(issues: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """An OperationOutcome; one without an issue says that all went well."""
    told = list(issues)[:MOST]
    return {
        "resourceType": "OperationOutcome",
        "issue": told or [said("information", "informational", "All went well.")],
    }


def said(severity: str, code: str, text: str) -> dict[str, Any]:
    """An issue in our own words."""
    return {"severity": severity, "code": code, "diagnostics": text}


def issue(finding: Finding, within: str = "") -> dict[str, Any]:
    """What was found, where the response has it; `within` is the path to the response in a Bundle."""
    told: dict[str, Any] = {
        "severity": _SEVERITY[finding.severity],
        "code": _TYPES.get(finding.code, "value"),
        "details": {"coding": [{"code": finding.code}], "text": finding.remedy},
        "expression": [f"{within or 'QuestionnaireResponse'}{_expression(finding.place)}"],
    }
    allowed = f"; allowed: {finding.allowed}" if finding.allowed else ""
    return told | {"diagnostics": f"{finding.place}{allowed}"}


def _expression(place: str) -> str:
    """FHIRPath of a place."""
    if place == "_form":
        return ".questionnaire"
    if place == "_action":
        return ".status"
    if _ELEMENT.fullmatch(place) and place not in _NO_ELEMENT:
        link = re.sub(r"\[\d+\]", "", place)
        return f".descendants().where(linkId = '{link}')"
    return ""
