"""What may be shown of personal data to somebody who has no need to see them: one place for all of cdp.

Single values: :mod:`cdp.masking.values`. Whole payloads: :mod:`cdp.masking.documents`.
"""

from cdp.masking.documents import document, text_length
from cdp.masking.fields import ANY_KEY, is_field_name, is_heading
from cdp.masking.values import (
    HIDDEN,
    content,
    email,
    identifier,
    initials,
    mask,
    name,
    phone,
    trait,
    without,
    words,
)

__all__ = [
    "ANY_KEY",
    "HIDDEN",
    "content",
    "document",
    "email",
    "identifier",
    "initials",
    "is_field_name",
    "is_heading",
    "mask",
    "name",
    "phone",
    "text_length",
    "trait",
    "without",
    "words",
]
