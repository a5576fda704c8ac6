"""Why an uploaded file is refused, for people. `recipes/datasets/reading.py` names the reason; it knows no Django."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, gettext_noop

REASONS = {
    "cell_long": gettext_noop(
        "A cell that begins on line %(line)s is longer than %(most)s characters: is a quotation mark not closed?"
    ),
    "quotes": gettext_noop("The quotation marks of the row that begins on line %(line)s do not match."),
    "row_short": gettext_noop("Line %(line)s has %(found)s columns instead of %(wanted)s: %(name)s is missing."),
    "row_long": gettext_noop(
        "Line %(line)s has %(found)s columns instead of %(wanted)s: column %(column)s is too many. Put text that contains the delimiter in quotation marks."
    ),
    "encoding": gettext_noop("Line %(line)s, byte %(column)s is not UTF-8: save the file with the encoding UTF-8."),
    "zero_byte": gettext_noop("Line %(line)s has a zero byte: this is no text file."),
    "one_column": gettext_noop(
        "Line 1 has one column only: separate columns by commas, semicolons, tabs or vertical bars."
    ),
    "name_missing": gettext_noop("Line %(line)s, column %(column)s: the column has no name."),
    "name_odd": gettext_noop(
        "Line %(line)s, column %(column)s: a name has at most %(most)s characters, all of them printable."
    ),
    "name_twice": gettext_noop("Line %(line)s, column %(column)s: the name %(name)s is there twice."),
    "no_header": gettext_noop("Line %(line)s has numbers only: put the columns' names above the data."),
    "columns": gettext_noop("The table has more than %(most)s columns."),
    "rows": gettext_noop("The table has more than %(most)s rows."),
    "cells": gettext_noop("The table has more than %(most)s cells."),
    "no_json": gettext_noop("Line %(line)s, column %(column)s: this is no JSON."),
    "no_object": gettext_noop("Line %(line)s: write one JSON object a line, from column names to values."),
    "nested": gettext_noop(
        "Line %(line)s: the value of %(name)s is nested; a cell is a text, a number, true, false or null."
    ),
    "text_long": gettext_noop("Line %(line)s: the text of %(name)s is longer than %(most)s characters."),
    "type": gettext_noop("The column %(name)s has the type %(kind)s; a cell is a text, a number, a date or a boolean."),
    "unpacked": gettext_noop("Unpacked, this file has more than %(most)s MB."),
    "row_text_long": gettext_noop("Row %(line)s: the text of %(name)s is longer than %(most)s characters."),
    "no_parquet": gettext_noop("This is no Parquet file that can be read."),
    "few_rows": gettext_noop("The table has %(found)s rows; training needs %(least)s at least."),
    "no_zip": gettext_noop("This is no ZIP archive that can be read."),
    "member": gettext_noop("The archive has a member that is not taken: %(name)s %(why)s."),
    "files": gettext_noop("The archive has more than %(most)s files."),
    "classes": gettext_noop("The pictures are of more than %(most)s classes."),
    "few_pictures": gettext_noop(
        "The archive has %(found)s pictures of a class; training needs %(least)s at least. Put each class into a folder of its own, or add a labels.csv with the columns file and label. %(left_out)s files were left out, such as %(name)s."
    ),
    "broken": gettext_noop("This file could not be examined: reading it took too much memory or time."),
}

# Why a file of an album was left out: a name in recipes/datasets/album.py.
LEFT_OUT = {
    "other": gettext_lazy("no picture by the ending of its name"),
    "broken": gettext_lazy("broken: it cannot be read to its end"),
    "large": gettext_lazy("too large: more than 8 MB or 16 million pixels"),
    "nameless": gettext_lazy("of no class: in no folder, or not in labels.csv"),
}


def sentence(reason: str, values: Mapping[str, object]) -> str:
    """The reason in the reader's language."""
    return _(REASONS[reason]) % values
