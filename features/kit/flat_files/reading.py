"""Opens a flat file: Parquet with its own types, CSV with every value as its text.

What a CSV column holds is decided later (by a scorer, or by `kinds`), never by the rows that tonight's file happens to have.
Encoding and delimiter are detected here and reported.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from features.kit.errors import BadInput, Fault, UserMistake
from features.kit.flat_files import bounds
from features.kit.flat_files.headers import column_names

PARQUET = (".parquet", ".pq")
TEXTS = (".csv", ".tsv", ".txt")
DELIMITERS = (",", ";", "\t", "|")
LEGACY = "cp1252"
"""The encoding that is assumed when a file is not UTF-8: Windows programs in western Europe and America write it."""
ROWS = 32_768
"""Rows that are read at a time."""
BUFFER_BYTES = 2**18
"""Read-ahead of each Parquet column, so that memory does not depend on the size of the row groups. Arrow's own read-ahead is
off: it keeps every byte that it read, 1 GB for 5 million rows."""
_BLOCK = 2**22
_HEAD = 2**20
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_SHOWN = 5
_MOST_RAGGED = 10_000
"""After this many rows of the wrong length a CSV is read no further: each costs a call, and 5 million of them take minutes."""


@dataclass(frozen=True)
class Dialect:
    """How a file is written."""

    parquet: bool
    encoding: str = "utf-8"
    delimiter: str = ","
    not_utf8: str | None = None
    """Where the first byte is that is not UTF-8; None when all are."""

    def said(self) -> str:
        """One line for people."""
        if self.parquet:
            return "read as Parquet"
        name = {"\t": "tab", ",": "comma", ";": "semicolon", "|": "bar"}.get(self.delimiter, repr(self.delimiter))
        why = f" ({self.not_utf8}; --encoding names another)" if self.not_utf8 else ""
        return f"read as CSV: {name} between columns, encoding {self.encoding}{why}"


@dataclass(frozen=True)
class FlatFile:
    """A file that was read whole."""

    table: pa.Table
    dialect: Dialect


@dataclass(frozen=True)
class OpenFile:
    """A file that is read in parts, each of at most `ROWS` rows."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    dialect: Dialect


def is_parquet(path: Path) -> bool:
    """Parquet by its name, else CSV. Raises `UserMistake` for a name that is neither.

    >>> is_parquet(Path("leads.parquet")), is_parquet(Path("leads.csv.gz"))
    (True, False)
    """
    if path.suffix.lower() in PARQUET:
        return True
    if not {suffix.lower() for suffix in path.suffixes} & set(TEXTS):
        raise UserMistake(
            f"{str(path)!r} is neither .parquet nor .csv (nor .tsv or .txt): save the table as one of these, a spreadsheet as CSV UTF-8"
        )
    return False


def read_file(path: Path, encoding: str | None = None) -> FlatFile:
    """Read the whole file. Raises as `open_file`, and `UserMistake` when it would take more than half of the memory."""
    if path.is_file() and is_parquet(path):
        bounds.refuse_what_is_too_large(path, _metadata(path))
    opened = open_file(path, encoding)
    whole = bounds.within(path, opened.batches, bounds.whole_bytes())
    return FlatFile(pa.Table.from_batches(whole, opened.schema), opened.dialect)


def open_file(path: Path, encoding: str | None = None) -> OpenFile:
    """Open Parquet with its own types, or CSV with a header and every value as text.

    A CSV may be compressed, quoted, and separated by comma, semicolon, tab or bar; a first line `sep=;` is understood. UTF-8,
    UTF-16 and UTF-32 are recognised. Any other file is read as cp1252, and `Dialect.not_utf8` says so; `encoding` overrides that.

    Raises `UserMistake` for a file that is absent, empty or cannot be read, and `BadInput` with every repeated column name.
    Rows with too many or too few values are reported when they are reached. A file that asks for absurdly much memory is refused
    before it is read (`features.kit.flat_files.bounds`).
    """
    if not path.is_file():
        raise UserMistake(f"no file {str(path)!r}: give a .parquet or .csv file with one row per lead or account")
    return _parquet(path) if is_parquet(path) else _csv(path, encoding)


