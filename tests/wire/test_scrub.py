from __future__ import annotations

import pytest

from duologue.wire.scrub import scrub, secrets_in


@pytest.mark.parametrize(
    "secret",
    [
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "auth_tokens/abc-123_x.y",
        "auth_tokens%2Fabc",
        "ya29.a0AfH6SMBx-_1",
    ],
)
def test_credentials_are_recognised(secret: str) -> None:
    assert scrub(f"before {secret} after") == "before [secret] after"


def test_known_secrets_go_and_short_words_stay() -> None:
    assert scrub("handle h-123456 of k", ["h-123456", "k", None, ""]) == "handle [secret] of k"


def test_what_a_setup_pays_others_with() -> None:
    schema = {"type": "OBJECT", "properties": {"apiKey": {"type": "STRING"}, "headers": {"type": "OBJECT"}}}
    setup = {
        "tools": [
            {"parallelAiSearch": {"apiKey": "key-1"}},
            {"retrieval": {"externalApi": {"apiAuth": {"api_key_config": {"api_key_string": "key-2"}}}}},
            {"mcpServers": [{"streamableHttpTransport": {"headers": {"Authorization": "Bearer key-3"}}}]},
            {"functionDeclarations": [{"name": "f", "parameters": schema}]},
        ],
        "sessionResumption": {"handle": "a handle"},
    }
    assert list(secrets_in(setup)) == ["key-1", "key-2", "Bearer key-3"]


def test_a_secret_in_a_url_is_found() -> None:
    secret = "h/123 456+é"
    assert scrub("GET /ws?handle=h%2F123%20456%2B%C3%A9 failed", [secret]) == "GET /ws?handle=[secret] failed"


def test_what_the_url_of_another_server_holds() -> None:
    url = "https://user-1:pass-1@example.com:8443/mcp/x?api_key=key-4&flag&v=2#part"
    setup = {"tools": [{"mcpServers": [{"name": "x", "streamableHttpTransport": {"url": url}}]}]}
    assert list(secrets_in(setup)) == ["user-1", "pass-1", "key-4", "flag", "2"]
    bare = {"streamableHttpTransport": {"url": "https://example.com/mcp"}}
    assert list(secrets_in(bare)) == []
