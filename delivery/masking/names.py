"""What looks personal by the name of a column, or of a key within JSON."""

import itertools
import re

from delivery.masking.columns import Column

# Single words, and words that are one when they stand side by side: `first_name`, `zipCode`.
PERSONAL = frozenset(
    re.findall(
        r"\w+",
        """
        name firstname lastname surname forename fullname nickname username maiden initials login author owner contact
        vorname nachname familienname benutzer
        email mail phone telephone tel mobile cell fax telefon handy
        street address addr zip zipcode postcode postal city town strasse adresse anschrift plz ort
        birth birthday birthdate dob born geburtsdatum geburtstag
        iban bic swift account bank card cardnumber pan cvv cvc creditcard kontonummer konto
        ssn tax passport nationality licence license insurance
        ip ipaddress ipaddr useragent mac device fingerprint
        gender sex religion ethnicity salutation
        lat latitude lon lng longitude location geo
        password passwd pwd passphrase token secret apikey credential signature cookie session otp pin hash salt
        comment note message remark feedback bio biography description body
        photo avatar picture portrait
        """,
    )
)
BIRTH = frozenset(["birth", "birthday", "birthdate", "dob", "born", "geburtsdatum", "geburtstag", "death"])
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[^\W\d_]+")


def words_of(name: str) -> tuple[str, ...]:
    """Return the words of a name in snake or camel case, in lower case."""
    return tuple(word.lower() for word in _WORD.findall(name))


def personal_word(name: str) -> str:
    """Return the word of a name that says that what it names is personal, or nothing."""
    words = words_of(name)
    pairs = [first + second for first, second in itertools.pairwise(words)]
    return next((one for word in (*pairs, *words) for one in (word, _singular(word)) if one in PERSONAL), "")


def personal_name(column: Column) -> str:
    """Return the word of a column's name that says that it is personal, or nothing.

    Not of one that says yes or no; of a moment only when it is that of a birth; of a key only when it is text.
    """
    if column.base == "bool":
        return ""
    if column.keyed and column.family in ("number", "uuid"):
        return ""
    word = personal_word(column.name)
    return word if column.family != "date" or word in BIRTH else ""


def _singular(word: str) -> str:
    return word[:-2] if word.endswith("es") and word[:-2] in PERSONAL else word.removesuffix("s")
