"""Values that the service refuses wherever a resource has them: labels, collations, rounding modes, layouts, parameters of types."""
from __future__ import annotations

import re

from .errors import ApiError

LABEL_KEY, LABEL_VALUE = re.compile(r"(?=[^\W\d_])[\w-]{1,63}"), re.compile(r"[\w-]{0,63}")
MOST_LABELS = 64


def check_labels(labels: dict[str, str]) -> None:
    """ApiError invalid for labels that the service refuses. Source: "Requirements for labels"."""
    if len(labels) > MOST_LABELS:
        raise ApiError("invalid", f"Too many labels: {len(labels)}; the most is {MOST_LABELS}.", "labels")
    for key, value in labels.items():
        for what, text, form in (("key", key, LABEL_KEY), ("value", value, LABEL_VALUE)):
            if not form.fullmatch(text) or text != text.lower():
                raise ApiError("invalid", f'Invalid label {what} "{text[:100]}": at most 63 lowercase letters, numbers, underscores and dashes'
                                          f"{', beginning with a letter' if what == 'key' else ''}.", "labels")
