"""Keep evidence as it was composed: its document, and the digest that tells whether it is still that."""

import hashlib
import json
from typing import Any

from app.reports.improvement.evidence import Evidence


def sealed(evidence: Evidence) -> tuple[dict[str, Any], str]:
    """The evidence as a document, and the SHA-256 of its canonical text (RFC 8785's order of members)."""
    document: dict[str, Any] = evidence.model_dump(mode="json")
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return document, hashlib.sha256(text.encode()).hexdigest()
