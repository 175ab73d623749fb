"""The emulator's certificate: who it is for, how long, and what stays behind."""

from __future__ import annotations

import asyncio
import ssl
import stat
import tempfile
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cryptography import x509

from duologue.emulator.tls import LoopbackTLS

if TYPE_CHECKING:
    from pathlib import Path


async def _certificate_seen_at(address: str, name: str, authority: LoopbackTLS) -> x509.Certificate:
    """Connect to ``address`` asking for ``name``, and return the certificate shown."""
    async with asyncio.timeout(5):
        server = await asyncio.start_server(lambda _r, w: w.close(), address, 0, ssl=authority.server_context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            context = authority.client_context()
            _, writer = await asyncio.open_connection(address, port, ssl=context, server_hostname=name)
            shown = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
            writer.transport.abort()
            return x509.load_der_x509_certificate(shown)


@pytest.mark.parametrize(
    ("address", "name"), [("127.0.0.1", "127.0.0.1"), ("127.0.0.1", "localhost"), ("::1", "::1")]
)
async def test_it_is_good_for_loopback_and_for_days(address: str, name: str) -> None:
    with LoopbackTLS() as authority:
        certificate = await _certificate_seen_at(address, name, authority)
    left = certificate.not_valid_after_utc - datetime.now(UTC)
    assert timedelta(days=1) < left < timedelta(days=10)


async def test_it_is_good_for_no_other_name_but_those_asked_for() -> None:
    with LoopbackTLS() as authority, pytest.raises(ssl.SSLCertVerificationError):
        await _certificate_seen_at("127.0.0.1", "generativelanguage.googleapis.com", authority)
    with LoopbackTLS(("emulator.test",)) as authority:
        await _certificate_seen_at("127.0.0.1", "emulator.test", authority)


async def test_two_authorities_do_not_trust_each_other() -> None:
    with LoopbackTLS() as one, LoopbackTLS() as other:
        server = await asyncio.start_server(lambda _r, w: w.close(), "127.0.0.1", 0, ssl=one.server_context)
        async with server:
            port = server.sockets[0].getsockname()[1]
            with pytest.raises(ssl.SSLCertVerificationError):
                await asyncio.open_connection("127.0.0.1", port, ssl=other.client_context())


def test_the_file_is_private_holds_no_key_and_goes_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with LoopbackTLS() as authority:
        assert stat.S_IMODE(authority.ca_file.stat().st_mode) == 0o600
        assert stat.S_IMODE(authority.ca_file.parent.stat().st_mode) == 0o700
        files = [path for path in tmp_path.rglob("*") if path.is_file()]
        assert files == [authority.ca_file]
        assert b"PRIVATE KEY" not in authority.ca_file.read_bytes()
        ssl.create_default_context(cafile=str(authority.ca_file))
    assert list(tmp_path.iterdir()) == []
