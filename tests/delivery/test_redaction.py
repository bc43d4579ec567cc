"""What is secret is taken out in every form in which programs write it."""

import base64
import re

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from delivery.redaction import Redaction

SECRET = "c4n4ry/+of=the?>>?test"
HIDE = Redaction([SecretStr(SECRET)])


@given(st.binary(max_size=40), st.binary(max_size=40))
def test_a_secret_in_base64_is_masked_whatever_stands_around_it(before, after):
    written = base64.b64encode(before + SECRET.encode() + after).decode()

    masked = HIDE.text(f"Authorization: Basic {written}").partition("Basic ")[2]

    head, _, tail = masked.partition("***")
    assert len(head) <= -(-len(before) * 4 // 3) + 1
    assert len(tail) <= -(-len(after) * 4 // 3) + 4


def test_a_secret_in_base64_of_urls_is_masked():
    written = base64.urlsafe_b64encode(f"me:{SECRET}".encode()).decode()

    assert "_" in written
    assert re.fullmatch(r"bWU6\*\*\*.?=*", HIDE.text(written)), HIDE.text(written)


def test_a_short_secret_leaves_words_alone_that_look_like_its_base64():
    short = base64.b64encode(b"abcd").decode()

    assert Redaction([SecretStr("abcd")]).text(f"{short[:5]} abcd") == f"{short[:5]} ***"
