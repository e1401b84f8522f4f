"""What different spellings of one text have in common: no accents, case, width or punctuation."""

import re
import unicodedata
from functools import lru_cache

TOKEN = re.compile(r"[^\W_]+")
_SPECIAL = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i", "ħ": "h"}
    # one kana for both syllabaries
    | {chr(kana): chr(kana + 0x60) for kana in range(0x3041, 0x3097)}
)


@lru_cache(maxsize=8192)
def folded(text: str) -> str:
    """Without accents, case and width: what two spellings of one name have in common."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text)
    return (
        "".join(char for char in bare if not unicodedata.combining(char))
        .casefold()
        .translate(_SPECIAL)
    )


class _Plain(dict[int, str]):
    """One character to its plain form, where that is one character; remembered."""

    def __missing__(self, code: int) -> str:
        char = chr(code)
        bare = folded(char)
        self[code] = made = (
            bare if len(bare) == 1 else char.lower() if len(char.lower()) == 1 else char
        )
        return made


_PLAIN = _Plain()


def plain(text: str) -> str:
    """Folded letter for letter: as long as the text, so that places in one are places in the other."""
    return text.lower() if text.isascii() else text.translate(_PLAIN)


def squeezed(text: str) -> str:
    """Letters and digits alone."""
    return "".join(TOKEN.findall(text))
