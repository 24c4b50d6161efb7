"""Values as they may be shown to somebody who has no need to see them."""

from __future__ import annotations

import re

_WORD = re.compile(r"[^\W_]+")


def mask(text: str | None, *, shown: int = 1) -> str | None:
    """Return ``text`` with all but the first letters of its words hidden; its shape stays.

    >>> mask("jane.doe@example.org"), mask("+44 20 7123 4567")
    ('j•••.d••@e••••••.o••', '+4• 2• 7••• 4•••')
    """
    if text is None:
        return None
    return _WORD.sub(lambda word: word[0][:shown] + "•" * (len(word[0]) - shown), text)
