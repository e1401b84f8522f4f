"""The vault: the master key's holder, and everything that is keyed by it."""

from functools import lru_cache
from typing import Final

from app.settings import Settings
from app.vault import pseudonyms
from app.vault.keys import derive, master_key
from app.vault.sealing import Sealer

# What a derived key is for. A purpose is never used for two things.
CASE: Final = "case"
SUBJECT: Final = "subject"
SEAL: Final = "seal"
IDENTITY: Final = "identity"
TERM: Final = "term"
QUARANTINE: Final = "quarantine"


class Vault:
    """Keyed tokens and sealed values. Whoever holds it can see identities; few may."""

    def __init__(self, settings: Settings) -> None:
        master = master_key(settings)
        # Derived keys are asked for once per batch or per value: remembered per process.
        self._key = lru_cache(maxsize=65_536)(lambda *info: derive(master, *info))
        self._sealer = lru_cache(maxsize=4_096)(lambda *info: Sealer(derive(master, *info)))
        self.fingerprint = derive(master, "fingerprint").hex()[:16]

    def __repr__(self) -> str:
        return f"Vault(fingerprint={self.fingerprint!r})"

    def case_token(self, registry: str, facility: int, *key: str) -> str:
        """The 16 characters that stand for a case key of one facility in one registry.

        An accession number gives the token of the exam that has it as its identifier: this is how
        images find their case. Surrounding white space does not count.
        """
        return pseudonyms.case_token(self._key(CASE, registry, facility), key)

    def subject_token(self, registry: str, kind: str, *parts: str) -> str:
        """The 32 characters that stand for one person under one kind of identifier."""
        return pseudonyms.subject_token(self._key(SUBJECT, registry, kind), parts)

    def subject_pseudonym(self, registry: str, kind: str, token: str) -> str:
        """The name of a new subject, from the first token that leads to it."""
        return pseudonyms.subject_pseudonym(self._key("subject-pseudonym", registry), kind, token)

    def pseudonym_key(self, registry: str, facility: int, purpose: str) -> bytes:
        """A 32-byte key for what de-identification replaces: UIDs, pseudonyms, date offsets."""
        return bytes(self._key("pseudonym", registry, facility, purpose))

    def digest(self, registry: str, content: bytes) -> bytes:
        """A keyed digest: equal content is seen as equal, and cannot be guessed at without the key."""
        return pseudonyms.keyed(self._key("digest", registry), content, 32)

    def sealer(self, purpose: str, registry: str) -> Sealer:
        """What seals and opens the values of one purpose in one registry."""
        return self._sealer(SEAL, purpose, registry)

    def seal(self, data: bytes, context: str) -> bytes:
        """Seal a small value; it opens under the same context only."""
        return self._sealer(SEAL, "general").seal(data, context.encode())

    def open(self, sealed: bytes, context: str) -> bytes:
        """What was sealed under this context."""
        return self._sealer(SEAL, "general").open(sealed, context.encode())
