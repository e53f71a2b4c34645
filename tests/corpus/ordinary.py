"""Ordinary lines of code, configuration, logs and prose: full of long numbers, hashes and words like `password`."""

from __future__ import annotations

import random
from collections.abc import Iterator

CHANCE = random.Random(7)
WORDS = "order invoice garden report meeting parser cache window river bicycle schedule budget lesson engine".split()
NAMES = "Ada Ben Chloe Dimitri Eva Farid Grace".split()

LINES = (
    "def {word}_{other}(self, token: str, password: str | None = None) -> bool:",
    'password = request.form["password"]',
    "token = get_token(user_id, scope={n})",
    'api_key=os.environ["{UPPER}_API_KEY"]',
    "    if not password or len(password) < {n}:",
    "secret_key: SecretStr = Field(..., description='the {word} key')",
    "API_KEY=your-api-key-here",
    "export {UPPER}_TOKEN=<your token>",
    "password: ${{{UPPER}_PASSWORD}}",
    "token: ${{{{ secrets.{UPPER}_TOKEN }}}}",
    "max_tokens={n}, temperature=0.{digit}",
    '"usage": {{"prompt_tokens": {n}, "completion_tokens": {m}}}',
    "self._tokens = tokens or default_tokens(self.{word})",
    "const passwordField = document.getElementById('password');",
    '<input type="password" name="password" placeholder="Password" autocomplete="current-password">',
    "assert response.json()['token'] == expected_token",
    'raise ValueError("password must have {n} characters")',
    "password_hash = bcrypt.hashpw(password.encode(), salt)",
    "commit {hex40}",
    "image: registry.example.com/{word}@sha256:{hex40}{hex24}",
    "{uuid} {word} finished in {n} ms",
    '"integrity": "sha512-{b64}=="',
    "GIT_SHA={hex40}",
    "{date}T{time}Z INFO {word}: request {uuid} took {n}ms",
    "at {word}.{other} ({word}.js:{n}:{m})",
    'File "/srv/{word}/{other}.py", line {n}, in {word}_{other}',
    "https://example.com/{word}/{n}?page={m}&sort=desc#part-{digit}",
    "git@github.com:{word}/{other}.git",
    "postgres://localhost:5432/{word}",
    "redis://cache:6379/{digit}",
    "https://{word}.example.com:8443/{other}",
    "mailto:{word}@example.com",
    "order number 10{long}, tracking 00{long}{digit}",
    "phone +49 30 {n}{m} {n}",
    "ISBN 978-3-16-{n}{m}-0",
    "timestamp 17{long}, id 18{long}{n}",
    "{name} moved to {word} street {n} in 20{digit}{digit}.",
    "My name is {name} and I like {word} books.",
    "Always use tabs in this project, please.",
    "The password policy asks for {n} characters and no reuse.",
    "I forgot my password again, how do I reset it?",
    "Where is the password stored, and is it hashed with argon2id?",
    "The token bucket holds {n} requests a minute.",
    "The secret is to knead the dough for {n} minutes.",
    "Please explain what an API key is and how a JWT works.",
    "The key to the {word} is patience.",
    "the access token is refreshed every {n} minutes",
    "password is required",
    "The password for the {word} is the same as before.",
    "Our password was changed by {name} in March.",
    "key: {word}-{other}",
    "cache_key = f'{word}:{{user}}:{{{other}}}'",
    "primary_key = Column(Integer, primary_key=True)",
    "for key, value in sorted(tokens.items()):",
    "author: {name} <{word}@example.com>",
    "authorization: required",
    "auth = ({word}_user, {word}_password)",
    'Authorization: Bearer $TOKEN',
    "Basic knowledge of {word} parsing is enough.",
    "bearer of bad news since {n}",
    "--password-file /run/secrets/{word}",
    "docker run -u 1000:1000 -p 8080:80 {word}",
    "The pin code of {word} is printed on the back.",
    "pin: {word}",
    "account number field is empty",
    "| {word} | {n} | 0.{n} | {hex8} |",
    "- [ ] {word}: look at {other} before {date}",
    "SELECT token, password FROM {word} WHERE id = {n};",
    "ALTER TABLE {word} ADD COLUMN password VARCHAR(255);",
    "import {word}.{other} as {word}_{other}",
    "type {Title}Token = {{ kind: '{word}'; value: string }};",
    "public static final String {UPPER}_SECRET_NAME = \"{word}.secret.name\";",
    "secretName: {word}-{other}-tls",
    "tokenizer = load_tokenizer('{word}-base-uncased-v{digit}')",
    "session_token_ttl_seconds: {n}",
    "The quick brown {word} jumps over {n} lazy {other}s.",
    "DE has {n} offices, GB {m}; call us at 0{n} {m}.",
    "Version 1.{digit}.{n} of {word} needs Python 3.11.",
    "#{hex6} is the colour of the {word}",
    "color: rgb({digit}, {n}, {m}); margin: 0 auto;",
    "matrix = [[{digit}, {n}], [{m}, {digit}]]",
    "0x{hex8} <{word}+{n}>: mov eax, {m}",
    "{word}@{other}:~$ ls -la /etc/{word}/{n}",
    "Kennwort vergessen? {name} hilft.",
    "sk-{word} and pk-{other} are two of our branches",
    "the model gpt-4o-{date} costs {n} cents",
)  # fmt: skip


def ordinary(count: int) -> Iterator[str]:
    """So many lines, always the same."""
    CHANCE.seed(7)
    for number in range(count):
        yield LINES[number % len(LINES)].format(**_fillings())


def _fillings() -> dict[str, str]:
    word, other = CHANCE.sample(WORDS, 2)

    def drawn(alphabet: str, length: int) -> str:
        return "".join(CHANCE.choices(alphabet, k=length))

    digits, hexes = "0123456789", "0123456789abcdef"
    return {
        "word": word, "other": other, "UPPER": word.upper(), "Title": word.title(), "name": CHANCE.choice(NAMES),
        "n": str(CHANCE.randint(8, 999)), "m": str(CHANCE.randint(8, 999)), "digit": drawn(digits, 1),
        "long": drawn(digits, 11), "hex6": drawn(hexes, 6), "hex8": drawn(hexes, 8), "hex24": drawn(hexes, 24),
        "hex40": drawn(hexes, 40), "b64": drawn(hexes + "ABCDEFGH+/", 86),
        "uuid": "-".join(drawn(hexes, length) for length in (8, 4, 4, 4, 12)),
        "date": f"2026-{CHANCE.randint(10, 12)}-{CHANCE.randint(10, 28)}",
        "time": f"1{drawn(digits, 1)}:45:0{drawn(digits, 1)}",
    }  # fmt: skip
