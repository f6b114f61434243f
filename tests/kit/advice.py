"""Follows the next step of a message to the letter: what it says to write is written, and nothing else."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

from features.kit.errors import Fault

_STATEMENT = re.compile(
    r"SELECT \* (?:REPLACE|EXCLUDE|RENAME|FROM) .*?\(THIS SELECT\)\)*(?: WHERE .+?)?(?=$|, which|; | \(its)"
)


def follow(fault: Fault, data: Path) -> None:
    """Mend a source by the step of one fault; raises when the step says nothing that can be done."""
    path, step = Path(re.split(", (?:line|table|column|file) ", fault.where)[0]), fault.next_step
    if found := re.search(r"rename it to ([\w.]+)", step):
        path.rename(path.with_name(found[1]))
        return
    if "save the file as UTF-8" in step:
        held = path.read_bytes()
        path.write_text(held.decode("utf-16" if held[:2] in (b"\xff\xfe", b"\xfe\xff") else "latin-1"))
        return
    if found := re.search(r"iconv -f (\w+) -t UTF-8 (\S+) > (\S+), then mv (\S+) (\S+)", step):
        (data / found[3]).write_bytes(
            subprocess.check_output(["iconv", "-f", found[1], "-t", "UTF-8", found[2]], cwd=data)
        )
        shutil.move(data / found[4], data / found[5])
        return
    if "remove the empty file" in step:
        for file in data.rglob("*.csv"):
            if not file.read_text().strip():
                file.unlink()
        return
    if "give it the line with the names of its columns" in step:
        for file in data.rglob("*.csv"):
            if not file.read_text().strip():
                file.write_text("account_id,remark\n")
        return
    if found := re.search(r"^add (\w+)\.sql with one row", step):
        raise AssertionError(f"{found[1]} needs rows that only a person has")
    text = before = path.read_text()
    if found := re.search(r'write "(\w+)" in double quotes wherever it is a name', step):
        text = re.sub(rf'(?<!["\w]){found[1]}(?!["\w])', f'"{found[1]}"', text)
    if found := re.search(r"write try_strptime in the place of strptime", step):
        text = text.replace("strptime(", "try_strptime(")
    elif found := re.search(r"write (.+?) in the place of (.+?)(?=$|; |: what|, or |, which|, then)", step):
        assert found[2] in text, (found[2], text)
        text = re.sub(rf"(?<![\w.]){re.escape(found[2])}(?!\w)", lambda _: found[1], text)
    if found := re.search(r"write read_(csv|json)\(\.\.\., (.+?)\)(?=$|; |, then|, which)", step):
        if found[2] in text:
            return  # by the step of another fault
        text = re.sub(rf"(read_{found[1]}\([^()]*)\)", lambda call: f"{call[1]}, {found[2]})", text)
    if found := re.search(r"write a comma before (\w+)", step):
        text = re.sub(rf"(?<!,) {found[1]}\b", f", {found[1]}", text)
    if "write ) at the end" in step:
        text = text.rstrip() + ")"
    if found := re.search(r"close it with (['\"])", step):
        text = text.rstrip() + found[1]
    if found := re.search(r"write any_value\((\w+)\)", step):
        text = text.replace(found[1], f"any_value({found[1]}) AS {found[1]}", 1)
    if found := _STATEMENT.search(step):
        text = found[0].replace("THIS SELECT", text)
    assert text != before, f"nothing to follow in: {step}"
    path.write_text(text)
