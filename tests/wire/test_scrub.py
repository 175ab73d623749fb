from __future__ import annotations

import pytest

from duologue.wire.scrub import scrub


@pytest.mark.parametrize(
    "secret",
    ["AIzaSyA1234567890abcdefghijklmnopqrstuv", "auth_tokens/abc-123_x.y", "ya29.a0AfH6SMBx-_1"],
)
def test_credentials_are_recognised(secret: str) -> None:
    assert scrub(f"before {secret} after") == "before [secret] after"


def test_known_secrets_go_and_short_words_stay() -> None:
    assert scrub("handle h-123456 of k", ["h-123456", "k", None, ""]) == "handle [secret] of k"
