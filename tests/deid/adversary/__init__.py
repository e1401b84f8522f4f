"""
Objects that try to smuggle identities past de-identification, and the key that tells if they did.

A seed makes a set of more than 140 objects over all modalities: `sets.made` builds them,
`score.scored` holds the outputs against the answer key. Nothing here uses `app.deid` but the door
in `door.py`: what it knows of DICOM comes from pydicom and the standard alone.
"""
