"""Variables of a Compose service as headway.yaml takes them: addresses of the database as placeholders, no secrets."""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from delivery.discovery.interpolation import unknown_variables

# What a database address is made of, by the end of the variable that holds it.
_PARTS = (
    ("host", re.compile(r"(HOST|HOSTNAME|SERVER|ADDR|ADDRESS|SERVICE|ENDPOINT)$")),
    ("port", re.compile(r"PORT$")),
    ("user", re.compile(r"(USER|USERNAME|USR|LOGIN)$")),
    ("password", re.compile(r"(PASS|PASSWORD|PASSWD|PWD|PW)$")),
    ("name", re.compile(r"(NAME|DB|DATABASE|DBNAME|DB_NAME|DATABASE_NAME|SCHEMA_NAME|CATALOG)$")),
)
_ABOUT_DATABASE = re.compile(r"(^|_)(DB|DATABASE|POSTGRES(QL)?|PG|PSQL|TYPEORM|DATASOURCE|SQL)(_|$)|^PG[A-Z]+$")
_SCHEME = r"(?P<scheme>(?:jdbc:)?(?:postgres(?:ql)?|psql|pgsql|postgis|ecto|cockroachdb)(?:\+\w+)?)"
_URL = re.compile(
    rf"{_SCHEME}://(?:[^@/\s]*@)?(?P<host>[^:/?\s]+)(?::[^/?\s]*)?(?:/(?P<name>[^?\s]*))?(?P<query>\?\S*)?"
)
_WORDS = re.compile(
    r"(?i)\b(host|server|data source|user|username|user id|uid|password|pwd|port|dbname|database|initial catalog)\s*="
)
_PAIR_PARTS = {
    "host": "host", "server": "host", "data source": "host", "port": "port", "dbname": "name", "database": "name",
    "initial catalog": "name", "user": "user", "username": "user", "user id": "user", "uid": "user",
    "password": "password", "pwd": "password",
}  # fmt: skip
_SECRET = re.compile(
    r"PASSWORD|PASSWD|PASSPHRASE|(^|_)PASS$|SECRET|TOKEN|CREDENTIAL|PRIVATE|(^|_)SALT$|(^|_)DSN$|API_?KEY|(^"
    r"|_)KEYS?$|ENCRYPTION"
    r"|(^|_)PEPPER$|ACCESS_KEY|SIGNING|(^|_)PWD$|CONNECTION_?STRING|WEBHOOK_URL|(^|_)AUTH$|LICENSE_KEY|COOKIE$",
    re.IGNORECASE,
)
_NO_SECRET = re.compile(
    r"PUBLIC|PUBLISHABLE|EXPIR|_TTL|LIFETIME|MINUTES|SECONDS|HOURS|DAYS|LENGTH|ALGORITHM|PREFIX|HEADER|ENABLED?$"
    r"|(?<!WEBHOOK)_URL$|_URI$|_HOST$|_PORT$"
    r"|_NAME$|_ID$|_FILE$|_PATH$|ISSUER|AUDIENCE|ROTATION|(^|_)(MAX|MIN|COUNT|LIMIT)(_|$)|TYPE$|REQUIRED$|VALIDATION",
    re.IGNORECASE,
)
_CREDENTIALS = re.compile(r"^[a-z][a-z0-9+.-]*://[^/\s:@]*:(?P<password>[^@/\s]+)@(?P<host>[^:/?\s]+)", re.IGNORECASE)
_SWITCH = re.compile(r"(true|false|yes|no|on|off|none|\d{1,3})?", re.IGNORECASE)
_PLACEHOLDER = re.compile(r"\$\{[a-z_]+(?:\.[a-z_]+)*\}")


@dataclass(frozen=True)
class Surroundings:
    """What the variables of a service may speak of."""

    database_hosts: Collection[str] = ()
    names: Mapping[str, str] = field(default_factory=dict)  # as the Compose file says them → as Headway does
    shared: Collection[str] = ()  # secrets that stand in the file for a backing service as well
    machine_is_database: bool = False  # in an example: `localhost` means the database


@dataclass
class Variables:
    """What becomes of a service's variables."""

    env: dict[str, str] = field(default_factory=dict)
    secrets: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    of_this_machine: list[str] = field(default_factory=list)

    @property
    def of_database(self) -> dict[str, str]:
        """Those that say where the database is."""
        return {key: text for key, text in self.env.items() if "${database." in text}


def is_secret(key: str, text: str, surroundings: Surroundings) -> bool:
    """Whether a variable holds what must not stand in a file."""
    credentials = _CREDENTIALS.match(text)
    if credentials:
        return credentials["host"] not in surroundings.names and not text.startswith(("http://localhost",))
    if _SWITCH.fullmatch(text) or text in surroundings.shared:
        return False
    return bool(_SECRET.search(key)) and not _NO_SECRET.search(key)


