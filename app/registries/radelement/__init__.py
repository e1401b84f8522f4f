"""
Common data elements of RadElement: sets read into forms, and a form's elements written as a set.

Both editions of the schema are read: 1.0 says `status` and `history`, 1.1 `current_status` and
`status_history` (github.com/RSNA/ACR-RSNA-CDEs, cde.schema.json). What both sides know is carried
without loss: names, definitions, questions, units, limits, steps that are a power of ten, one value
or several, values with their codes and definitions, an index code each of RadLex, SNOMED CT and
LOINC (its code: what the vocabulary calls it is the vocabulary's). What a definition has no word for
(contributors, images, references, body parts, how many values at least and at most) is left behind,
and `Import.left` says so.
"""

from app.registries.radelement.document import UnreadableSet, read_set
from app.registries.radelement.exported import export_set
from app.registries.radelement.imported import Import, import_set
from app.registries.radelement.terms import SPECIALTIES, SYSTEM
from app.registries.radelement.told import Answered, AnsweredSet, answered_sets

__all__ = [
    "SPECIALTIES",
    "SYSTEM",
    "Answered",
    "AnsweredSet",
    "Import",
    "UnreadableSet",
    "answered_sets",
    "export_set",
    "import_set",
    "read_set",
]
