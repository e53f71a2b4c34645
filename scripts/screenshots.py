"""Pictures of the page, of a person who does not exist, so that they show what the page looks like now."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from bed.browser import Looking, opened_browser
from bed.made_up import ADA, fill
from bed.served import ServedPage

from litellm_memory.models import Caller

TO = Path(__file__).parent.parent / "docs" / "pictures"
LARGEST = 150_000
"""Bytes of a picture: they are read in a README."""
WIDE = {"width": 1000, "height": 680}


async def authenticate(headers: Mapping[str, str]) -> Caller:
    return ADA


def main() -> None:
    TO.mkdir(exist_ok=True)
    with TemporaryDirectory() as directory, ServedPage(Path(directory), authenticate) as served:
        served.run(fill(served.engine))
        with opened_browser() as browser:
            look = Looking(browser, served.url, viewport=WIDE, color_scheme="light")
            look.sign_in("sk-made-up")
            memories(look)
            look.go("review")
            taken(look, "review")
            trace(look)
            look.close()
            narrow = Looking(browser, served.url, viewport={"width": 360, "height": 640}, color_scheme="dark")
            narrow.sign_in("sk-made-up")
            taken(narrow, "narrow")
            narrow.close()


def memories(look: Looking) -> None:
    look.search("when do we release the shop")
    taken(look, "memories")


def trace(look: Looking) -> None:
    look.go("traces")
    look.page.get_by_role("row").filter(has_text="claude-code").get_by_role("link").last.click()
    look.page.get_by_role("heading", name="What was looked at").wait_for()
    taken(look, "trace")


def taken(look: Looking, name: str) -> None:
    """Writes a picture of what the window shows."""
    path = TO / f"{name}.png"
    look.page.screenshot(path=path, animations="disabled")
    size = path.stat().st_size
    print(f"{path.name}: {size / 1000:.0f} kB", file=sys.stderr)
    assert size <= LARGEST, f"{path.name} is too large"


if __name__ == "__main__":
    main()
