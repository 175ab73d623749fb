"""Token counts under one set of names."""

from __future__ import annotations

from typing import Any

import pytest

from duologue.transport.usage import usage_event


def test_either_case_and_either_backend_read_the_same() -> None:
    camel = {
        "promptTokenCount": 7,
        "candidatesTokenCount": 3,
        "totalTokenCount": 10,
        "promptTokensDetails": [{"modality": "IMAGE", "tokenCount": 7}],
        "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 3}, {"modality": "AUDIO"}],
    }
    snake = {
        "prompt_token_count": 7,
        "response_token_count": 3,
        "total_token_count": 10,
        "prompt_tokens_details": [{"modality": "IMAGE", "token_count": 7}],
        "response_tokens_details": [{"modality": "TEXT", "token_count": 3}],
    }
    for raw in (camel, snake):
        event = usage_event(raw, "final")
        assert event is not None
        assert (event.phase, event.input_tokens, event.output_tokens, event.total_tokens) == (
            "final",
            7,
            3,
            10,
        )
        assert event.modality_breakdown == {"input_image": 7, "output_text": 3}
        assert event.provider_raw is raw


@pytest.mark.parametrize(
    "raw", [{}, {"thoughtsTokenCount": 5}, {"promptTokenCount": "many"}, {"totalTokenCount": float("nan")}]
)
def test_without_any_count_there_is_no_event(raw: dict[str, Any]) -> None:
    assert usage_event(raw, "update") is None


def test_zero_is_a_count() -> None:
    event = usage_event({"totalTokenCount": 0}, "update")
    assert event is not None
    assert event.total_tokens == 0
    assert event.input_tokens is None
    assert event.modality_breakdown == {}
