"""Match weights of what is stated, not compared: a shared identifier where no name can be compared, a judgement."""

from __future__ import annotations

from identity.model import UNIT

# Bits, prior included.
SHARED_WEIGHT = {
    "user_id": 14.0,
    "national_id": 12.0,
    "external_id": 11.0,
    "email": 9.0,
    "handle": 9.0,
    "anonymous_id": 8.0,
    "phone": 7.0,
    "device": 6.0,
}
_OTHER_WEIGHT = 7.0
JUDGED = 60 * UNIT


def shared_weight(identifier_type: str) -> int:
    """Weight, in 1/1000 bit, of one shared identifier where no name can be compared.

    >>> shared_weight("email")
    9000
    """
    return int(SHARED_WEIGHT.get(identifier_type, _OTHER_WEIGHT) * UNIT)
