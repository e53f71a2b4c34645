"""Secrets are told by the shape of a value, and nothing else is touched."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from bed.memories import Memories, mentioning
from bed.proxy import Proxy
from corpus.ordinary import ordinary
from corpus.secrets import Planted, planted
from hypothesis import given
from hypothesis import strategies as st

from litellm_memory.models import Memory, Recalled
from litellm_memory.redact import Redactor, redact

PIECE = 12
"""Characters: a longer piece of a secret that stays is the secret not redacted."""


def leaks(found: Planted) -> bool:
    kept = redact(found.text)
    pieces = (found.secret[place : place + PIECE] for place in range(max(1, len(found.secret) - PIECE + 1)))
    return any(piece in kept for piece in pieces)


def test_of_hundreds_of_secrets_hardly_one_is_missed() -> None:
    corpus = list(planted())
    assert len(corpus) >= 300
    assert len({found.kind for found in corpus}) >= 30
    missed = [found.kind for found in corpus if leaks(found)]
    assert len(missed) <= len(corpus) // 100, missed


def test_of_a_thousand_ordinary_lines_hardly_one_is_touched() -> None:
    touched = [line for line in ordinary(1000) if redact(line) != line]
    assert len(touched) <= 5, touched


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("key sk-abcdefghijklmnop1234 ok", "key [REDACTED:api-key] ok"),
        ("postgres://ada:hunter22@db:5432/x", "postgres://[REDACTED:password]@db:5432/x"),
        ("DB_PASSWORD=hunter22x", "DB_PASSWORD=[REDACTED:password]"),
        ("I said <private>my wife's birthday</private> aloud", "I said [REDACTED:private] aloud"),
        ("<PRIVATE>never closed", "[REDACTED:private]"),
        ("İzmir <private>x</private>, password: Kite99!", "İzmir [REDACTED:private], password: [REDACTED:password]"),
        ("4111 1111 1111 1111 and 4111 1111 1111 1112", "[REDACTED:card-number] and 4111 1111 1111 1112"),
        ("DE89 3704 0044 0532 0130 00 IS MINE", "[REDACTED:iban] IS MINE"),
        ("DE89 3704 0044 0532 0130 01", None),
        ("GB82WEST12345698765432", "[REDACTED:iban]"),
        ("My password is swordfish", None),
        ("my PIN is 4821 and the pin is 12 mm long", "my PIN is [REDACTED:pin] and the pin is 12 mm long"),
        ("API_KEY=[REDACTED:api-key]", None),
        ("Our public key fingerprint is SHA256:uNiVztksCsDhcc0u9e8BrWiYxVqWgXkqJ3kYdQxTzSg.", None),
        ("The host key's fingerprint: MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48", None),
        ("Our WireGuard public key is hIA3ikjlSOAo0qqrI+rXaS3ZH04nx7Q2YQ4m2Syz+XE=", None),
        ("Our WireGuard key is hIA3ikjlSOAo0qqrI+rXaS3ZH04nx7Q2YQ4m2Syz+XE=", "Our WireGuard key is [REDACTED:secret]"),
        ("", None),
    ],
)
def test_a_secret_is_replaced_and_what_stands_round_it_stays(said: str, kept: str | None) -> None:
    assert redact(said) == (said if kept is None else kept)


@given(st.sampled_from(list(planted())), st.sampled_from(list(planted())), st.text(max_size=40))
def test_what_is_redacted_stays_as_it_is(first: Planted, second: Planted, between: str) -> None:
    once = redact(f"{first.text}\n{between}\n{second.text}")
    assert redact(once) == once


@given(st.text())
def test_any_text_can_be_read(text: str) -> None:
    redact(text)


HOSTILE = (
    "eyJ",
    "sk-",
    "AKIA",
    "://a:",
    "password is a ",
    'password="\\',
    "token ",
    "<private>",
    "4 1",
    "AA00",
    "A=\n",
)


@pytest.mark.parametrize("characters", [2**18, pytest.param(2**20, marks=pytest.mark.long)])
def test_no_megabyte_makes_the_search_explode(characters: int) -> None:
    """A search that looked at every pair of places would take hours, or days."""
    code = (
        "import sys; from litellm_memory.redact import redact\n"
        f"for start in sys.argv[1:]: redact(start * ({characters} // len(start)))"
    )
    subprocess.run([sys.executable, "-c", code, *HOSTILE], check=True, timeout=240)


def test_a_memory_is_redacted_in_all_its_texts() -> None:
    key = "sk-" + "abcdefghijklmnop1234"
    memory = Memory("1", "p", "ada", f"The key is {key}", "fact", datetime.now(UTC), tags=(key, "ops"), reply=key)
    mark = "[REDACTED:api-key]"
    assert Redactor().memory(memory) == replace(memory, text=f"The key is {mark}", tags=(mark, "ops"), reply=mark)


def test_a_memory_without_secrets_is_itself() -> None:
    memory = Memory("1", "p", "ada", "I like tea.", "fact", datetime.now(UTC))
    recalled = Recalled(memory, 0.5, {"rank": 0.5})
    assert Redactor().memory(memory) is memory
    assert Redactor().recalled(recalled) is recalled


def test_a_memory_that_was_seen_before_follows_the_settings_in_force() -> None:
    memory = Memory("1", "p", "ada", "I like tea.", "fact", datetime.now(UTC), reply="Green tea?")
    recalled = Recalled(memory, 0.5, {"rank": 0.5})
    for words in ((), ("tea",), ("green",), (), ("tea", "green")):
        expected = replace(memory, text=redact(memory.text, words), reply=redact("Green tea?", words))
        assert Redactor(words=words).recalled(recalled) == replace(recalled, memory=expected)
        assert Redactor(on=False, words=words).recalled(recalled) is recalled
    used = replace(memory, uses=3)
    assert Redactor(words=("tea",)).memory(used).uses == 3


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        pytest.param("The Bluebird deal.", "The [REDACTED:word] deal.", id="a word"),
        pytest.param("BLUEBIRD, bluebird!", "[REDACTED:word], [REDACTED:word]!", id="in either case"),
        pytest.param("Bluebirds sing.", "Bluebirds sing.", id="not inside a longer word"),
        pytest.param("Bluebird Nine lands.", "[REDACTED:word] lands.", id="the longer of two"),
        pytest.param("Costs (C++).", "Costs ([REDACTED:word]).", id="signs are no pattern"),
    ],
)
def test_words_of_ones_own_are_replaced(text: str, kept: str) -> None:
    words = ("Bluebird", "Bluebird Nine", "C++")
    assert redact(text, words) == kept
    memory = Memory("1", "p", "ada", text, "fact", datetime.now(UTC), reply=text, tags=(text,))
    assert Redactor(words=words).memory(memory) == replace(memory, text=kept, reply=kept, tags=(kept,))


@pytest.mark.parametrize(
    "each", [pytest.param(1, id="one of each kind"), pytest.param(99, id="all", marks=pytest.mark.long)]
)
def test_no_secret_that_was_told_is_in_any_file_or_log(each: int, proxy: Proxy, memories: Memories, user: str) -> None:
    kinds: dict[str, list[Planted]] = {}
    for found in planted():
        if not leaks(found) and len(found.secret) >= PIECE:
            kinds.setdefault(found.kind, []).append(found)
    told = [found for secrets in kinds.values() for found in secrets[:each]]
    assert len(kinds) >= 30
    last = "The parcel of the heron arrived on a rainy Thursday."
    with proxy.client() as client:
        client.headers["x-memory-user-id"] = user
        for found in told:
            ask = {"model": "gpt", "messages": [{"role": "user", "content": f"Please remember this: {found.text}"}]}
            client.post("/v1/chat/completions", json=ask).raise_for_status()
        for found in told[::20]:
            memories.add(found.text, user=user)
        client.post("/v1/chat/completions", json={"model": "gpt", "messages": [{"role": "user", "content": last}]})
    memories.wait_for(user, lambda found: bool(mentioning(list(found), last)), within=120)
    files = [path.read_bytes() for path in proxy.directory.rglob("*") if path.is_file()]
    held = [found.kind for found in told if any(found.secret.encode() in content for content in files)]
    assert held == []


TOKEN = "ghp_" + "16C7e42F292c6912E7710c838347Ae178B4a"
KEY = "sk-ant-" + "api03-R4nd0mCh4r4ct3rs0fK3yT0k3n"
WIDE = str.maketrans({chr(code): chr(code + 0xFEE0) for code in range(0x21, 0x7F)})


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        (f"Nimm {TOKEN.translate(WIDE)} dafür.", "Nimm [REDACTED:github-token] dafür."),
        ("Passwort：" + "Tr0ub4dor&3x!".translate(WIDE) + " gilt", "Passwort：[REDACTED:password] gilt"),
        ("Karte 4111\u00a01111\u00a01111\u00a01111, bis Mai", "Karte [REDACTED:card-number], bis Mai"),
        ("IBAN DE89\u202f3704\u202f0044\u202f0532\u202f0130\u202f00.", "IBAN [REDACTED:iban]."),
        ("Karte 4111\u20111111\u20111111\u20111111.", "Karte [REDACTED:card-number]."),
        (f"Key {KEY[:10]}\u200b{KEY[10:]} ok", "Key [REDACTED:anthropic-key] ok"),
        (f"curl -H {KEY[:24]}\\\n    {KEY[24:]} x", "curl -H [REDACTED:anthropic-key] x"),
        (f"{KEY[:28]}\n{KEY[28:]}\nThat is it.", "[REDACTED:anthropic-key]\nThat is it."),
        ("password: |\n  Tr0ub4dor&3x!\nuser: bob", "password: |\n  [REDACTED:password]\nuser: bob"),
        ("The password:\nTr0ub4dor&3x!\nThanks", "The password:\n[REDACTED:password]\nThanks"),
        ("password=&quot;Tr0ub4dor&amp;3x!&quot; für uns", "password=&quot;[REDACTED:password]&quot; für uns"),
        ('{"token": "\\u0067' + TOKEN[1:] + '"}', '{"token": "[REDACTED:github-token]"}'),
        ("machine x login bob password Tr0ub4dor3x", "machine x login bob password [REDACTED:password]"),
        ("ssh bob@host, password Tr0ub4dor3x", "ssh bob@host, password [REDACTED:password]"),
        ("Das Passwort lautet Tr0ub4dor3x", "Das Passwort lautet [REDACTED:password]"),
        ("la clave es Tr0ub4dor3x", "la clave es [REDACTED:password]"),
        ("le mdp c'est Tr0ub4dor3x", "le mdp c'est [REDACTED:password]"),
        ("a <private note='x'>my words</private> b", "a [REDACTED:private] b"),
        ("a < private >my words</ private > b", "a [REDACTED:private] b"),
        ("Karte 4111.1111.1111.1111.", "Karte [REDACTED:card-number]."),
        (f"x{KEY} and foo-{KEY}", "x[REDACTED:anthropic-key] and foo-[REDACTED:anthropic-key]"),
        ("كلمة المرور هي Tr0ub4dor3x", "كلمة المرور هي [REDACTED:password]"),
        ("मेरा पासवर्ड Tr0ub4dor3x है", "मेरा पासवर्ड [REDACTED:password] है"),
        ("รหัสผ่านคือ Tr0ub4dor3x", "รหัสผ่านคือ [REDACTED:password]"),
        ("Salasanani on Tr0ub4dor3x.", "Salasanani on [REDACTED:password]."),
        ("Das Passwort in base64: c3dvcmRmaXNo", "Das Passwort in base64: [REDACTED:password]"),
    ],
)
def test_no_clothes_hide_a_secret_and_what_stands_round_it_stays(said: str, kept: str) -> None:
    assert redact(said) == kept
    assert redact(kept) == kept


ODD = (
    "Grüße, “quoted” — and 日本語テキスト",
    "ａｂｃ １２３",
    "a\u00a0b &amp; c",
    "Steps:\nfirst\nthen",
    "key: |\n  words here\n",
    "x\\\n  y",
    "See https://example.com/a-long-path-of-words\nnext-2-words\n",
    "2019.2020.2021.2022 and 4111.1111.1111.1112",
    "task-or-something-long-like-this-2024-plan",
    "كلمة المرور يجب أن تحتوي على 12 حرفا",
    "Пароль от 2024-12-01 истёк",
    "The password goes through UserPasswordEncoder and PasswordResetToken2.",
)


@pytest.mark.parametrize("text", ODD)
def test_odd_characters_stay_as_they_are_where_there_is_no_secret(text: str) -> None:
    assert redact(text) == text


def test_of_a_thousand_ordinary_lines_in_odd_clothes_hardly_one_is_touched() -> None:
    lines = [f"{line} ü".replace(" ", "\u00a0") for line in ordinary(1000)]
    assert len([line for line in lines if redact(line) != line]) <= 5
