"""A connected TCP socket, with one time-out for name and connection together."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from duologue.errors import ConnectError

__all__ = ["give_up", "open_socket"]

_TURNS = 10


async def open_socket(host: str, port: int, timeout_s: float) -> socket.socket:
    """Return a non-blocking socket connected to ``host``, trying its addresses in order.

    Raises:
        ConnectError: No such host, nobody listens, or not within ``timeout_s``.
    """
    where = f"{host}:{port}"
    try:
        async with asyncio.timeout(timeout_s):
            return await _first_that_answers(host, port, timeout_s)
    except TimeoutError as error:
        msg = f"{where} did not accept a connection within {timeout_s:g} s"
        raise ConnectError(msg, phase="connect", retryable=True) from error
    except socket.gaierror as error:
        msg = f"the name {host!r} cannot be resolved: {error.strerror}"
        # "Try again": no name server answered, as while a laptop wakes up.
        raise ConnectError(msg, phase="connect", retryable=error.errno == socket.EAI_AGAIN) from error
    except OSError as error:
        msg = f"the connection to {where} failed: {error.strerror or error}"
        raise ConnectError(msg, phase="connect", retryable=True) from error


async def give_up(sock: socket.socket) -> None:
    """Close a socket that a library may have made a transport of and left behind (picows does, when cancelled).

    Such a transport must notice the end itself: closed under its feet, it would never let go of its number.
    """
    with contextlib.suppress(OSError):  # closed already, or the peer was quicker
        sock.shutdown(socket.SHUT_RDWR)
    for _ in range(_TURNS):  # of the loop: time for a transport to read the end and to close
        if sock.fileno() == -1:
            return
        await asyncio.sleep(0)
    sock.close()


async def _first_that_answers(host: str, port: int, timeout_s: float) -> socket.socket:
    loop = asyncio.get_running_loop()
    infos = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    last: OSError = OSError("the name has no address")
    for family, kind, protocol, _, address in infos:
        sock = socket.socket(family, kind, protocol)
        sock.setblocking(False)
        try:
            # Each address gets its share: one that swallows everything must not use up the others' time.
            async with asyncio.timeout(timeout_s / len(infos)):
                await loop.sock_connect(sock, address)
        except (OSError, TimeoutError) as error:
            sock.close()
            last = error
        except BaseException:
            sock.close()
            raise
        else:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock
    raise last
