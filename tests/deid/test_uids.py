import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deid import uids


@given(st.binary(max_size=200), st.text(max_size=64))
def test_a_uid_is_replaced_by_the_first_half_of_its_hmac(key, uid):
    mac = hmac.new(key, uid.strip("\0 ").encode(), hashlib.sha256).digest()
    assert uids.replaced(key, uid) == f"2.25.{int.from_bytes(mac[:16], 'big')}"


@pytest.mark.parametrize("size", [63, 64, 65])
def test_keys_as_long_as_a_block_of_the_hash_and_longer_ones_count_whole(size):
    keys = [bytes([last]).rjust(size, b"k") for last in range(3)]
    assert len({uids.token(key, "MRN-1") for key in keys}) == 3
