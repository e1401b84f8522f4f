import base64
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from app.errors import Unavailable
from app.settings import Settings
from app.vault import Vault
from app.vault.keys import derive, master_key
from app.vault.sealing import BrokenSeal

KEY = base64.b64encode(bytes(range(32))).decode()


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(Settings(data=tmp_path, vault_key=KEY))


def test_the_first_start_makes_a_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    first = master_key(Settings(data=tmp_path / "data"))
    assert master_key(Settings(data=tmp_path / "data")) == first
    file = tmp_path / "data" / "vault.key"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["vault.key"]


def test_processes_that_start_together_agree_on_the_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda _: master_key(Settings(data=tmp_path)), range(64)))
    assert len(set(found)) == 1


@pytest.mark.parametrize("text", ["", "short", KEY[:-6], KEY + KEY, "ü" * 44])
def test_a_damaged_key_stops_the_start_and_is_never_replaced(tmp_path: Path, text: str) -> None:
    file = tmp_path / "vault.key"
    file.write_text(text)
    with pytest.raises(Unavailable) as refused:
        master_key(Settings(data=tmp_path))
    assert file.read_text() == text
    assert not text or text not in str(refused.value)


def test_a_key_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(Unavailable):
        master_key(Settings(data=tmp_path, vault_key_file=tmp_path / "elsewhere"))
    assert not (tmp_path / "elsewhere").exists()


def test_derived_keys_follow_rfc_5869_and_differ_by_every_part() -> None:
    master = bytes(range(32))
    info = b"".join(len(part).to_bytes(4) + part for part in (b"hounsfield", b"case", b"r", b"7"))
    expected = HKDFExpand(algorithm=SHA256(), length=32, info=info).derive(master)
    assert derive(master, "case", "r", 7) == expected
    others = [("case", "r", 8), ("case", "r7"), ("ca", "ser", 7), ("subject", "r", 7)]
    assert len({expected, *(derive(master, *one) for one in others)}) == 5


@given(value=st.text(max_size=60), blanks=st.sampled_from(["", " ", "\t", "  "]))
def test_a_token_is_sixteen_letters_and_does_not_mind_blanks(value: str, blanks: str) -> None:
    if any("\ud800" <= one <= "\udfff" for one in value):
        return
    vault = Vault(Settings(data=Path("/nowhere"), vault_key=KEY))
    token = vault.case_token("r", 200001, value)
    assert len(token) == 16
    assert token.isalnum()
    assert token == vault.case_token("r", 200001, f"{blanks}{value}{blanks}")
    assert token != vault.case_token("r", 200002, value)
    assert token != vault.case_token("q", 200001, value)


@given(st.lists(st.text("ab", max_size=3), min_size=2, max_size=4), st.data())
def test_parts_of_a_key_do_not_run_into_one_another(parts: list[str], data: st.DataObject) -> None:
    vault = Vault(Settings(data=Path("/nowhere"), vault_key=KEY))
    other = data.draw(st.lists(st.text("ab", max_size=3), min_size=2, max_size=4))
    same = vault.case_token("r", 1, *parts) == vault.case_token("r", 1, *other)
    assert same == (parts == other)


def test_another_master_key_gives_other_tokens(vault: Vault, tmp_path: Path) -> None:
    other = Vault(Settings(data=tmp_path, vault_key=base64.b64encode(bytes(32)).decode()))
    assert vault.case_token("r", 1, "A") != other.case_token("r", 1, "A")
    assert vault.fingerprint != other.fingerprint


@given(st.binary(max_size=2_000), st.text("abc/", max_size=10))
def test_what_is_sealed_opens_under_its_own_context_only(data: bytes, context: str) -> None:
    vault = Vault(Settings(data=Path("/nowhere"), vault_key=KEY))
    sealed = vault.seal(data, context)
    assert vault.open(sealed, context) == data
    assert vault.seal(data, context) != sealed
    with pytest.raises(BrokenSeal):
        vault.open(sealed, context + "x")


@given(st.binary(min_size=1, max_size=200), st.integers(min_value=0))
def test_a_seal_breaks_with_any_bit(data: bytes, position: int) -> None:
    vault = Vault(Settings(data=Path("/nowhere"), vault_key=KEY))
    sealed = bytearray(vault.seal(data, "c"))
    sealed[position % len(sealed)] ^= 1 << position % 8
    with pytest.raises(BrokenSeal):
        vault.open(bytes(sealed), "c")


@pytest.mark.parametrize("cut", [0, 1, 12, 27])
def test_a_seal_that_is_cut_short_does_not_open(vault: Vault, cut: int) -> None:
    with pytest.raises(BrokenSeal):
        vault.open(vault.seal(b"", "c")[:cut], "c")


def test_a_vault_never_shows_its_key(vault: Vault) -> None:
    assert KEY not in repr(vault)
    assert bytes(range(32)).hex() not in repr(vault)
