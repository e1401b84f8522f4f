"""Station 3a: tell a facility what its cases say, beside its peers."""
