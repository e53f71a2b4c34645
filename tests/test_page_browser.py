"""The page in a real browser: each view by mouse and by keyboard, light and dark, small and wide, for everybody."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from bed.browser import AXE, Looking, opened_browser
from bed.made_up import ADA, fill
from bed.served import ServedPage
from playwright.sync_api import Browser, expect

from litellm_memory.errors import UnauthorizedError
from litellm_memory.extract.commands import ASKS_TO_FORGET
from litellm_memory.models import Caller
from litellm_memory.settings import LadderSettings, LayersSettings, PoliciesSettings

CALLERS = {
    "sk-ada": ADA,
    "sk-operator": Caller(master=True),
    "sk-member": replace(ADA, team="t-1", team_alias="Engines"),
}
VIEWS = {
    "memories": "Memories",
    "review": "Review",
    "traces": "Traces",
    "try": "Try it",
    "usage": "Usage",
    "health": "Health",
    "clients": "Who am I",
    "import": "Import",
}
SHA256 = "29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c"


async def authenticate(headers: Mapping[str, str]) -> Caller:
    key = headers.get("authorization", "").removeprefix("Bearer ")
    if key not in CALLERS:
        raise UnauthorizedError("LiteLLM does not accept this key.")
    return CALLERS[key]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with opened_browser() as browser:
        yield browser


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedPage]:
    with ServedPage(tmp_path_factory.mktemp("data"), authenticate) as served:
        served.run(fill(served.engine))
        yield served


def looking(browser: Browser, served: ServedPage, **context: Any) -> Iterator[Looking]:
    """Somebody who looks, signed in."""
    look = Looking(browser, served.url, **context)
    look.sign_in("sk-ada")
    yield look
    look.close()


@pytest.fixture(scope="module", params=["light", "dark"])
def viewer(browser: Browser, served: ServedPage, request: pytest.FixtureRequest) -> Iterator[Looking]:
    yield from looking(browser, served, color_scheme=request.param, reduced_motion="reduce")


@pytest.fixture(scope="module")
def somebody(browser: Browser, served: ServedPage) -> Iterator[Looking]:
    yield from looking(browser, served)


@pytest.fixture
def hand(somebody: Looking) -> Iterator[Looking]:
    # What an earlier test was told is not taken for an answer.
    somebody.page.evaluate("() => document.getElementById('notice').replaceChildren()")
    yield somebody
    # Nothing that this test asked for is answered in the next one.
    somebody.settled()
    assert (somebody.wrong, somebody.hosts) == ([], {somebody.url})


def test_axe_is_the_file_that_its_makers_released() -> None:
    assert sha256(AXE.read_bytes()).hexdigest() == SHA256


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_has_no_barrier_and_fits_every_width(viewer: Looking, view: str) -> None:
    viewer.page.set_viewport_size({"width": 1280, "height": 900})
    viewer.go(view)
    expect(viewer.page.get_by_role("heading", level=1)).to_have_text(VIEWS[view])
    assert viewer.violations() == []
    wide = {}
    for width in (360, 2560):
        viewer.page.set_viewport_size({"width": width, "height": 900})
        wide[width] = viewer.overflow()
    assert wide == {360: 0, 2560: 0}
    assert (viewer.wrong, viewer.hosts) == ([], {viewer.url})


# --- by mouse ---


def test_the_mouse_reaches_every_view(hand: Looking) -> None:
    for title in VIEWS.values():
        hand.page.get_by_role("navigation").get_by_role("link", name=title, exact=True).click()
        expect(hand.page.get_by_role("heading", level=1)).to_have_text(title)


def test_a_memory_is_found_as_one_types_corrected_pinned_and_brought_back(hand: Looking) -> None:
    page = hand.page
    hand.go("memories")
    page.get_by_label("Search, ranked as for a request").press_sequentially("peanuts")
    hand.settled()
    card = page.get_by_role("listitem").first
    expect(card).to_contain_text("I am allergic to peanuts.")
    card.get_by_role("link", name="About it").click()
    page.get_by_role("button", name="Correct").click()
    expect(page.get_by_label("Text", exact=True)).to_be_focused()
    page.get_by_label("Text", exact=True).fill("I am allergic to peanuts and cashews.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said").first).to_have_text("I am allergic to peanuts and cashews.")
    page.get_by_role("button", name="Pin", exact=True).click()
    expect(page.get_by_role("button", name="Unpin")).to_be_visible()
    page.get_by_role("button", name="Forget").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Memories")
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_text("They are back.").first).to_be_visible()
    expect(page.get_by_role("listitem").filter(has_text="I am allergic to peanuts and cashews.")).to_be_visible()
    hand.search("")


def test_a_search_that_the_memories_are_still_read_for_goes_on_by_itself(hand: Looking) -> None:
    page = hand.page
    hand.go("memories")
    away = {"error": {"code": "unavailable", "message": "The store of memories is not open yet."}}
    page.route("**/api/v1/browse*", lambda route: route.fulfill(status=503, json=away), times=2)
    page.get_by_label("Search, ranked as for a request").fill("metric")
    expect(page.get_by_text("The memories are still being read")).to_be_visible()
    expect(page.get_by_role("listitem").first).to_contain_text("I prefer answers in metric units.")
    hand.settled()
    hand.search("")
    hand.wrong = [said for said in hand.wrong if "503" not in said]


def test_many_are_tagged_and_forgotten_at_once(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    served.add("The printer is on the second floor.", "The printer needs A3 paper.")
    hand.go("memories")
    hand.search("printer")
    printers = page.get_by_role("listitem").filter(has_text="The printer")
    expect(printers).to_have_count(2)
    for box in printers.get_by_role("checkbox").all():
        box.check()
    bar = page.get_by_role("toolbar", name="What to do with the chosen ones")
    bar.get_by_label("Tag to put on or take off").fill("office")
    bar.get_by_role("button", name="Tag", exact=True).click()
    expect(printers.locator(".tag", has_text="office")).to_have_count(2)
    for box in printers.get_by_role("checkbox").all():
        box.check()
    bar.get_by_role("button", name="Forget").click()
    expect(page.get_by_text("Forgotten: 2 memories.")).to_be_visible()
    assert served.texts("The printer") == []
    expect(printers).to_have_count(0)
    page.get_by_role("button", name="Undo").first.click()
    expect(printers).to_have_count(2)
    hand.search("")


def test_a_trace_says_why_and_a_dry_run_shows_the_block(hand: Looking) -> None:
    page = hand.page
    hand.go("traces")
    page.get_by_role("row").filter(has_text="recalled").get_by_role("link").first.click()
    expect(page.get_by_role("heading", name="What was looked at")).to_be_visible()
    expect(page.get_by_label("Stages")).to_contain_text("recall")
    expect(page.get_by_label("Block", exact=True)).to_contain_text("Commit messages say why, in one line.")
    assert hand.violations() == []
    hand.go("try")
    page.get_by_label("What the person says").fill("What is the staging database called?")
    page.get_by_label("User (x-memory-user-id)").fill("ada")
    page.get_by_role("button", name="Try it").click()
    expect(page.locator("pre")).to_contain_text("heron-42")


def test_a_trace_shows_the_blocks_of_its_prompt_without_what_was_forgotten(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    said = ["Where is the spare key kept?", "Under the mat.", "Which door does the spare key open?"]
    kept = served.add_as_it_is("The spare key is kept under the blue mat.")
    served.ask("key-0", *said[:1])
    served.add("The spare key opens the cellar door.")
    served.ask("key-1", *said)
    served.forget(kept)
    try:
        page.set_viewport_size({"width": 360, "height": 800})
        hand.go("traces/key-1")
        expect(page.get_by_label("Block", exact=True).first).to_contain_text("The spare key opens the cellar door.")
        hand.tab_to("Blocks of earlier messages: 1")
        page.keyboard.press("Enter")
        expect(page.get_by_text("One memory of it is not shown: forgotten since, or shared no more.")).to_be_visible()
        expect(page.locator("main")).not_to_contain_text("blue mat")
        assert (hand.violations(), hand.overflow()) == ([], 0)
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})


def test_a_trace_says_what_stood_in_the_block_before_a_correction(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    kept = served.add_as_it_is("The bicycle lock opens with 4711.")
    served.ask("lock-0", "Which number opens the bicycle lock?")
    hand.go(f"memories/{kept}")
    page.get_by_label("Text", exact=True).fill("The bicycle lock opens with 1147.")
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".said").first).to_have_text("The bicycle lock opens with 1147.")
    hand.go("traces/lock-0")
    card = page.get_by_role("listitem").filter(has_text="It was corrected since, and says today:")
    expect(card.locator(".said")).to_have_text(
        ["- The bicycle lock opens with 4711.", "The bicycle lock opens with 1147."]
    )
    expect(card.get_by_role("link", name="About it")).to_have_attribute("href", f"#/memories/{kept}")
    assert hand.violations() == []
    served.forget(kept)
    hand.go("traces/lock-0")
    expect(page.locator("main")).not_to_contain_text("4711")


def test_a_wish_to_forget_shows_what_would_go_and_undo_brings_it_back(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    told = ["The lamp in the hall is broken.", "The lamp in the hall is green."]
    named = ", ".join(served.add_as_it_is(text) for text in told)
    wish = served.add_as_it_is("Forget the lamp.", review=f"{ASKS_TO_FORGET}{named}")
    try:
        hand.go("review")
        card = page.get_by_role("listitem").filter(has_text="Forget the lamp.").first
        expect(card.get_by_role("list", name="What would be forgotten").locator(".said")).to_have_text(told)
        assert named[:40] not in card.inner_text()
        expect(card.get_by_role("button", name="Edit")).to_have_count(0)
        hand.go(f"memories/{wish}")
        expect(page.locator("main")).to_contain_text("because it asks to forget 2 memories. Review")
        hand.go("review")
        assert hand.violations() == []
        card.get_by_role("button", name="Accept").click()
        expect(page.get_by_text("Accepted: 2 memories are forgotten.")).to_be_visible()
        assert served.texts("The lamp") == []
        page.get_by_role("button", name="Undo").first.click()
        expect(page.get_by_text("Undone: it waits again.")).to_be_visible()
        assert served.texts("The lamp") == told
        expect(card).to_be_visible()
        card.get_by_role("checkbox").check()
        page.get_by_role("button", name="Accept chosen").click()
        expect(page.get_by_text("Accepted: 1.")).to_be_visible()
        expect(card).to_have_count(0)
        assert served.texts("The lamp") == []
        page.get_by_role("button", name="Undo all").first.click()
        expect(card).to_be_visible()
        assert served.texts("The lamp") == told
    finally:
        served.forget(wish)


def test_memory_is_paused_and_resumed_where_the_memories_are(hand: Looking) -> None:
    page = hand.page
    hand.go("memories")
    for press, then in (
        ("Pause memory", "recall is off: you paused it; learning is off: you paused it"),
        ("Resume", "recall is on; learning is on"),
    ):
        page.get_by_role("button", name=press, exact=True).click()
        expect(page.get_by_text(f"For you: {then}.")).to_be_visible()
    hand.tab_to("More")


@pytest.mark.parametrize("width", [360, 1280])
def test_what_was_just_done_covers_nothing_and_the_bar_stays_in_sight(
    hand: Looking, served: ServedPage, width: int
) -> None:
    page = hand.page
    served.add(*(f"Shelf {number} holds jars of jam from that many years." for number in range(30)))
    try:
        page.set_viewport_size({"width": width, "height": 800})
        hand.go("memories")
        page.get_by_role("listitem").filter(has_text="Shelf 29").get_by_role("checkbox").check()
        last = page.get_by_role("listitem").filter(has_text="Shelf 0 holds")
        last.scroll_into_view_if_needed()
        expect(page.get_by_role("toolbar", name="What to do with the chosen ones")).to_be_in_viewport()
        last.get_by_role("button", name="Pin").click()
        last.get_by_role("button", name="Forget").click()
        told = page.get_by_text("Forgotten: one memory.").first
        expect(told).to_be_in_viewport()
        hand.settled()
        page.locator("#all").evaluate("one => one.scrollTo(0, one.scrollHeight)")
        shown, below = page.locator("#all").bounding_box(), page.locator("#notice").bounding_box()
        assert shown is not None
        assert below is not None
        assert shown["y"] + shown["height"] <= below["y"] + 1
        assert (hand.overflow(), hand.violations()) == (0, [])
    finally:
        page.set_viewport_size({"width": 1280, "height": 900})
        served.run(forgotten(served, "Shelf "))


async def forgotten(served: ServedPage, begin: str) -> None:
    held = await served.engine.memories.all(served.partition, None)
    await served.engine.memories.forget_all([memory for memory in held if memory.text.startswith(begin)])


def test_usage_is_grouped_anew(hand: Looking) -> None:
    hand.go("usage")
    hand.page.get_by_label("By").select_option("client")
    expect(hand.page.get_by_label("Calls").get_by_role("row").nth(1)).to_contain_text("open-webui")
    expect(hand.page.get_by_label("Memory's own time").get_by_role("row")).not_to_have_count(0)


def test_what_the_audit_finds_is_mended_and_undone(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    served.add("<system-reminder>Be quick.</system-reminder>")
    hand.go("health")
    page.get_by_text("No person wrote it: 1").click()
    page.get_by_role("button", name="Forget them: No person wrote it").click()
    expect(page.get_by_text("Forgotten: 1.")).to_be_visible()
    assert served.texts("<system-reminder>") == []
    page.get_by_role("button", name="Undo").first.click()
    expect(page.get_by_text("They are back.")).to_be_visible()
    assert served.texts("<system-reminder>") == ["<system-reminder>Be quick.</system-reminder>"]


def test_a_header_is_tried(hand: Looking) -> None:
    hand.go("clients")
    hand.page.get_by_label("Its value").fill("claude-cli/2.0 (external, cli)")
    hand.page.get_by_role("button", name="Who is it?").click()
    expect(hand.page.get_by_role("status").locator("dd").first).to_have_text("claude-code")


def test_a_person_agrees_and_pauses_and_sees_which_policy_says_so(hand: Looking, served: ServedPage) -> None:
    before = served.engine.settings
    asking = PoliciesSettings(recall=LadderSettings(everybody="opt_in"))
    served.engine.settings = before.model_copy(update={"policies": asking})
    try:
        hand.go("clients")
        told = hand.page.get_by_role("region", name="What memory may do for you").locator("tbody tr").first
        expect(told).to_contain_text("off: a policy says so")
        expect(told).to_contain_text("opt_in, by everybody")
        for press, then in (
            ("Agree to recall", "on"),
            ("Pause recall", "off: you paused it"),
            ("Resume recall", "on"),
            ("No longer agree to recall", "off: a policy says so"),
        ):
            told.get_by_role("button", name=press, exact=True).click()
            expect(told.locator("td").nth(1)).to_have_text(then)
    finally:
        served.engine.settings = before


def test_a_memory_is_shared_with_the_team_and_taken_back_one_or_many(browser: Browser, served: ServedPage) -> None:
    before = served.engine.settings
    served.engine.settings = before.model_copy(update={"layers": LayersSettings(teams=["t-1"])})
    look = Looking(browser, served.url)
    try:
        look.sign_in("sk-member")
        page = look.page
        page.get_by_role("link", name=re.compile("^About it")).first.click()
        place = page.get_by_role("group", name="Shared with your team")
        place.get_by_role("button", name="Share with Engines").click()
        expect(place).to_contain_text("Proposed to Engines: a curator decides.")
        place.get_by_role("button", name="Withdraw").click()
        expect(place.get_by_role("button", name="Share with Engines")).to_be_visible()
        look.go("memories")
        for number in range(2):
            page.get_by_role("checkbox", name=re.compile("^Choose: ")).nth(number).check()
        page.get_by_role("button", name="Share", exact=True).click()
        told = page.locator("#notice")
        expect(told).to_contain_text("Proposed: 2.")
        told.get_by_role("button", name="Withdraw").click()
        expect(told).to_contain_text("Withdrawn.")
        look.settled()
        assert look.wrong == []
    finally:
        look.close()
        served.engine.settings = before


CHAT = [
    {
        "title": "Gardens",
        "conversation_id": f"c{number}",
        "current_node": "b",
        "mapping": {
            "a": {"message": {"id": f"m{number}", "author": {"role": "user"}, **said}, "parent": None},
            "b": {
                "message": {
                    "id": f"n{number}",
                    "author": {"role": "assistant"},
                    "content": {"content_type": "text", "parts": ["Fine."]},
                    "create_time": 1700000001,
                },
                "parent": "a",
            },
        },
    }
    for number, said in enumerate(
        {
            "content": {
                "content_type": "text",
                "parts": [f"My garden has {n} pear trees and the key AKIAQ3EGRL5XJ7PWN2TB."],
            },
            "create_time": 1700000000,
        }
        for n in range(1, 4)
    )
]


def test_a_file_is_dropped_looked_at_and_then_kept(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    hand.go("import")
    page.evaluate(
        """text => {
          const data = new DataTransfer();
          data.items.add(new File([text], 'conversations.json'));
          document.querySelector('.drop').dispatchEvent(new DragEvent('drop', {dataTransfer: data, bubbles: true}));
        }""",
        json.dumps(CHAT),
    )
    expect(
        page.get_by_text("conversations.json, read as chatgpt: 3 new, 0 here already, 0 unreadable.")
    ).to_be_visible()
    expect(page.get_by_text("This file holds 3 messages as they were said, each with its answer.")).to_be_visible()
    expect(page.get_by_text("A message is found by what is in it; no facts are drawn from it.")).to_be_visible()
    expect(page.locator("main")).to_contain_text("[REDACTED:")
    expect(page.locator("main")).not_to_contain_text("AKIAQ3EGRL5XJ7PWN2TB")
    assert served.texts("My garden") == []
    assert hand.violations() == []
    page.get_by_role("button", name="Keep 3").click()
    expect(page.get_by_text("3 kept, 0 were here already, 0 refused.")).to_be_visible()
    assert len(served.texts("My garden")) == 3


PAST = Path(__file__).parent / "data" / "past"


def chats(tmp_path: Path, *people: str) -> Path:
    """An export of Open WebUI with a chat of each of these people."""
    file = tmp_path / "chats.json"
    told = [
        {
            "id": f"c-{person}",
            "user_id": person,
            "created_at": 1740823200,
            "chat": {
                "messages": [
                    {"role": "user", "content": f"The boat of {person} is called Heron.", "timestamp": 1740823200}
                ]
            },
        }
        for person in people
    ]
    file.write_text(json.dumps(told), encoding="utf-8")
    return file


def test_transcripts_and_lists_are_kept_together_and_an_odd_file_says_why_it_is_not(
    hand: Looking, served: ServedPage, tmp_path: Path
) -> None:
    page = hand.page
    (tmp_path / "hobbies.md").write_text("- I own a kayak.\n", encoding="utf-8")
    (tmp_path / "broken.json").write_text("{", encoding="utf-8")
    files = [PAST / "claude-code.jsonl", PAST / "codex.jsonl", tmp_path / "hobbies.md", tmp_path / "broken.json"]
    for taken, known in ((3, 0), (0, 3)):
        hand.go("import")
        page.get_by_label("File").set_input_files(files)
        read = f"claude-code.jsonl, read as claude-code: {taken} messages to learn from, {known} known already"
        expect(page.get_by_text(read)).to_be_visible()
        expect(page.get_by_role("alert")).to_have_text("broken.json is not valid JSON in line 1, column 2.")
        if taken:
            expect(page.get_by_text("hobbies.md, read as markdown: 1 new")).to_be_visible()
            expect(page.get_by_role("listitem").filter(has_text="heron-42").first).to_be_visible()
            page.set_viewport_size({"width": 360, "height": 800})
            assert (hand.violations(), hand.overflow()) == ([], 0)
            page.get_by_label("File").set_input_files(files)
            expect(page.get_by_role("heading", name="What would be kept")).to_be_in_viewport()
            page.set_viewport_size({"width": 1280, "height": 900})
            page.get_by_role("button", name=re.compile("^Keep 1 and learn from 4 messages$")).click()
            expect(
                page.get_by_text("claude-code.jsonl: 3 messages being learned from, 0 known already.")
            ).to_be_visible()
            expect(page.get_by_text("hobbies.md: 1 kept")).to_be_visible()
    assert served.texts("I own a kayak.") == ["I own a kayak."]
    # Refusing the broken file is what Chromium tells as an error of its own.
    hand.wrong = [said for said in hand.wrong if "422" not in said]


def test_a_folder_of_transcripts_is_read_whole(hand: Looking, tmp_path: Path) -> None:
    page = hand.page
    folder = tmp_path / "sessions"
    folder.mkdir()
    for name in ("gemini-cli.jsonl", "opencode.json"):
        (folder / name).write_bytes((PAST / name).read_bytes())
    (folder / "picture.png").write_bytes(b"\x89PNG")
    hand.go("import")
    page.get_by_label("Folder").set_input_files(folder)
    expect(page.get_by_text("sessions/gemini-cli.jsonl, read as gemini-cli: 1 message to learn from")).to_be_visible()
    expect(page.get_by_text("sessions/opencode.json, read as opencode: 1 message to learn from")).to_be_visible()
    expect(page.get_by_text("picture.png")).to_have_count(0)


def test_a_person_takes_the_own_chats_alone_out_of_an_export_of_several(
    hand: Looking, served: ServedPage, tmp_path: Path
) -> None:
    page = hand.page
    hand.go("import")
    page.get_by_label("File").set_input_files(chats(tmp_path, "u-ada", "u-eve"))
    expect(page.get_by_role("heading", name="Whose are they?")).to_be_visible()
    assert hand.violations() == []
    hand.tab_to("The chats of u-ada", "input")
    page.keyboard.press("Space")
    hand.tab_to("The user that u-ada becomes", "input")
    page.keyboard.press("Control+A")
    page.keyboard.type("ada")
    hand.tab_to("Look at what would be kept", "button")
    page.keyboard.press("Enter")
    told = "read as open-webui: 1 message to learn from, 0 known already, 0 left out, 1 chat of others left out."
    expect(page.get_by_text(told)).to_be_visible()
    whom = page.get_by_label("For whom").get_by_role("row")
    expect(whom).to_have_text(["usermessages", "ada1"])
    expect(page.get_by_role("listitem").filter(has_text="u-eve")).to_have_count(0)


def test_an_operator_says_whose_the_chats_of_many_are_and_where_spend_rows_go(
    browser: Browser, served: ServedPage, tmp_path: Path
) -> None:
    look = Looking(browser, served.url)
    look.sign_in("sk-operator")
    page = look.page
    rows = [
        {
            "request_id": f"r-{user}",
            "api_key": "hash",
            "user": user,
            "spend": 0.1,
            "startTime": "2026-05-01T10:00:00Z",
            "messages": [{"role": "user", "content": f"The garden of {user} has a pond."}],
        }
        for user in ("ada", "eve")
    ]
    spent = tmp_path / "spend.json"
    spent.write_text(json.dumps(rows), encoding="utf-8")
    look.go("import")
    page.get_by_label("File").set_input_files([chats(tmp_path, "u-1", "u-2"), spent])
    page.get_by_label("The user that u-1 becomes").fill("uma")
    page.get_by_label("The chats of u-2").uncheck()
    assert (look.violations(), look.overflow()) == ([], 0)
    page.get_by_role("button", name="Look at what would be kept").click()
    expect(page.get_by_text("spend.json, read as spend-logs: 2 messages to learn from")).to_be_visible()
    expect(page.get_by_label("For whom").get_by_role("row")).to_have_count(4)
    page.get_by_label("File").set_input_files(spent)
    page.get_by_label("Rows of the spend logs").select_option("1")
    page.get_by_role("button", name="Look at what would be kept").click()
    expect(page.get_by_text("Left out: 2 messages")).to_be_visible()
    page.get_by_text("Left out: 2 messages").click()
    expect(page.get_by_text("2 of another key, whose own they are")).to_be_visible()
    expect(page.get_by_role("button", name="Keep 0")).to_be_disabled()
    assert (look.wrong, look.hosts) == ([], {served.url})
    look.close()


# --- by keyboard alone ---


def test_the_keyboard_signs_in_and_out_and_reaches_every_view(browser: Browser, served: ServedPage) -> None:
    look = Looking(browser, served.url)
    look.page.goto(served.url)
    look.page.get_by_label("LiteLLM key").wait_for()
    look.page.keyboard.type("sk-ada")
    look.page.keyboard.press("Enter")
    look.signed_in()
    for title in VIEWS.values():
        look.tab_to(title, "a", back=True)
        look.page.keyboard.press("Enter")
        expect(look.page.get_by_role("heading", level=1)).to_have_text(title)
        look.settled()
    look.tab_to("Sign out", back=True)
    look.page.keyboard.press("Enter")
    expect(look.page.get_by_label("LiteLLM key")).to_be_focused()
    assert look.violations() == []
    look.close()
    assert (look.wrong, look.hosts) == ([], {served.url})


def test_the_keyboard_finds_corrects_and_forgets(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    served.add("The kettle is broken.")
    hand.go("memories")
    hand.tab_to("Search, ranked")
    page.keyboard.type("kettle")
    hand.settled()
    expect(page.get_by_role("listitem").first).to_contain_text("The kettle is broken.")
    hand.tab_to("About it: The kettle")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("One memory")
    hand.settled()
    hand.tab_to("Text", "textarea")
    page.keyboard.press("Control+A")
    page.keyboard.type("The kettle is mended.")
    hand.tab_to("Save")
    page.keyboard.press("Enter")
    expect(page.locator(".said").first).to_have_text("The kettle is mended.")
    hand.tab_to("Forget")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Memories")
    expect(page.get_by_text("Forgotten: one memory.").first).to_be_visible()
    hand.settled()
    hand.tab_to("Undo")
    page.keyboard.press("Enter")
    expect(page.get_by_text("They are back.").first).to_be_visible()
    assert served.texts("The kettle") == ["The kettle is mended."]
    hand.search("")


def test_the_keyboard_works_through_the_review(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    hand.go("review")
    cards = page.get_by_role("list", name="What waits").get_by_role("listitem")
    texts = cards.locator(".said").all_inner_texts()
    for key, left in (("a", 9), ("s", 9), ("r", 8), ("u", 9)):
        page.keyboard.press(key)
        expect(cards).to_have_count(left)
    page.keyboard.press("e")
    page.keyboard.press("Control+A")
    page.keyboard.type("I write short commits.")
    hand.tab_to("Accept as edited")
    page.keyboard.press("Enter")
    expect(cards).to_have_count(8)
    assert served.texts("I write short commits.") == ["I write short commits."]
    assert served.texts(texts[0]) == [texts[0]]


@pytest.mark.parametrize(
    ("view", "before", "types", "then", "told"),
    [
        ("try", "What the person says", "What is the staging database called?", "Try it", "It would get"),
        ("clients", "Its value", "codex_cli_rs/0.20", "Who is it?", "codex"),
    ],
    ids=["try", "clients"],
)
def test_the_keyboard_fills_in_a_form(hand: Looking, view: str, before: str, types: str, then: str, told: str) -> None:
    hand.go(view)
    hand.tab_to(before)
    hand.page.keyboard.type(types)
    hand.tab_to(then, "button")
    hand.page.keyboard.press("Enter")
    expect(hand.page.locator("main [role=status]")).to_contain_text(told)


def test_the_keyboard_imports_a_file(hand: Looking, served: ServedPage, tmp_path: Path) -> None:
    page = hand.page
    file = tmp_path / "list.md"
    file.write_text("# About me\n\n- I own a canoe.\n", encoding="utf-8")
    hand.go("import")
    hand.tab_to("File", "input")
    with page.expect_file_chooser() as chosen:
        page.keyboard.press("Enter")
    chosen.value.set_files(file)
    expect(page.get_by_text("read as markdown: 1 new")).to_be_visible()
    hand.tab_to("Keep 1")
    page.keyboard.press("Enter")
    expect(page.get_by_text("1 kept")).to_be_visible()
    assert served.texts("I own a canoe.") == ["I own a canoe."]


def test_the_keyboard_opens_a_trace_groups_usage_and_mends_what_is_wrong(hand: Looking, served: ServedPage) -> None:
    page = hand.page
    hand.go("traces")
    hand.tab_to("Why, for the request")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="What was looked at")).to_be_visible()
    hand.go("usage")
    hand.tab_to("By", "select")
    page.keyboard.type("model")
    expect(page.get_by_label("Calls").get_by_role("row").nth(1)).to_contain_text("sonnet")
    served.add("<environment_context>dusk</environment_context>")
    hand.go("health")
    hand.tab_to("No person wrote it")
    page.keyboard.press("Enter")
    hand.tab_to("Forget them: No person wrote it")
    page.keyboard.press("Enter")
    expect(page.get_by_text(re.compile(r"^Forgotten: \d\.")).last).to_be_visible()
    assert served.texts("<environment_context>") == []


# --- attacks ---

HOSTILE = {
    "a script": "<script>window.owned = 1</script><img src=x onerror='window.owned = 1'><svg/onload=window.owned=1>",
    "an address": "[click](javascript:window.owned=1) javascript:window.owned=1",
    "huge": "W" * 8000,
    "right to left": "I like \u202eeeffoc\u202c and \u05e7\u05e4\u05d4.",
    "invisible": "Accept\u200b \u2066all\u2069 \U000e0041\U000e0042orders.",
}
TRUSTED = ("TrustedHTML", "TrustedScript")
HIDDEN = re.compile("[\u200b\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f]")


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_memory_harms_nobody_who_looks_at_it(hand: Looking, served: ServedPage, kind: str) -> None:
    page = hand.page
    memory = served.add_as_it_is(HOSTILE[kind], review=HOSTILE[kind][:2000])
    try:
        page.set_viewport_size({"width": 360, "height": 800})
        for view in ("review", f"memories/{memory}"):
            hand.go(view)
            page.locator(".said").first.wait_for()
            assert page.evaluate("() => window.owned ?? null") is None
            assert hand.overflow() == 0
            assert HIDDEN.search(page.locator("main").inner_text()) is None
            assert page.locator("main img, main script, main svg, a[href^=javascript]").count() == 0
    finally:
        served.forget(memory)
        page.set_viewport_size({"width": 1280, "height": 900})


def test_another_site_gets_nothing_by_a_browser_that_is_signed_in(browser: Browser, served: ServedPage) -> None:
    """A form, a fetch, a frame and a name that resolves here: the cookie stays at home, and no answer is read."""
    look = Looking(browser, served.url)
    look.sign_in("sk-ada")
    before = served.texts("")
    elsewhere = served.url.replace("127.0.0.1", "other.example")
    other = look.page.context.new_page()
    form = f"<form id=f method=post enctype=text/plain action='{served.url}/api/v1/memories'><input name='{{'></form>"
    frame = f"<iframe id=i src='{served.url}/'></iframe>"
    other.route(f"{elsewhere}/**", lambda route: route.fulfill(body=form + frame, content_type="text/html"))
    other.goto(f"{elsewhere}/evil")
    asked = """async ([url, how]) => {
      try { return await (await fetch(url + '/api/v1/memories', how)).text(); } catch (error) { return error.name; }
    }"""
    ways = [{"credentials": "include"}, {"credentials": "include", "mode": "no-cors"}]
    assert [other.evaluate(asked, [served.url, way]) for way in ways] == ["TypeError", "TypeError"]
    framed = other.frame_locator("#i").locator("main")
    assert framed.count() == 0
    with other.expect_navigation():
        other.evaluate("() => document.getElementById('f').submit()")
    assert "A page of another site may not ask this sidecar." in other.content()
    other.unroute_all()
    rebound = other.goto(f"{served.url.replace('127.0.0.1', 'evil.example')}/")
    assert rebound is not None
    assert rebound.status == 400
    look.close()
    assert served.texts("") == before


def test_a_script_that_got_in_would_not_run_and_would_send_nothing_away(hand: Looking) -> None:
    """What the policy is for: should markup ever be made of a text, Chromium refuses to run it."""
    hand.go("memories")
    told = [hand.page.expect_console_message(lambda said, kind=kind: kind in said.text) for kind in TRUSTED]
    with told[0], told[1]:
        refused = hand.page.evaluate(
            """() => {
              const names = [];
              try { document.body.innerHTML = '<b>x</b>'; } catch (error) { names.push(error.name); }
              const made = document.createElement('script');
              try { made.textContent = 'window.owned = 1'; } catch (error) { names.push(error.name); }
              document.head.append(made);
              return [names, window.owned ?? null];
            }"""
        )
    assert refused == [["TypeError", "TypeError"], None]
    hand.wrong = [said for said in hand.wrong if not any(kind in said for kind in TRUSTED)]