def translate(given: Mapping[str, str], around: Surroundings) -> Variables:
    """Return the variables with the database's address as placeholders, and without secrets and unknown values."""
    found = Variables()
    database = _of_database(given, around)
    for key, text in given.items():
        if key in database:
            found.env[key] = database[key]
        elif is_secret(key, text or "-", around):
            found.secrets += [key] if text else []
        elif unknown_variables(text) or _PLACEHOLDER.search(text):
            found.unknown.append(key)
        else:
            found.env[key] = renamed(text, around.names)
            if re.search(r"//(localhost|127\.0\.0\.1)\b", text):
                found.of_this_machine.append(key)
    return found


def renamed(text: str, names: Mapping[str, str]) -> str:
    """Return a text in which hosts have the names they have under Headway."""
    for before, after in names.items():
        if before != after:
            host = rf"(?:(?<=//)|(?<=@)|(?<=,)|^){re.escape(before)}(?=[:/,?]|$)"
            text = re.sub(host, lambda _, name=after: name, text)  # type: ignore[misc]  # the stubs know one argument
    return text


def _of_database(given: Mapping[str, str], around: Surroundings) -> dict[str, str]:
    """Return those variables that say where the database is, with placeholders."""
    found = {key: text for key, value in given.items() if (text := _address(value, around))}
    hosts = [key for key, value in given.items() if _is_database(value, key, around) and _part(key) == "host"]
    for key in hosts:
        found[key] = "${database.host}"
    stems = tuple(stem for key in hosts if (stem := _stem(key)))
    if not hosts and not (around.database_hosts or around.machine_is_database):
        return found
    for key in given:
        part = _part(key)
        if key in found or part is None or part == "host":
            continue
        if key.upper().startswith(stems) or (_ABOUT_DATABASE.search(key) and _ABOUT_DATABASE.search(_stem(key) or key)):
            found[key] = f"${{database.{part}}}"
    return found


def _address(value: str, around: Surroundings) -> str | None:
    """Return a whole address of the database with placeholders, or none when it is no such address."""
    match = _URL.fullmatch(value.strip())
    if match and _is_host(match["host"], around):
        if match["scheme"] in ("postgres", "postgresql"):
            return f"${{database.url}}{_query(match['query'])}"
        login = "" if match["scheme"].startswith("jdbc:") else "${database.user}:${database.password}@"
        place = f"${{database.host}}:${{database.port}}/${{database.name}}{_query(match['query'])}"
        return f"{match['scheme']}://{login}{place}"
    return _pairs(value, around)


def _pairs(value: str, around: Surroundings) -> str | None:
    """Return `Host=db;Username=app;…` or `host=db user=app …` with placeholders."""
    mark = ";" if ";" in value else " "
    pairs = [part.partition("=") for part in value.split(mark) if part.strip()]
    known = {name.strip().lower(): text.strip() for name, _, text in pairs}
    host = next((known[name] for name in ("host", "server", "data source") if name in known), None)
    if len(pairs) < 2 or not _WORDS.search(value) or host is None or not _is_host(host.partition(",")[0], around):
        return None
    written = []
    for name, sign, text in pairs:
        part = _PAIR_PARTS.get(name.strip().lower())
        written.append(f"{name}{sign}{f'${{database.{part}}}' if part else text}")
    return mark.join(written)


def _query(query: str | None) -> str:
    """Return the options of an address that hold for any server."""
    kept = [
        one
        for one in (query or "").lstrip("?").split("&")
        if one and not one.startswith(("host=", "ssl", "user=", "password="))
    ]
    return f"?{'&'.join(kept)}" if kept else ""


def _is_host(host: str, around: Surroundings) -> bool:
    here = host in ("localhost", "127.0.0.1", "host.docker.internal", "db", "postgres", "database", "HOST", "host")
    return host in around.database_hosts or (around.machine_is_database and (here or bool(unknown_variables(host))))


def _is_database(value: str, key: str, around: Surroundings) -> bool:
    return (
        bool(value)
        and _is_host(value, around)
        and (value in around.database_hosts or bool(_ABOUT_DATABASE.search(key)))
    )


def _part(key: str) -> str | None:
    return next((part for part, like in _PARTS if like.search(key.upper())), None)


def _stem(key: str) -> str | None:
    """Return what the variables of one connection have in common: `DB_` of `DB_HOST`."""
    for _, like in _PARTS:
        if match := like.search(key.upper()):
            return key[: match.start()].upper().rstrip("_")
    return None
