"""Values as they may be shown to somebody who has no need to see them: see :mod:`cdp.masking`."""

from __future__ import annotations

from cdp.masking import mask

__all__ = ["mask"]
