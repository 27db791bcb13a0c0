"""Show what others wrote, in a text that Home Assistant reads as Markdown, word for word.

Markdown can hide words (comments, link definitions), put a link under other words, and fetch a
picture that tells its server who reads. Nobody may agree to what they were not shown.
"""

import re
from typing import Final

_PUNCTUATION: Final = re.compile(r"[!-/:-@\[-`{-~]")
# Four spaces would begin a block in which nothing is escaped.
_INDENT: Final = re.compile(r"^[ \t]+", re.MULTILINE)
_FIXED_SPACE: Final = "\u00a0"


def verbatim(text: str) -> str:
    """Return Markdown that reads as the text does, line by line."""
    indented = _INDENT.sub(lambda found: _FIXED_SPACE * len(found[0].expandtabs(4)), text)
    return _PUNCTUATION.sub(r"\\\g<0>", indented)
