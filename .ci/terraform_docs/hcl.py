"""As much of Terraform's language as its files here need: blocks and attributes with their lines, values as text.

A value is what stands behind ``=``, as it is written: what an expression comes to is Terraform's business.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")
_HEREDOC = re.compile(r"<<-?([A-Za-z_]\w*)\n")
_OPENING, _CLOSING = "([{", ")]}"


class UnreadableError(Exception):
    """Text that is none of the language, or of a part of it that is not needed here."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """A name and its value as text, on the lines ``line`` to ``last_line``, which count from 1."""

    name: str
    value: str
    line: int
    last_line: int

    def text(self) -> str:
        """Return the value of a plain string; ``UnreadableError`` for any other value."""
        if len(self.value) < 2 or self.value[0] != '"' or self.value[-1] != '"':
            raise UnreadableError(f"line {self.line}: {self.name} is no plain string")
        return re.sub(r"\\(.)", r"\1", self.value[1:-1])


@dataclass(frozen=True, slots=True)
class Block:
    """A block: its type, its labels, and what is in it, in order."""

    type: str
    labels: tuple[str, ...]
    line: int
    attributes: tuple[Attribute, ...] = ()
    blocks: tuple[Block, ...] = ()

    def get(self, name: str) -> Attribute | None:
        """Return the attribute of a name, if there is one."""
        return next((each for each in self.attributes if each.name == name), None)

    def all(self, *types: str) -> list[Block]:
        """Return the blocks right in this one that are of one of the types, those that ``dynamic`` makes included."""
        made = [
            content
            for each in self.blocks
            if each.type == "dynamic" and each.labels[0] in types
            for content in each.blocks
            if content.type == "content"
        ]
        return [each for each in self.blocks if each.type in types] + made

    def within(self) -> Iterator[Block]:
        """Yield this block and all that are in it, however deep."""
        yield self
        for each in self.blocks:
            yield from each.within()


@dataclass(slots=True)
class _Reader:
    text: str
    at: int = 0

    def line(self) -> int:
        return self.text.count("\n", 0, self.at) + 1

    def body(self, *, nested: bool) -> tuple[list[Attribute], list[Block]]:
        attributes: list[Attribute] = []
        blocks: list[Block] = []
        while True:
            self.pass_space(newlines=True)
            if self.at >= len(self.text) or self.text[self.at] == "}":
                if nested != (self.at < len(self.text)):
                    raise UnreadableError(f"line {self.line()}: a brace too many, or one too few")
                self.at += nested
                return attributes, blocks
            line, name = self.line(), self.word()
            self.pass_space()
            if self.text[self.at : self.at + 1] == "=":
                self.at += 1
                value = self.value()
                attributes.append(Attribute(name, value, line, self.line()))
            else:
                blocks.append(self.block(name, line))

    def block(self, kind: str, line: int) -> Block:
        labels = []
        while self.text[self.at : self.at + 1] != "{":
            if self.text[self.at : self.at + 1] == '"':
                start = self.at
                self.string()
                labels.append(self.text[start + 1 : self.at - 1])
            else:
                labels.append(self.word())
            self.pass_space()
        self.at += 1
        attributes, blocks = self.body(nested=True)
        return Block(kind, tuple(labels), line, tuple(attributes), tuple(blocks))

    def word(self) -> str:
        found = _NAME.match(self.text, self.at)
        if found is None:
            raise UnreadableError(f"line {self.line()}: no name where one should be")
        self.at = found.end()
        return found[0]

    def value(self) -> str:
        """Return the text up to the end of the line on which all brackets are closed."""
        self.pass_space()
        start, depth = self.at, 0
        while self.at < len(self.text):
            character = self.text[self.at]
            if depth == 0 and character in "\n}":
                break
            if character == '"':
                self.string()
            elif self.is_comment():
                if depth == 0:
                    break
                self.comment()
            elif (heredoc := _HEREDOC.match(self.text, self.at)) is not None:
                ending = re.compile(rf"^\s*{heredoc[1]}$", re.MULTILINE).search(self.text, heredoc.end())
                if ending is None:
                    raise UnreadableError(f"line {self.line()}: a text without an end")
                self.at = ending.end()
            else:
                depth += (character in _OPENING) - (character in _CLOSING)
                self.at += 1
        return self.text[start : self.at].rstrip()

    def string(self) -> None:
        """Pass a string, with whatever is interpolated in it."""
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "\\":
                self.at += 2
            elif character == '"':
                self.at += 1
                return
            elif self.text.startswith(("${", "%{"), self.at) and not self.text.startswith(("$${", "%%{"), self.at - 1):
                self.at += 2
                self.interpolation()
            else:
                self.at += 1
        raise UnreadableError(f"line {self.line()}: a string without an end")

    def interpolation(self) -> None:
        depth = 1
        while depth:
            character = self.text[self.at : self.at + 1]
            if not character:
                raise UnreadableError(f"line {self.line()}: an interpolation without an end")
            if character == '"':
                self.string()
                continue
            depth += (character == "{") - (character == "}")
            self.at += 1

    def is_comment(self) -> bool:
        return self.text.startswith(("#", "//", "/*"), self.at)

    def comment(self) -> None:
        ending = "*/" if self.text.startswith("/*", self.at) else "\n"
        found = self.text.find(ending, self.at)
        self.at = len(self.text) if found < 0 else found + (2 if ending == "*/" else 0)

    def pass_space(self, *, newlines: bool = False) -> None:
        while self.at < len(self.text):
            if self.text[self.at] in (" \t\r\n" if newlines else " \t"):
                self.at += 1
            elif newlines and self.is_comment():
                self.comment()
            else:
                return


def read_blocks(path: Path) -> list[Block]:
    """Return the blocks of a file; ``UnreadableError`` names file and line."""
    try:
        return _Reader(path.read_text()).body(nested=False)[1]
    except UnreadableError as error:
        raise UnreadableError(f"{path}: {error}") from None


def read_folder(folder: Path) -> list[tuple[Path, Block]]:
    """Return the blocks of all files right in a folder, with the file of each."""
    return [(path, block) for path in sorted(folder.glob("*.tf")) for block in read_blocks(path)]
