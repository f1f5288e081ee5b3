"""A server of the page for this machine only."""

import logging
import socket
import threading
import webbrowser
from collections.abc import Awaitable, Callable

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse

from tempogan_eddy.errors import InputError
from tempogan_eddy.interrupts import cleaned_up
from tempogan_eddy.viewer.site import Site

__all__ = ["listen", "serve", "server_of"]

LOOPBACK = "127.0.0.1"
# Host names of this server; refusing others keeps foreign pages from reaching it through a name that they control.
HOSTS = ("localhost", "127.0.0.1", "[::1]")

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",  # the page keeps what it needs, and the next run may serve other files here
}


def listen(port: int) -> socket.socket:
    """Listen on a port of the loopback interface (0 takes any free one); raise `InputError` if it is taken."""
    try:
        return socket.create_server((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"Port {port} cannot be used ({error}); choose another one, or 0 for any.") from error


def serve(
    site: Site, listener: socket.socket, *, open_browser: bool = True, tell: Callable[[str], None] = print
) -> None:
    """Serve a site on a socket from `listen` until Ctrl-C or SIGTERM, which end it without an error.

    Pass the address to `tell`, and open it in the user's browser if wanted.
    """
    address = f"http://{LOOPBACK}:{listener.getsockname()[1]}/"
    tell(address)
    if open_browser:
        # The socket listens already. A browser in this terminal would block the server without a thread.
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    try:
        with cleaned_up():  # uvicorn handles a signal, and raises it again at its end
            server_of(site, listener).run(sockets=[listener])
    except KeyboardInterrupt:
        pass
    finally:
        listener.close()


def server_of(site: Site, listener: socket.socket) -> uvicorn.Server:
    """Return the server of a site on a port, not yet running."""
    app = _application(site, listener.getsockname()[1])
    return _Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1)
    )


class _Server(uvicorn.Server):
    """Ends silently: requests that the end cancels are no errors."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def _application(site: Site, port: int) -> FastAPI:
    """Return the application, which answers GET of the addresses of a site."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    hosts = {f"{host}:{port}" for host in HOSTS} | (set(HOSTS) if port == 80 else set())

    @app.middleware("http")
    async def guard(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
        """Refuse requests to other hosts, and add the headers to every response."""
        named = [host.lower() for host in request.headers.getlist("host")]
        if len(named) == 1 and named[0] in hosts:
            response = await answer(request)
        else:
            response = Response("This server answers only to its own address.", 403)
        response.headers.update(HEADERS)
        return response

    @app.exception_handler(InputError)
    def refuse(_: Request, error: InputError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.get("/{path:path}")
    def answer(path: str) -> Response:
        found = site.answer(path or "index.html")
        if found is None:
            raise HTTPException(404)
        media_type, content = found
        return Response(content, media_type=media_type)

    return app
