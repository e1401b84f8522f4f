"""
The one room where identities exist.

`Vault` holds the master key, which lives outside the database, and derives every other key from
it. Original identifiers are found here and in quarantine only, encrypted, each with an end date.
"""

from app.vault.room import Vault

__all__ = ["Vault"]
