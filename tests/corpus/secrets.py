"""Made-up secrets of many kinds, as people write them into chats and code. Put together when asked for, so that no
scanner of a code host takes this file for a leak."""

from __future__ import annotations

import base64
import json
import random
import string
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

CHANCE = random.Random(5)
LETTERS, DIGITS = string.ascii_letters, string.digits
MIXED = LETTERS + DIGITS
HEX = "0123456789abcdef"
BASE32 = string.ascii_uppercase + "234567"


@dataclass(frozen=True, slots=True)
class Planted:
    """A text, and the secret that it holds."""

    kind: str
    text: str
    secret: str


def some(alphabet: str, length: int) -> str:
    """So many characters by chance; of letters and digits there is one of each in what is long enough."""
    drawn = "".join(CHANCE.choices(alphabet, k=length))
    mixed = set(alphabet) & set(DIGITS) and set(alphabet) - set(DIGITS) and length >= 8
    return drawn if not mixed else f"{drawn[:3]}{CHANCE.choice(DIGITS)}{drawn[4:]}"


def token(start: str, alphabet: str, length: int, end: str = "") -> Callable[[], str]:
    """A maker of tokens that begin with ``start``."""
    return lambda: start + some(alphabet, length) + end


def b64(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def jwt() -> str:
    return ".".join((b64({"alg": "HS256", "typ": "JWT"}), b64({"sub": some(MIXED, 12)}), some(MIXED + "-_", 43)))


def uuid() -> str:
    return "-".join(some(HEX, length) for length in (8, 4, 4, 4, 12))


def password() -> str:
    made = (
        lambda: (
            CHANCE.choice(("Sommer", "Falcon", "winter", "Tr0mbone", "blue"))
            + some(DIGITS, 3)
            + CHANCE.choice("!#$%&*")
        ),
        lambda: some(MIXED, 6) + CHANCE.choice("!#%&*+") + some(MIXED, 5) + CHANCE.choice(DIGITS),
        lambda: CHANCE.choice(("hunter", "dragon", "letmein", "qwerty")) + some(DIGITS, 2),
    )
    return CHANCE.choice(made)()


def card() -> str:
    start, length = CHANCE.choice((("4", 16), ("51", 16), ("37", 15), ("6011", 16), ("2221", 16)))
    body = start + some(DIGITS, length - len(start) - 1)
    digits = body + check_digit(body)
    if length == 16 and CHANCE.random() < 0.6:
        return CHANCE.choice(" -").join(digits[place : place + 4] for place in range(0, 16, 4))
    return f"{digits[:4]} {digits[4:10]} {digits[10:]}" if length == 15 and CHANCE.random() < 0.5 else digits


def check_digit(body: str) -> str:
    """Luhn's."""
    total = sum(sum(divmod(int(digit) * (2 - place % 2), 10)) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


def iban() -> str:
    country, shape = CHANCE.choice(
        (("DE", "9" * 18), ("GB", "AAAA" + "9" * 14), ("FR", "9" * 23), ("NL", "AAAA" + "9" * 10), ("AT", "9" * 16))
    )
    account = "".join(some(string.ascii_uppercase if sign == "A" else DIGITS, 1) for sign in shape)
    number = int("".join(str(int(character, 36)) for character in f"{account}{country}00"))
    whole = f"{country}{98 - number % 97:02}{account}"
    return " ".join(whole[place : place + 4] for place in range(0, len(whole), 4)) if CHANCE.random() < 0.6 else whole


CHAT = (
    "My key is {}",
    "here you go: {} - please don't share it",
    "I keep getting a 401 with {}, what's wrong?",
    "Use {} for the staging account.",
    "Hi! Could you call the API for me? The token: {}\nThanks a lot",
    "Ich habe den Schlüssel `{}` in der Konsole gefunden.",
    "({})",
)
CODE = (
    'client = Client(api_key="{}")',
    "export SERVICE_TOKEN={}",
    "curl -H 'Authorization: Bearer {}' https://api.example.com/v1/me",
    '{{"auth": {{"token": "{}", "ttl": 3600}}}}',
    'print("first line\\n{}")',
    "```\nAPP_ENV=prod\nAPI_KEY={}\nDEBUG=0\n```",
    "https://api.example.com/items?key={}&page=2",
)
NAMED = (
    "API_KEY={}",
    'api_key: "{}"',
    "const apiKey = '{}';",
    "My API key is {}.",
    "the secret key for the billing service is {}",
    '{{"client_secret": "{}"}}',
    "headers = {{'x-api-key': '{}'}}",
    "os.environ['SERVICE_SECRET'] = '{}'",
    "tool login --token {}",
    "AUTH_TOKEN: {}",
)
PASSWORDS = (
    "my password is {}",
    "The password for the staging database is {}.",
    "Wifi password: {}",
    "DB_PASSWORD={}",
    'password = "{}"',
    '{{"user": "ada", "password": "{}"}}',
    "mysql -u root -p{} shop",
    "deploy --user ada --password {} --host db",
    "Mein Passwort ist {}",
    "I changed the password to {} yesterday",
    "spring.datasource.password={}",
    "  smtp_pass: '{}'",
    "curl -u ada:{} https://example.com/feed",
    "mi contraseña es {}",
)
BLOCKS = (
    "APP_NAME=shop\nAPP_ENV=production\nAPP_KEY={}\nDB_HOST=localhost\n",
    "# .env\nDEBUG=false\nSESSION_SALT='{}'\nPORT=8080\n",
    "NODE_ENV=production\nSTRIPE={}\nREGION=eu-central-1",
    "export DATABASE_REPLICA_AUTH={}\nexport LANG=C.UTF-8",
)


def tokens() -> dict[str, Callable[[], str]]:
    """Makers of the tokens whose shape says what they are."""
    word = MIXED + "-_"
    return {
        "openai": token("sk-" + "proj-", word, 48),
        "openai, older": token("sk-", MIXED, 48),
        "anthropic": token("sk-" + "ant-api03-", word, 93, "AA"),
        "aws access key": token("AK" + "IA", BASE32, 16),
        "google api key": token("AI" + "za", word, 35),
        "google oauth": token("ya" + "29.", word, 60),
        "github": token("gh" + "p_", MIXED, 36),
        "github, fine-grained": token("github" + "_pat_", MIXED, 82),
        "gitlab": token("gl" + "pat-", word, 20),
        "slack": lambda: "xo" + f"xb-{some(DIGITS, 12)}-{some(DIGITS, 12)}-{some(MIXED, 24)}",
        "stripe": token("sk" + "_live_", MIXED, 24),
        "twilio": token("S" + "K", HEX, 32),
        "sendgrid": lambda: "S" + f"G.{some(word, 22)}.{some(word, 43)}",
        "mailgun": token("ke" + "y-", HEX, 32),
        "npm": token("np" + "m_", MIXED, 36),
        "pypi": token("py" + "pi-AgEI", word, 120),
        "hugging face": token("h" + "f_", MIXED, 34),
        "discord": lambda: f"M{some(MIXED, 23)}.{some(MIXED, 6)}.{some(word, 38)}x",
        "telegram": lambda: f"{CHANCE.randint(10**8, 10**10 - 1)}:A" + f"A{some(word, 32)}z",
        "jwt": jwt,
        "digitalocean": token("dop" + "_v1_", HEX, 64),
        "shopify": token("shp" + "at_", HEX, 32),
        "databricks": token("da" + "pi", HEX, 32),
        "groq": token("gs" + "k_", MIXED, 52),
        "replicate": token("r" + "8_", MIXED, 37),
        "vault": token("hv" + "s.", word, 90),
        "atlassian": token("AT" + "ATT3xFf", word, 180),
        "linear": token("lin" + "_api_", MIXED, 40),
        "notion": token("nt" + "n_", MIXED, 46),
        "docker": token("dckr" + "_pat_", word, 27),
        "grafana": lambda: "gl" + f"sa_{some(MIXED, 32)}_{some(HEX, 8)}",
        "airtable": lambda: "pa" + f"t{some(MIXED, 14)}.{some(HEX, 64)}",
    }


def values() -> Mapping[str, tuple[Callable[[], str], tuple[str, ...]]]:
    """Makers of the secrets that are known by where they stand or by a check digit, with the places."""
    return {
        "password": (password, PASSWORDS),
        "named key, hex": (token("", HEX, 32), NAMED),
        "named key, mixed": (token("", MIXED, 40), NAMED),
        "named key, uuid": (uuid, NAMED),
        "aws secret key": (
            token("", MIXED + "/+", 40),
            ("aws_secret_access_key = {}", "AWS_SECRET_ACCESS_KEY={}", "the AWS secret access key is {}"),
        ),
        ".env block": (token("", MIXED, 32), BLOCKS),
        "connection string": (
            password,
            (
                "postgres://ada:{}@db.example.com:5432/shop",
                "connect with mongodb+srv://root:{}@cluster0.example.net/test please",
                'engine = create_engine("mysql+pymysql://app:{}@10.0.0.5/app")',
                "REDIS_URL=redis://:{}@cache:6379/0",
                "amqp://guest:{}@mq//",
                "Server=tcp:db.example.com;User ID=sa;Password={};Encrypt=true",
                "jdbc:postgresql://db/shop?user=ada&password={}",
                "git clone https://ada:{}@git.example.com/shop.git",
            ),
        ),
        "azure storage": (
            token("", MIXED + "+/", 86, "=="),
            (
                "DefaultEndpointsProtocol=https;AccountName=shop;AccountKey={};EndpointSuffix=core.windows.net",
                "AZURE_STORAGE_KEY={}",
                "https://shop.blob.core.windows.net/c/f?sv=2024-11-04&sig={}",
            ),
        ),
        "bearer": (
            token("", MIXED + "-._~", 44, "k"),
            ("Authorization: Bearer {}", "-H 'authorization: bearer {}'", 'headers={{"Authorization": "Bearer {}"}}'),
        ),
        "basic": (
            lambda: base64.b64encode(f"ada:{password()}".encode()).decode(),
            ("Authorization: Basic {}", "-H 'authorization: basic {}'"),
        ),
        "webhook": (
            lambda: f"T{some(BASE32, 9)}/B{some(BASE32, 9)}/{some(MIXED, 24)}",
            (
                "https://hooks." + "slack.com/services/{}",
                "post it to https://hooks." + "slack.com/services/{} every day",
            ),
        ),
        "private key": (
            lambda: "\n".join(some(MIXED + "+/", 64) for _ in range(6)),
            (
                "-----BEGIN RSA " + "PRIVATE KEY-----\n{}\n-----END RSA " + "PRIVATE KEY-----",
                "My deploy key:\n-----BEGIN OPENSSH "
                + "PRIVATE KEY-----\n{}\n-----END OPENSSH "
                + "PRIVATE KEY-----\nok?",
                "-----BEGIN " + "PRIVATE KEY-----\n{}",
            ),
        ),
        "card": (
            card,
            ("My card is {}, exp 09/29", "pay with {}", "card_number: {}", "Karte {} bitte belasten", 'number="{}"'),
        ),
        "iban": (iban, ("Please wire it to {}.", "IBAN: {}", "Meine IBAN ist {} bei der Sparkasse", "iban={}")),
        "pin": (token("", DIGITS, 4), ("my PIN is {}", "The pin for my phone is {}.", "CVV: {}", "pin code: {}")),
        "account number": (
            token("", DIGITS, 10),
            ("account number: {}", "My account number is {}.", "Kontonummer: {}", "routing number {}"),
        ),
        "private span": (
            lambda: f"I was in {some(LETTERS, 9)} with Tom",
            ("<private>{}</private>", "Noted. <private>{}</private> And now the tests.", "<Private>\n{}\n</Private>"),
        ),
    }


def planted() -> Iterator[Planted]:
    """The whole corpus: eight of each token in chat and code, ten of each other kind."""
    CHANCE.seed(5)
    for kind, make in tokens().items():
        for place in (*CHAT[:4], *CODE[:4]) if len(kind) % 2 else (*CHAT[3:], *CODE[3:]):
            secret = make()
            yield Planted(kind, place.format(secret), secret)
    for kind, (make, places) in values().items():
        for number in range(max(10, len(places))):
            secret = make()
            yield Planted(kind, places[number % len(places)].format(secret), secret)
