"""A server of the page for this machine only."""

from __future__ import annotations

import logging
import socket
import threading
import webbrowser
from collections.abc import Callable

import uvicorn
from fastapi import FastAPI, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tempogan_eddy.errors import InputError
from tempogan_eddy.interrupts import cleaned_up
from tempogan_eddy.viewer.site import Site, TileAddress, page_files

__all__ = ["build_app", "listen", "serve", "server_of"]

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
    """Listen on a port of the loopback interface; 0 takes any free one.

    Raises
    ------
    InputError
        The port is taken.
    """
    try:
        return socket.create_server((LOOPBACK, port))
    except (OSError, OverflowError) as error:
        raise InputError(f"Port {port} cannot be used ({error}); choose another one, or 0 for any.") from error


def serve(
    site: Site, listener: socket.socket, *, open_browser: bool = True, tell: Callable[[str], None] = print
) -> None:
    """Serve until Ctrl-C or SIGTERM, which end it without an error.

    Parameters
    ----------
    site : Site
        Scenes to serve.
    listener : socket
        From `listen`.
    open_browser : bool
        Whether to open the page in the user's browser.
    tell : callable
        Called with the address.
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
    app = build_app(site, listener.getsockname()[1])
    return _Server(
        uvicorn.Config(app, log_level="warning", access_log=False, server_header=False, timeout_graceful_shutdown=1)
    )


class _Server(uvicorn.Server):
    """Ends silently: requests that the end cancels are no errors."""

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        await super().shutdown(sockets)


def build_app(site: Site, port: int) -> ASGIApp:
    """Return the application on a port: GET of the files, documents and tiles of the page."""
    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    pages = page_files()

    @app.exception_handler(InputError)
    def refuse(_: Request, error: InputError) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.get("/data/index.json")
    def index() -> Response:
        return Response(site.index(), media_type="application/json")

    @app.get("/data/{number}/scene.json")
    def scene(number: int) -> Response:
        if not 0 <= number < len(site.catalog.names):
            raise HTTPException(404)
        return Response(site.scene(number), media_type="application/json")

    @app.get("/data/{number}/{panel}/{frame}/{level}/{row}-{column}.u16")
    def tile(number: int, panel: str, frame: int, level: int, row: int, column: int) -> Response:
        content = site.tile(TileAddress(number, panel, frame, level, row, column))
        if content is None:
            raise HTTPException(404)
        return Response(content, media_type="application/octet-stream")

    @app.get("/{name}")
    def page(name: str) -> Response:
        media_type, content = pages.get(name, ("", b""))
        if not media_type:
            raise HTTPException(404)
        return Response(content, media_type=media_type)

    @app.get("/")
    def start() -> Response:
        return page("index.html")

    return _Guard(app, port)


class _Guard:
    """Refuses requests to other hosts, and adds the headers to every response."""

    def __init__(self, app: ASGIApp, port: int) -> None:
        self.app = app
        self.hosts = {f"{host}:{port}" for host in HOSTS} | (set(HOSTS) if port == 80 else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
                message = {**message, "headers": [*message.get("headers", []), *extra]}
            await send(message)

        named = [value.decode("latin-1").lower() for name, value in scope["headers"] if name == b"host"]
        if len(named) != 1 or named[0] not in self.hosts:
            await Response("This server answers only to its own address.", 403)(scope, receive, send_with_headers)
        else:
            await self.app(scope, receive, send_with_headers)
