"""What is wrong with a query, in the database's own words where these hold nothing of the data."""

from __future__ import annotations

import re

__all__ = ["name_fault"]

_NAME = r"([^\W\d]\w*(?:\.[^\W\d]\w*)*)"
_TOKEN = rf"(?:{_NAME}|[(),.;=<>*]+)"
# All of these are found while the query is read, before any row is. PostgreSQL's and SQLite's; another database's error, and
# one in another language, is named by its class alone.
_KNOWN = re.compile(
    "|".join(
        (
            rf'(?:relation|schema) "{_NAME}" does not exist',
            rf'column (?:"{_NAME}"|{_NAME}) does not exist',
            rf'column reference "{_NAME}" is ambiguous',
            rf'(?:missing|invalid reference to) FROM-clause entry for table "{_NAME}"',
            rf'column "{_NAME}" must appear in the GROUP BY clause or be used in an aggregate function',
            rf"permission denied for (?:schema|table|view|materialized view|foreign table) {_NAME}",
            rf'syntax error at or near "{_TOKEN}"',
            "syntax error at end of input",
            rf"no such (?:table|column|function): {_NAME}",
            rf"ambiguous column name: {_NAME}",
            rf'near "{_TOKEN}": syntax error',
            "incomplete input",
        )
    )
)
#: Comments, texts, names in quotes, e-mail addresses.
_NOT_CODE = re.compile(r"""--[^\n]*|/\*.*?\*/|'[^']*'|"[^"]*"|`[^`]*`|\[[^]]*\]|[\w.+-]+@[\w.-]+""", re.DOTALL)
#: Where one of these is, a text may end elsewhere than it seems to.
_UNCLEAR = ("\\", "$")
_LEFT_OPEN = ("'", '"', "`", "[", "/*", "*/")


def name_fault(error: Exception, sql: str) -> str | None:
    """The first line of a database's error, or ``None`` where it could hold data.

    A parameter cannot be in it. The text is one of those known, and each name in it is a word of the query's own code, outside
    of quotes and comments. Parameters are not there: ``sql`` has placeholders in their place.

    :param error: the driver's, or SQLAlchemy's around it.
    :param sql: the query without its parameters.
    """
    line = str(getattr(error, "orig", None) or error).partition("\n")[0].strip()
    found = _KNOWN.fullmatch(line)
    if found is None:
        return None
    names = [word for name in found.groups() if name is not None for word in name.casefold().split(".")]
    return line if set(names) <= _words_of_code(sql) else None


def _words_of_code(sql: str) -> set[str]:
    """The query's keywords and names; none where it is not sure what is code and what is text."""
    code = _NOT_CODE.sub(" ", sql)
    if any(mark in sql for mark in _UNCLEAR) or any(mark in code for mark in _LEFT_OPEN):
        return set()
    return set(re.findall(r"\w+", code.casefold()))
