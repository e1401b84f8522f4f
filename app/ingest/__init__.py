"""Station 1: from arrival to accepted case, one file per step."""
