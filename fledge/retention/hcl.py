"""Terraform's files as nested dicts, as far as blocks and literal values go; no expression is evaluated.

There is no library for it among ours, and what is asked of these files is little: which blocks stand in which.
"""

import re
from collections.abc import Iterator
from typing import Any

TOKEN = re.compile(r'(?:#|//)[^\n]*|/\*.*?\*/|("(?:[^"\\\n]|\\.)*"|[{}\[\]()=,\n]|[^\s{}\[\]()=,"#]+)', re.DOTALL)


def read(text: str) -> dict[str, Any]:
    """A file's blocks: type -> list of dicts, which hold their labels as "labels" and their arguments as text.

    A string stands without its quotes; `true` and what is no literal stand as they are written. Raises ValueError for
    braces that do not close.
    """
    tokens = iter([match[1] for match in TOKEN.finditer(text) if match[1]] + ["\n"])
    return _block(tokens, inner=False)


def _block(tokens: Iterator[str], *, inner: bool) -> dict[str, Any]:
    found: dict[str, Any] = {}
    words: list[str] = []
    for token in tokens:
        if token == "{" and words:
            body = _block(tokens, inner=True)
            found.setdefault(words[0], []).append(body | {"labels": [word.strip('"') for word in words[1:]]})
            words = []
        elif token == "=" and words:
            ended = _argument(tokens, found, words[-1])
            words = []
            if ended:
                return found
        elif token == "}":
            if not inner:
                raise ValueError("a brace too many")
            return found
        elif token in ("\n", ","):
            words = []
        else:
            words.append(token)
    if inner:
        raise ValueError("a brace that does not close")
    return found


def _argument(tokens: Iterator[str], found: dict[str, Any], name: str) -> bool:
    """Read what follows `name =` into `found`; whether the block that it stands in ended with it."""
    parts: list[str] = []
    depth = 0
    for token in tokens:
        if token == "{" and not parts:
            found[name.strip('"')] = _block(tokens, inner=True)
            return False
        depth += (token in ("[", "(", "{")) - (token in ("]", ")", "}"))
        if depth < 0 or (depth == 0 and token in ("\n", ",")):
            break
        parts.append(token)
    is_list = parts[:1] == ["["]
    words = [part.strip('"') for part in parts if not is_list or part not in ("[", "]", ",", "\n")]
    found[name.strip('"')] = words if is_list else " ".join(words)
    return depth < 0
