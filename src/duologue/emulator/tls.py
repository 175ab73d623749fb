"""A certificate authority for days, for clients that insist on ``wss``.

google-genai for Python forces TLS whatever address it is given, so the emulator brings its own
authority. The authority's key is never written anywhere; its certificate goes into a private
directory that is removed with it.
"""

from __future__ import annotations

import contextlib
import shutil
import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from duologue.errors import ConfigError

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["LoopbackTLS"]

_VALID_DAYS = 7
_NAMES = ("localhost", "127.0.0.1", "::1")


class LoopbackTLS:
    """A server certificate for the loopback names, and the authority that a client has to trust.

    A context manager: ``ca_file`` exists from entering to leaving. It does not touch the trust store
    of the machine; give ``ca_file`` to the client (``SSL_CERT_FILE``, ``cafile=``) or use
    :meth:`client_context`.

    Args:
        hosts: Further host names or addresses the certificate is to be valid for.

    Raises:
        ConfigError: The package ``trustme`` is not installed.
    """

    ca_file: Path

    def __init__(self, hosts: tuple[str, ...] = ()) -> None:
        try:
            import trustme
        except ImportError as error:
            msg = "TLS needs the package trustme: pip install 'duologue[emulator]'"
            raise ConfigError(msg) from error
        # trustme dates an authority far ahead and has no say in it; so this one's key is dropped as
        # soon as it has signed the one certificate, and that one expires in days.
        not_after = datetime.now(UTC) + timedelta(days=_VALID_DAYS)
        authority = trustme.CA(
            path_length=0, organization_name="duologue emulator", organization_unit_name="local testing only"
        )
        names = dict.fromkeys((*_NAMES, *hosts))
        certificate = authority.issue_cert(*names, not_after=not_after)
        self._ca_pem = authority.cert_pem.bytes()
        self.server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self.server_context.minimum_version = ssl.TLSVersion.TLSv1_2
        certificate.configure_cert(self.server_context)  # pyright: ignore[reportUnknownMemberType]: optional pyOpenSSL
        self._directory: Path | None = None

    def __enter__(self) -> LoopbackTLS:
        self._directory = Path(tempfile.mkdtemp(prefix="duologue-ca-"))  # mkdtemp makes it 0700
        self.ca_file = self._directory / "ca.pem"
        self.ca_file.touch(mode=0o600, exist_ok=False)
        self.ca_file.write_bytes(self._ca_pem)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._directory is not None:
            with contextlib.suppress(OSError):
                shutil.rmtree(self._directory)
            self._directory = None

    def client_context(self) -> ssl.SSLContext:
        """Return a context that trusts this authority and no other."""
        return ssl.create_default_context(cadata=self._ca_pem.decode("ascii"))
