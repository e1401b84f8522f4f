"""Quality results of clinicians and groups for CMS's Quality Payment Program (MIPS), as a QCDR sends them."""