def _parquet(path: Path) -> OpenFile:
    metadata = _metadata(path)
    try:
        buffer = min(BUFFER_BYTES, max(2**12, bounds.BUFFERS_BYTES // max(metadata.num_columns, 1)))
        opened = pyarrow.parquet.ParquetFile(path, metadata=metadata, buffer_size=buffer, pre_buffer=False)
        _check_names(path, opened.schema_arrow.names)
        rows = bounds.batch_rows(path, metadata, ROWS)
        return OpenFile(
            opened.schema_arrow, bounds.within(path, _checked(path, opened.iter_batches(rows))), Dialect(parquet=True)
        )
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None


def _metadata(path: Path) -> pyarrow.parquet.FileMetaData:
    try:
        return bounds.metadata_of(path)
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None


def _checked(path: Path, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    try:
        yield from batches
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "Parquet", error) from None


def _unreadable(path: Path, kind: str, error: BaseException) -> UserMistake:
    first = (str(error).splitlines() or [type(error).__name__])[0]
    return UserMistake(f"{str(path)!r} cannot be read as {kind}: {first}; write it again")


def _csv(path: Path, encoding: str | None) -> OpenFile:
    dialect, names, skip = _examine(path, encoding)
    _check_names(path, names)
    wrong = _Ragged()

    def remember(row: pyarrow.csv.InvalidRow) -> str:
        wrong.add(row.number or 0, row.actual_columns)
        return "skip" if wrong.count < _MOST_RAGGED else "error"

    try:
        reader = pyarrow.csv.open_csv(
            pa.input_stream(path, compression="detect"),
            read_options=pyarrow.csv.ReadOptions(
                use_threads=False, block_size=_BLOCK, skip_rows=skip, encoding=dialect.encoding
            ),
            parse_options=pyarrow.csv.ParseOptions(
                delimiter=dialect.delimiter, newlines_in_values=True, invalid_row_handler=remember
            ),
            convert_options=pyarrow.csv.ConvertOptions(
                column_types=dict.fromkeys(names, pa.string()), strings_can_be_null=False, check_utf8=True
            ),
        )
    except (pa.ArrowException, OSError, UnicodeError) as error:
        if "Empty CSV file" in str(error):  # column names without a line break: a file without rows
            return OpenFile(pa.schema([(name, pa.string()) for name in names]), iter(()), dialect)
        if not wrong.count:
            raise _unreadable_csv(path, error) from None
        raise _ragged(path, names, wrong) from None

    def batches() -> Iterator[pa.RecordBatch]:
        try:
            for batch in reader:
                for start in range(0, len(batch), ROWS):
                    yield batch.slice(start, ROWS)
        except (pa.ArrowException, OSError, UnicodeError) as error:
            if wrong.count < _MOST_RAGGED:
                raise _unreadable_csv(path, error) from None
        if wrong.count:
            raise _ragged(path, names, wrong)

    if reader.schema.names != names:
        raise UserMistake(f"{str(path)!r}: its first line cannot be read as column names; check its quotes")
    return OpenFile(reader.schema, batches(), dialect)


def _unreadable_csv(path: Path, error: BaseException) -> UserMistake:
    # Arrow's message quotes the row, and rows hold personal data: only the first part is shown.
    what = str(error).split("\n")[0]
    if "straddling" in what or "out of sync" in what or "buffer" in what:
        what = f"a value is longer than {_BLOCK // 2**20} MB, or a quote is opened and never closed"
    elif "row #" in what.lower() or "parse error" in what.lower():
        what = what.split(": Row")[0].split(": row")[0].split(" values: ")[0]
    return UserMistake(f"{str(path)!r} cannot be read as CSV: {what}; check its quotes, and save it again")


@dataclass
class _Ragged:
    """Rows whose number of values is not that of the columns: how many there are, and the first of them."""

    count: int = 0
    first: list[tuple[int, int]] = field(default_factory=list)

    def add(self, number: int, values: int) -> None:
        self.count += 1
        if len(self.first) < _SHOWN:
            self.first.append((number, values))


def _ragged(path: Path, names: list[str], wrong: _Ragged) -> BadInput:
    shown = [
        Fault(
            where=f"row {number}" if number else "a row",
            found=f"{count:,} values",
            rule=f"{len(names):,}, one for each column name of the first line",
            next_step="quote values that hold the delimiter or a line break, mend the row, or delete it if it is a total or a footer",
        )
        for number, count in wrong.first
    ]
    stopped = "or more, " if wrong.count >= _MOST_RAGGED else ""
    more = f" ({wrong.count:,} rows, {stopped}the first {_SHOWN} are shown)" if wrong.count > _SHOWN else ""
    return BadInput(f"{path.name}{more}", shown)


def _check_names(path: Path, names: list[str]) -> None:
    # pandas writes its index as a column without a name. One such column is allowed, and is no signal.
    faults = [
        Fault(
            where=f"column {name!r}" if name else "columns without a name",
            found=f"{count} columns have this name" if name else f"{count} of them",
            rule="each name once",
            next_step="rename or leave out all but one",
        )
        for name, count in Counter(names).items()
        if count > 1
    ]
    if faults:
        raise BadInput(path.name, faults)


def _examine(path: Path, encoding: str | None) -> tuple[Dialect, list[str], int]:
    """The dialect of a CSV, its column names, and the lines to skip before them. Reads the whole file once, for the encoding."""
    try:
        if bounds.is_packed(path):
            bounds.refuse_inflated(path)
        found, not_utf8 = (_known(encoding), None) if encoding else _encoding(path)
        with pa.input_stream(path, compression="detect") as stream:
            head = stream.read(_HEAD)
            whole = len(head) < _HEAD
    except (pa.ArrowException, OSError) as error:
        raise _unreadable(path, "a file", error) from None
    try:
        text = codecs.getincrementaldecoder(found)().decode(head, final=whole)
    except UnicodeDecodeError as error:
        raise UserMistake(
            f"{str(path)!r} is not written in {found} (byte 0x{error.object[error.start]:02x} at {error.start:,}): name its encoding with --encoding, or save it as UTF-8"
        ) from None
    if "\0" in text:
        raise UserMistake(f"{str(path)!r} holds NUL characters: it is not a text file; save the table as CSV UTF-8")
    if not text.strip():
        raise UserMistake(f"{str(path)!r} is an empty file: its first line has the column names, the rows follow")
    skip, given = 0, None
    first, _, rest = text.partition("\n")
    if first.strip().lower().startswith("sep=") and len(first.strip()) == len("sep=") + 1:
        skip, given, text = 1, first.strip()[-1], rest
    delimiter = given or _delimiter(text if whole else text.rpartition("\n")[0] or text)
    if not whole and "\n" not in text and "\r" not in text:
        raise bounds.TooMuch(bounds.too_wide(repr(str(path)), f"a first line of more than {_HEAD // 2**20} MB"))
    try:
        names = column_names(repr(str(path)), text if whole else text.rpartition("\n")[0] or text, delimiter)
    except csv.Error as error:
        raise UserMistake(
            f"{str(path)!r}: its first line cannot be read as column names ({error}); check its quotes"
        ) from None
    if len(names) > bounds.COLUMNS:
        raise bounds.TooMuch(bounds.too_wide(repr(str(path)), f"{len(names):,} columns"))
    return Dialect(False, found, delimiter, not_utf8), names, skip


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UserMistake(
            f"--encoding {encoding!r} is not a known encoding: take one such as utf-8, cp1252, utf-16"
        ) from None


def _encoding(path: Path) -> tuple[str, str | None]:
    """The encoding, and where the file stops being UTF-8 (None when it is UTF-8, or a byte order mark names the encoding)."""
    with pa.input_stream(path, compression="detect") as stream:
        block = stream.read(_BLOCK)
        for mark, name in _MARKS:
            if block.startswith(mark):
                return name, None
        decoder, lines = codecs.getincrementaldecoder("utf-8")(), 0
        undefined = False
        not_utf8: str | None = None
        while True:
            last = not block
            if not_utf8 is None:
                try:
                    decoder.decode(block, final=last)
                    lines += block.count(b"\n")
                except UnicodeDecodeError as error:
                    lines += error.object[: error.start].count(b"\n")
                    not_utf8 = f"not UTF-8: byte 0x{error.object[error.start]:02x} in line {lines + 1:,}"
            if not_utf8 is not None:
                undefined = undefined or any(byte in block for byte in (b"\x81", b"\x8d", b"\x8f", b"\x90", b"\x9d"))
            if last:
                break
            block = stream.read(_BLOCK)
    if not_utf8 is None:
        return "utf-8", None
    if undefined:
        raise UserMistake(
            f"{str(path)!r} is {not_utf8}, nor {LEGACY}: name its encoding with --encoding, or save it as UTF-8"
        )
    return LEGACY, not_utf8


def _delimiter(text: str) -> str:
    """The delimiter that gives the first records the same, largest number of columns; a comma when none does."""

    def score(delimiter: str) -> tuple[float, int]:
        records = [
            r
            for r, _ in zip(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter), range(50), strict=False)
            if r
        ]
        widths = Counter(map(len, records))
        width, alike = max(widths.items(), key=lambda item: (item[1], item[0]), default=(1, 0))
        return (alike / max(len(records), 1) if width > 1 else 0.0), width

    try:
        return max(DELIMITERS, key=score)
    except csv.Error:
        return max(DELIMITERS, key=text.partition("\n")[0].count)
