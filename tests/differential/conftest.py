"""Both clients are told everything by their arguments: the machine's environment says nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.differential.google import close_clients

from duologue.io.auth import VARIABLES

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def empty_environment() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as environment:
        for name in VARIABLES:
            environment.delenv(name, raising=False)
        yield
    close_clients()
