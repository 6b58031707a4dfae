"""Every form in which a text may be written, as bytes to look for; made here, and not by code that is under test."""

from __future__ import annotations

import base64
import html
import json
import quopri
import unicodedata
import urllib.parse


def forms_of(text: str) -> set[bytes]:
    """Return every form in which a text may be written, as bytes to look for."""
    found: set[bytes] = set()
    for case in (text, text.lower(), text.upper()):
        escaped = json.dumps(case)[1:-1]
        found |= {
            case.encode(),
            unicodedata.normalize("NFD", case).encode(),
            escaped.encode(),
            escaped.replace("\\u00f6", "\\u00F6").replace("\\u00e4", "\\u00E4").encode(),
            json.dumps(escaped)[1:-1].encode(),
            case.encode().decode("latin-1").encode("unicode_escape"),
            case.encode("unicode_escape"),
            urllib.parse.quote(case).encode(),
            urllib.parse.quote(case).lower().encode(),
            quopri.encodestring(case.encode()),
            case.encode("ascii", "xmlcharrefreplace"),
            html.escape(case).encode(),
            case.encode("latin-1"),
            case.encode("utf-16-le"),
            case.encode("utf-16-be"),
            case.encode().hex().encode(),
        }
        for raw in (case.encode(), escaped.encode()):
            for before in range(3):
                # What stands before a text decides how its first characters are encoded, what follows how its last are.
                encoded = base64.b64encode(b"x" * before + raw)
                found.add(encoded[4 * bool(before) : -4])
    return found
