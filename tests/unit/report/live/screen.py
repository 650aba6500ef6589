"""A small terminal: what is on a screen so many columns wide after what was written to it. Only what rich writes."""

import re

TOKEN = re.compile(r"\x1b\[(\??)([\d;]*)([A-Za-z])|\r|\n|[^\x1b\r\n]")


class Screen:
    """Rows as text; a character beyond the last column goes to the next row, as in a real terminal."""

    def __init__(self, columns):
        self.columns = columns
        self.rows = [""]
        self.row = self.column = 0
        self.wrapped = 0

    def feed(self, text):
        for token in TOKEN.finditer(text):
            if token[3]:
                self._command(token[1], token[2], token[3])
            elif token[0] == "\r":
                self.column = 0
            elif token[0] == "\n":
                self._down()
                self.column = 0
            else:
                self._put(token[0])

    @property
    def shown(self):
        return [row.rstrip() for row in self.rows if row.strip()]

    def _put(self, character):
        if self.column >= self.columns:
            self.wrapped += 1
            self._down()
            self.column = 0
        row = self.rows[self.row].ljust(self.column)
        self.rows[self.row] = row[: self.column] + character + row[self.column + 1 :]
        self.column += 1

    def _down(self):
        self.row += 1
        if self.row == len(self.rows):
            self.rows.append("")

    def _command(self, private, number, name):
        if private or name == "m":
            return
        if name == "A":
            self.row = max(0, self.row - int(number or 1))
        elif name == "K" and number == "2":
            self.rows[self.row] = ""
        else:
            raise AssertionError(f"not known: {number}{name}")
