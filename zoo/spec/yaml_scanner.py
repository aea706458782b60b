"""ruamel's scanner with the tabs of YAML 1.2: they may separate and stand before comments, and never indent."""

from __future__ import annotations

from typing import Any

from ruamel.yaml.error import StringMark
from ruamel.yaml.scanner import Scanner, ScannerError

from zoo.spec.document import DEPTH_LIMIT

TOO_DEEP = f"found more than {DEPTH_LIMIT} levels, one inside the other"
_BREAKS = "\r\n\x85\u2028\u2029"
_BLANK = "\0" + _BREAKS


class TabScanner(Scanner):
    """A scanner that passes over tabs between tokens, and says of an error where its line of text began."""

    _tab: StringMark | None = None  # the latest that was passed over in block context
    _plain: Any = None  # the latest plain scalar

    def __init__(self, *given: Any, **options: Any) -> None:
        super().__init__(*given, **options)
        self._open: list[tuple[str, StringMark]] = []  # brackets that are not closed yet, the innermost last

    def scan_to_next_token(self) -> None:
        """Pass over white space, line breaks and comments; stop at a tab that would indent."""
        reader = self.reader
        if reader.index == 0 and reader.peek() == "\ufeff":
            reader.forward()
        while True:
            begins_line = reader.column == 0
            while reader.peek() == " ":
                reader.forward()
            if reader.peek() == "\t":
                if begins_line and not self._separates():
                    return
                if not self.flow_level:
                    self._tab = reader.get_mark()
                reader.forward(self._white())
            if reader.peek() == "#":
                while reader.peek() not in _BLANK:
                    reader.forward()
            if not self.scan_line_break():
                return
            if not self.flow_level:
                self.allow_simple_key = True

    def scan_plain(self) -> Any:
        self._plain = super().scan_plain()
        return self._plain

    def scan_plain_spaces(self, indent: Any, start_mark: Any) -> Any:
        """Return the white space within a plain scalar, folded; None at the end of the document."""
        reader = self.reader
        white = self._white()
        before = reader.prefix(white)
        reader.forward(white)
        first = self.scan_line_break()
        if not first:
            return [before] if before else []
        self.allow_simple_key = True
        breaks = []
        while True:
            if reader.column == 0 and reader.prefix(3) in ("---", "...") and reader.peek(3) in " \t" + _BLANK:
                return None
            if reader.peek() == " " or (reader.peek() == "\t" and self._separates()):
                reader.forward()
            elif reader.peek() in _BREAKS:
                breaks.append(self.scan_line_break())
            else:
                break
        return [*([first] if first != "\n" else [] if breaks else [" "]), *breaks]

    def scan_block_scalar_indicators(self, start_mark: Any) -> Any:
        try:
            return super().scan_block_scalar_indicators(start_mark)
        except ScannerError:
            if self.reader.peek() != "\t":
                raise
        # What stands before the tab was read, and is sound.
        length = self.reader.column - start_mark.column - 1
        header = self.reader.buffer[self.reader.pointer - length : self.reader.pointer]
        digits = header.strip("+-")
        return "+" in header if header.strip("0123456789") else None, int(digits) if digits else None

    def scan_block_scalar_ignored_line(self, start_mark: Any) -> Any:
        self.reader.forward(self._white())
        return super().scan_block_scalar_ignored_line(start_mark)

    def fetch_flow_collection_start(self, token: Any, to_push: str) -> None:
        if len(self._open) >= DEPTH_LIMIT:
            # Here, and not where a document is composed: a scanner looks ahead, in square time where brackets are open.
            raise ScannerError(None, None, TOO_DEEP, self.reader.get_mark())
        self._open.append((to_push, self.reader.get_mark()))
        super().fetch_flow_collection_start(token, to_push)

    def fetch_flow_collection_end(self, token: Any) -> None:
        if self._open:
            self._open.pop()
        super().fetch_flow_collection_end(token)

    def fetch_stream_end(self) -> None:
        if self._open:
            bracket, mark = self._open[-1]
            what = "sequence" if bracket == "[" else "mapping"
            raise ScannerError(f"in a flow {what}", mark, "expected ',' or its end", self.reader.get_mark())
        super().fetch_stream_end()

    def add_indent(self, column: int) -> bool:
        added = super().add_indent(column)
        tab = self._tab
        if added and tab is not None and tab.line == self.reader.line and tab.column < column:
            raise ScannerError(None, None, "found a tab in the indentation", tab)
        return added

    def fetch_value(self) -> None:
        try:
            super().fetch_value()
        except ScannerError as error:
            # Where lines were taken together for one text, the first of them lacks what makes a key.
            if self._plain is not None and self._plain.end_mark.line == self.reader.line:
                error.context_mark = self._plain.start_mark
            raise

    def _separates(self) -> bool:
        """Return whether the tab here is white space: in a blank line, after the blanks that indent, or in brackets."""
        return (
            bool(self.flow_level) or self.reader.column > self.indent or self.reader.peek(self._white()) in "#" + _BLANK
        )

    def _white(self) -> int:
        length = 0
        while self.reader.peek(length) in " \t":
            length += 1
        return length
