"""How the times of a column are written, and the SQL that reads them.

A column may mix forms. Its values are grouped by shape (digits as 9), each shape gives a format, and one expression tries them in
turn. Whether 03/04 is a day in April or in March is decided by values that can be only one of them, in this column or in others of
the same files.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

Order = Literal["day first", "month first"]

_TIME = (
    r"(?P<time>(?P<between>[T ]|, | at )9{1,2}:99(?P<seconds>:99(?P<fraction>[.,]9+)?)?(?P<half> ?[AaPp]\.?[Mm]\.?)?)?"
)
_ZONE = r"(?P<zone> ?(?:Z|UTC|GMT|[+-]99:?99|[+-]99))?"
_ISO = re.compile(rf"^9999-99-99{_TIME}{_ZONE}$")
_YEAR_FIRST = re.compile(rf"^9999(?P<mark>[/.-])9{{1,2}}(?P=mark)9{{1,2}}{_TIME}$")
_YEAR_LAST = re.compile(rf"^9{{1,2}}(?P<mark>[/.-])9{{1,2}}(?P=mark)(?P<year>9999|99){_TIME}$")
_NAMED = re.compile(rf"^9{{1,2}}(?P<mark>[ -])a(?P=mark)(?P<year>9999|99){_TIME}$")
_NAMED_FIRST = re.compile(rf"^a 9{{1,2}},? (?P<year>9999){_TIME}$")

SHAPE = "regexp_replace(regexp_replace({}, '[0-9]', '9', 'g'), '[A-Za-zäû]{{3,}}\\.?', 'a', 'g')"
"""SQL of a value's shape: digits are 9, words of three letters and more are `a`."""


@dataclass(frozen=True)
class Shape:
    """One way in which values of a column are written."""

    shape: str
    rows: int
    example: str
    first: int
    """Largest number before the first mark, and after it: 13 and more can be no month."""
    second: int
    longest: int = 0
    """Letters of the longest word: three are a short name of a month."""
    midnight: bool = False
    """Whether some of its values are at midnight: days, written as times."""


@dataclass
class Read:
    """The SQL of a column's times and what was assumed for it."""

    sql: str
    unread: list[Shape] = field(default_factory=list)
    has_days: bool = False
    is_naive: bool = False
    """Times of day without a zone."""
    is_mixed: bool = False
    """Some values can only be day first, others only month first."""


def evidence(shapes: Iterable[Shape]) -> tuple[int, int]:
    """Rows of shapes that can only be day first, and only month first (a lower bound: shapes count, not values)."""
    slashed = [each for each in shapes if _YEAR_LAST.match(each.shape)]
    return sum(s.first > 12 for s in slashed), sum(s.second > 12 for s in slashed)


def is_ambiguous(shapes: Iterable[Shape]) -> bool:
    """Whether a column has days and months as numbers before the year, and none of them tells which is which."""
    slashed = [each for each in shapes if (found := _YEAR_LAST.match(each.shape)) and found["mark"] != "."]
    return bool(slashed) and evidence(slashed) == (0, 0)


def reading(text: str, shapes: Sequence[Shape], order: Order, zone: str, is_end: bool) -> Read:
    """SQL that reads the SQL expression `text`, as a TIMESTAMP in UTC.

    `order` is taken where a column does not tell it; `zone` is that of times without one. With `is_end` a day is read as the first
    moment after it.
    """
    day_first, month_first = evidence(shapes)
    own: Order = order if bool(day_first) == bool(month_first) else "day first" if day_first else "month first"
    read = Read("", is_mixed=bool(day_first and month_first))
    zoned, iso, iso_days = False, False, False
    formats: list[str] = []
    days: list[str] = []
    numbers: list[str] = []
    for each in shapes:
        named = _NAMED.match(each.shape) or _NAMED_FIRST.match(each.shape)
        dated = _YEAR_LAST.match(each.shape) or _YEAR_FIRST.match(each.shape)
        if found := _ISO.match(each.shape):
            zoned = zoned or bool(found["zone"])
            iso, iso_days = iso or bool(found["time"]), iso_days or not found["time"]
            read.is_naive = read.is_naive or bool(found["time"] and not found["zone"])
        elif found := (dated or named):
            for date in _dates(each, own, read.is_mixed):
                (formats if found["time"] else days).append(date + _clock(found))
            read.is_naive = read.is_naive or bool(found["time"])
        elif re.fullmatch(r"9{13}(\.9)?", each.shape):
            numbers.append(
                f"CASE WHEN length({text}) >= 13 THEN epoch_ms(TRY_CAST(TRY_CAST({text} AS DOUBLE) AS BIGINT)) END"
            )
        elif each.shape == "9" * 10:
            numbers.append(f"CASE WHEN length({text}) = 10 THEN epoch_ms(1000 * TRY_CAST({text} AS BIGINT)) END")
        elif each.shape == "9" * 8:
            days.append("%Y%m%d")
        elif re.fullmatch(r"9{5}([.,]9+)?", each.shape):  # days since 1899-12-30, as spreadsheets write them
            numbers.append(f"TIMESTAMP '1899-12-30' + TRY_CAST(replace({text}, ',', '.') AS DOUBLE) * INTERVAL 1 DAY")
        else:
            read.unread.append(each)
    read.has_days = iso_days or bool(days)
    whole = is_end and any(each.midnight for each in shapes)
    read.sql = _sql(
        text, zoned, iso or (iso_days and not is_end), iso_days and is_end, formats, days, numbers, zone, is_end, whole
    )
    return read


