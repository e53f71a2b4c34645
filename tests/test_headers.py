"""What the memory headers of a request mean."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.identity.headers import (
    NAMES,
    RequestOptions,
    gathered,
    holds_credentials,
    is_memory_header,
    read_options,
    readable_id,
)
from litellm_memory.models import BlockStyle
from litellm_memory.settings import IdentitySettings

SETTINGS = IdentitySettings()


@pytest.mark.parametrize("name", ["x-ai-mem-bedrock-model", "X_Memory_Of_Tomorrow", "x-pass-x-maia-model"])
def test_a_header_of_a_memory_proxy_reaches_no_provider_even_if_nothing_here_reads_it(name: str) -> None:
    assert is_memory_header(name, SETTINGS)


@pytest.mark.parametrize(
    ("headers", "wishes"),
    [
        pytest.param({}, RequestOptions(), id="nothing said"),
        pytest.param({"user-agent": "x", "x-memory-inject-later": "no"}, RequestOptions(), id="other headers"),
        pytest.param({"x-memory-user-id": "ann"}, RequestOptions(user="ann"), id="user"),
        pytest.param({"x-maia-namespace": "ann"}, RequestOptions(user="ann"), id="user, by its alias"),
        pytest.param({"x-memory-project": "atlas"}, RequestOptions(project="atlas"), id="project"),
        pytest.param({"x-ai-mem-project": "atlas"}, RequestOptions(project="atlas"), id="project, by its alias"),
        pytest.param({"x-memory-session-id": "s-1"}, RequestOptions(session="s-1"), id="session"),
        pytest.param({"x-ai-mem-session-id": "s-1"}, RequestOptions(session="s-1"), id="session, by its alias"),
        pytest.param({"x-memory-inject": "false"}, RequestOptions(inject=False), id="inject off"),
        pytest.param({"x-ai-mem-inject": "ON"}, RequestOptions(inject=True), id="inject on, by its alias"),
        pytest.param({"x-maia-skip-memory": "true"}, RequestOptions(inject=False), id="skip memory is inject off"),
        pytest.param({"x-maia-skip-memory": "0"}, RequestOptions(inject=True), id="no skip memory is inject on"),
        pytest.param({"x-memory-store": " Yes "}, RequestOptions(store=True), id="store on"),
        pytest.param({"x-ai-mem-store": "no"}, RequestOptions(store=False), id="store off, by its alias"),
        pytest.param({"x-maia-skip-extract": "1"}, RequestOptions(store=False), id="skip extract is store off"),
        pytest.param({"x-memory-token-budget": "300"}, RequestOptions(token_budget=300), id="token budget"),
        pytest.param({"x-maia-token-budget": "0"}, RequestOptions(token_budget=0), id="no tokens, by its alias"),
        pytest.param({"x-memory-max": "3"}, RequestOptions(max_memories=3), id="most memories"),
        pytest.param({"x-ai-mem-total": "12"}, RequestOptions(max_memories=12), id="most memories, by its alias"),
        pytest.param({"x-memory-query": " the port "}, RequestOptions(query="the port"), id="query"),
        pytest.param({"x-ai-mem-query": "port"}, RequestOptions(query="port"), id="query, by its alias"),
        pytest.param({"x-memory-kinds": "Fact, decision"}, RequestOptions(kinds=("fact", "decision")), id="kinds"),
        pytest.param({"x-ai-mem-obs-types": "fact"}, RequestOptions(kinds=("fact",)), id="kinds, by their alias"),
        pytest.param(
            {"x-ai-mem-obs-type": "decision", "x-ai-mem-obs-types": "fact,decision"},
            RequestOptions(kinds=("decision",)),
            id="one observation type wins over the list",
        ),
        pytest.param({"x-memory-tags": "a, b"}, RequestOptions(tags=("a", "b")), id="tags"),
        pytest.param({"x-ai-mem-tags": "a"}, RequestOptions(tags=("a",)), id="tags, by their alias"),
        pytest.param(
            {"x-memory-full": "2"}, RequestOptions(max_memories=12, layout=BlockStyle(full=2)), id="how many in full"
        ),
        pytest.param(
            {"x-ai-mem-full-field": "Summary", "x-ai-mem-total": "3"},
            RequestOptions(max_memories=3, layout=BlockStyle(summaries=True)),
            id="summaries, of so many, by their aliases",
        ),
        pytest.param(
            {"x-memory-show-tokens": "off", "x-ai-mem-wrap": "0"},
            RequestOptions(max_memories=12, layout=BlockStyle(show_tokens=False, wrap=False)),
            id="no token sums and no tag of ai-mem",
        ),
        pytest.param({"x-memory-user-id": "Jose\u0301"}, RequestOptions(user="Jos\u00e9"), id="one form of a name"),
        pytest.param(
            {"x-memory-user-id": "\u0151rs".encode().decode("latin-1")},
            RequestOptions(user="\u0151rs"),
            id="UTF-8 on the wire",
        ),
        pytest.param(
            {"x-memory-user-id": "ann", "x-maia-namespace": "ann"},
            RequestOptions(user="ann"),
            id="two names that agree",
        ),
        pytest.param(
            {"x-memory-inject": "no", "x-maia-skip-memory": "yes"},
            RequestOptions(inject=False),
            id="a reversed name agrees",
        ),
    ],
)
def test_a_header_means_what_its_page_says(headers: dict[str, str], wishes: RequestOptions) -> None:
    assert read_options(headers, SETTINGS) == wishes


@pytest.mark.parametrize(
    ("headers", "wishes"),
    [
        pytest.param(
            {"x-memory-user-id": " "},
            RequestOptions(unreadable=("x-memory-user-id",), refused="unreadable_identity"),
            id="a blank user refuses",
        ),
        pytest.param(
            {"x-memory-user-id": "ann", "x-memory-project": "a\x00b"},
            RequestOptions(user="ann", unreadable=("x-memory-project",), refused="unreadable_identity"),
            id="a control character in the project refuses",
        ),
        pytest.param(
            {"x-ai-mem-session-id": "s" * 257},
            RequestOptions(unreadable=("x-ai-mem-session-id",), refused="unreadable_identity"),
            id="a session of 257 characters refuses",
        ),
        pytest.param(
            {"x-memory-user-id": "ann", "x-maia-namespace": "ben"},
            RequestOptions(user="ann", refused="headers_disagree"),
            id="two users refuse",
        ),
        pytest.param(
            {"x-memory-token-budget": "10", "x-maia-token-budget": "20"},
            RequestOptions(token_budget=10, refused="headers_disagree"),
            id="two budgets refuse",
        ),
        pytest.param(
            {"x-memory-inject": "true", "x-maia-skip-memory": "true"},
            RequestOptions(inject=True, refused="headers_disagree"),
            id="a switch and its reverse refuse",
        ),
        pytest.param(
            {"x-memory-inject": "maybe"},
            RequestOptions(inject=False, unreadable=("x-memory-inject",)),
            id="an unreadable switch is off",
        ),
        pytest.param(
            {"x-maia-skip-extract": ""},
            RequestOptions(store=False, unreadable=("x-maia-skip-extract",)),
            id="an unreadable reversed switch is off",
        ),
        pytest.param(
            {"x-memory-token-budget": "-1"},
            RequestOptions(unreadable=("x-memory-token-budget",)),
            id="a negative budget is left out",
        ),
        pytest.param({"x-memory-max": "\u0663"}, RequestOptions(unreadable=("x-memory-max",)), id="digits are ASCII"),
        pytest.param(
            {"x-memory-kinds": "fact,bugfix"},
            RequestOptions(unreadable=("x-memory-kinds",)),
            id="an unknown kind is left out",
        ),
        pytest.param(
            {"x-memory-full-field": "title"},
            RequestOptions(unreadable=("x-memory-full-field",)),
            id="an unknown field is left out",
        ),
        pytest.param(
            {"x-memory-wrap": "maybe"},
            RequestOptions(max_memories=12, layout=BlockStyle(wrap=False), unreadable=("x-memory-wrap",)),
            id="an unreadable tag switch is off",
        ),
        pytest.param(
            {"x-memory-tags": " , "}, RequestOptions(unreadable=("x-memory-tags",)), id="no tags are left out"
        ),
        pytest.param(
            {"x-memory-query": "\n"}, RequestOptions(unreadable=("x-memory-query",)), id="a blank query is left out"
        ),
    ],
)
def test_an_unreadable_header_takes_the_private_side(headers: dict[str, str], wishes: RequestOptions) -> None:
    assert read_options(headers, SETTINGS) == wishes


@pytest.mark.parametrize(
    ("headers", "wishes"),
    [
        pytest.param({"x-person": "ann"}, RequestOptions(user="ann"), id="the configured name"),
        pytest.param({"x-memory-user-id": "ann"}, RequestOptions(user="ann"), id="the standing name stays an alias"),
        pytest.param(
            {"x-person": "ann", "x-memory-user-id": "ben"},
            RequestOptions(user="ann", refused="headers_disagree"),
            id="they must agree",
        ),
    ],
)
def test_the_user_header_can_be_renamed(headers: dict[str, str], wishes: RequestOptions) -> None:
    assert read_options(headers, IdentitySettings(header="X-Person")) == wishes


@pytest.mark.parametrize(
    "name",
    [
        *sorted(NAMES),
        "X-Memory-Full-Field",
        "x-ai-mem-wrap",
        "X-Person",
        "X_Memory_User_Id",
        "x-pass-x-memory-project",
        "X-Pass-X_AI_Mem_Project",
        "x-pass-x-person",
    ],
)
def test_memory_headers_are_known_in_any_spelling(name: str) -> None:
    assert is_memory_header(name, IdentitySettings(header="x-person"))


@pytest.mark.parametrize("name", ["authorization", "user-agent", "x-api-key", "x-memory", "x-openwebui-user-id"])
def test_other_headers_are_left_alone(name: str) -> None:
    assert not is_memory_header(name, SETTINGS)


def test_a_credential_is_never_taken_off_a_request() -> None:
    assert not is_memory_header("x-auth-token", IdentitySettings(header="X-Auth-Token"))


@pytest.mark.parametrize(
    "name",
    ["Authorization", "x-api-key", "api-key", "cookie", "Proxy-Authorization", "x-litellm-api-key", "x-goog-api-key"],
)
def test_credentials_are_known_by_the_name_of_their_header(name: str) -> None:
    assert holds_credentials(name)


@given(st.dictionaries(st.sampled_from(sorted(NAMES)), st.text()))
def test_no_header_value_raises_and_every_id_read_is_one(headers: dict[str, str]) -> None:
    wishes = read_options(headers, SETTINGS)
    ids = [value for value in (wishes.user, wishes.project, wishes.session) if value is not None]
    assert [readable_id(value) for value in ids] == ids


@pytest.mark.parametrize(
    "name", ["X_Memory_User_Id", "x-pass-x-memory-user-id", "X-MEMORY-USER-ID", "x-memory_user-id"]
)
def test_every_spelling_that_is_kept_from_providers_is_obeyed(name: str) -> None:
    assert read_options(gathered([(name, "ada")], SETTINGS), SETTINGS).user == "ada"


def test_a_header_that_is_repeated_with_another_value_takes_the_private_side() -> None:
    twice = gathered([("x-memory-user-id", "ada"), ("X_Memory_User_Id", "eve")], SETTINGS)
    assert read_options(twice, SETTINGS).refused == "unreadable_identity"
    switch = gathered([("x-memory-store", "true"), ("x-memory-store", "false")], SETTINGS)
    assert read_options(switch, SETTINGS).store is False
    same = gathered([("x-memory-user-id", "ada"), ("x-memory-user-id", "ada")], SETTINGS)
    assert read_options(same, SETTINGS).user == "ada"


def test_other_headers_that_are_repeated_are_joined_as_http_says() -> None:
    assert gathered([("Accept", "a"), ("accept", "b")], SETTINGS) == {"accept": "a,b"}
