"""What every test relies on."""

from __future__ import annotations

import gc
import os
import signal
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import settings
from tests.contract import observer

if TYPE_CHECKING:
    from collections.abc import Generator

# A shell that starts the tests in the background ignores Ctrl-C for them, and what is ignored stays so in the
# programs they start: those could then not be interrupted, which is what some tests are about.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# The same examples in every run, so that a failure is of the change at hand; DUOLOGUE_SEED=random draws new ones.
settings.register_profile(
    "steady", derandomize=os.environ.get("DUOLOGUE_SEED") != "random", deadline=None, database=None
)
settings.load_profile("steady")


def pytest_configure(config: pytest.Config) -> None:
    observer.watch()


def pytest_collection_finish(session: pytest.Session) -> None:
    # Hundreds of tests collect garbage at their end. What is loaded by now is none, and need not be walked each time.
    gc.collect()
    gc.freeze()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_setup(item: pytest.Item) -> Generator[None, Any, Any]:
    observer.OBSERVER.forget()
    return (yield)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    _judge(item)
    return result


@pytest.hookimpl(wrapper=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, Any, Any]:
    result = yield
    _judge(item)
    return result


def _judge(item: pytest.Item) -> None:
    """Fail the test whose frames Google's published contract refuses (see ``tests/contract/observer.py``)."""
    if item.get_closest_marker("off_contract") is not None:
        observer.OBSERVER.forget()
        return
    complaints = observer.OBSERVER.judge()
    if complaints:
        pytest.fail("the published contract refuses what was sent:\n" + "\n".join(complaints), pytrace=False)