def _sql(
    text: str,
    zoned: bool,
    iso: bool,
    iso_ends: bool,
    formats: list[str],
    days: list[str],
    numbers: list[str],
    zone: str,
    is_end: bool,
    whole: bool,
) -> str:
    utc = zone == "UTC"

    def local(naive: str) -> str:
        naive = over(naive) if whole else naive
        return naive if utc else f"(({naive}) AT TIME ZONE '{zone}') AT TIME ZONE 'UTC'"

    parts = []
    if iso_ends or (is_end and days):
        forms = [*(["%Y-%m-%d"] if iso_ends else []), *days]
        days_over = f"try_strptime({text}, {_list(forms)}) + INTERVAL 1 DAY"
        parts.append(days_over if utc else f"(({days_over}) AT TIME ZONE '{zone}') AT TIME ZONE 'UTC'")
    if zoned and utc:
        read = f"TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
        parts.append(over(read) if whole else read)
    elif zoned:
        parts.append(
            f"CASE WHEN regexp_matches({text}, '(Z|UTC|GMT|:[0-9.]+ ?[+-][0-9:]+)$') THEN TRY_CAST({text} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' "
            f"ELSE {local(f'TRY_CAST({text} AS TIMESTAMP)')} END"
        )
    elif iso:
        parts.append(local(f"TRY_CAST({text} AS TIMESTAMP)"))
    others = list(dict.fromkeys([*formats, *([] if is_end else days)]))
    if others:
        parts.append(local(f"try_strptime({text}, {_list(others)})"))
    parts += dict.fromkeys(numbers)
    if not parts:
        parts = [local(f"TRY_CAST({text} AS TIMESTAMP)")]
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def over(moment: str) -> str:
    """SQL of a moment; one at midnight is a day, and becomes the first moment after it.

    >>> over("x")
    "x + CASE WHEN x = date_trunc('day', x) THEN INTERVAL 1 DAY ELSE INTERVAL 0 DAY END"
    """
    return f"{moment} + CASE WHEN {moment} = date_trunc('day', {moment}) THEN INTERVAL 1 DAY ELSE INTERVAL 0 DAY END"


def _list(forms: Sequence[str]) -> str:
    return "[" + ", ".join(f"'{form}'" for form in dict.fromkeys(forms)) + "]"


def _dates(each: Shape, order: Order, mixed: bool) -> list[str]:
    """The strptime formats of a shape's date: two where the column mixes day first and month first."""
    if found := _YEAR_FIRST.match(each.shape):
        return [f"%Y{found['mark']}%m{found['mark']}%d"]
    if found := _YEAR_LAST.match(each.shape):
        year = "%Y" if found["year"] == "9999" else "%y"
        both = [f"{a}{found['mark']}{b}{found['mark']}{year}" for a, b in (("%d", "%m"), ("%m", "%d"))]
        if found["mark"] == "." and not mixed:
            return both[:1]
        ordered = both if order == "day first" else both[::-1]
        return ordered if mixed else ordered[:1]
    month = "%B" if each.longest > 3 else "%b"
    if found := _NAMED.match(each.shape):
        return [f"%d{found['mark']}{month}{found['mark']}{'%Y' if found['year'] == '9999' else '%y'}"]
    comma = "," if "," in each.shape else ""
    return [f"{form} %d{comma} %Y" for form in dict.fromkeys((month, "%b", "%B"))]


def _clock(found: re.Match[str]) -> str:
    if not found["time"]:
        return ""
    between = found["between"]
    seconds = ":%S" if found["seconds"] else ""
    fraction = f"{found['fraction'][0]}%f" if found["fraction"] else ""
    if found["half"]:
        space = " " if found["half"].startswith(" ") else ""
        return f"{between}%I:%M{seconds}{fraction}{space}%p"
    return f"{between}%H:%M{seconds}{fraction}"
