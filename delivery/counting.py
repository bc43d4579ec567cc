"""Numbers with their nouns, as people write them: 1 image, 2 images."""


def counted(number: int, noun: str, plural: str = "") -> str:
    """Return `1 image` or `2 images`; `plural` where it is not the noun with an s."""
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
