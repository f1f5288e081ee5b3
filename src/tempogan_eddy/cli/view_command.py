"""The command that shows sequences in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import history
from tempogan_eddy.cli.progress import frame_progress

__all__ = ["view"]


def view(
    files: Annotated[list[Path], typer.Argument(help="Reconstructions, or any sequences; of one storm, side by side.")],
    truth: Annotated[Path | None, typer.Option(help="The true highres sequence.")] = None,
    lowres: Annotated[
        Path | None,
        typer.Option("--lowres", "--low-res", help="The lowres input; made by the sensor model where left out."),
    ] = None,
    scale: options.Scale = None,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    time_from: options.TimeFrom = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    export: Annotated[
        Path | None, typer.Option(help="Write the page as static files into this folder instead.")
    ] = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """Look at sequences in a browser: side by side or under a slider, in kelvin."""
    from tempogan_eddy.io.ownership import check_place
    from tempogan_eddy.viewer.catalog import Catalog, Request
    from tempogan_eddy.viewer.export import SITE, export_site
    from tempogan_eddy.viewer.server import listen, serve
    from tempogan_eddy.viewer.site import Site

    if export is not None:
        sources = [path for path in (*files, truth, lowres) if path is not None]
        check_place(export, SITE, overwrite=overwrite, sources=sources)
    data = options.settings(config, overrides, variable=variable, time_from=time_from).data
    reading: Any = data.reader_options()
    request = Request(files, truth, lowres, scale, storm, time, data.time_tolerance, reading)
    site = Site(Catalog(request), history())
    if export is not None:
        with frame_progress("exporting") as advance:
            export_site(site, export, advance, overwrite=overwrite)
        print(f"{export}: {sum(1 for _ in site.frames())} frames; open it through any web server")
        return
    serve(site, listen(port), open_browser=browser, tell=lambda address: print(f"{address}  (Ctrl-C ends)", flush=True))
