"""The command that shows sequences in a browser."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli.invocation import history
from tempogan_eddy.cli.options import ConfigPath, Overrides, Overwrite, Storm, Time, TimeFrom, Variable, settings
from tempogan_eddy.cli.progress import frame_progress

__all__ = ["view"]


def view(
    files: Annotated[
        list[Path],
        typer.Argument(help="Reconstructions, or any sequences; of one storm, side by side.", show_default=False),
    ],
    truth: Annotated[Path | None, typer.Option("--truth", help="The true fine sequence.", show_default=False)] = None,
    lowres: Annotated[
        Path | None,
        typer.Option(
            "--low-res",
            "--lowres",
            help="The coarse input; made by the sensor model where left out.",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(min=2, max=64, help="How many times finer, where no file tells.", show_default=False),
    ] = None,
    storm: Storm = None,
    time: Time = None,
    variable: Variable = None,
    time_from: TimeFrom = None,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes any free one.")] = 0,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the page in a browser.")] = True,
    export: Annotated[
        Path | None,
        typer.Option("--export", help="Write the page as static files into this folder instead.", show_default=False),
    ] = None,
    overwrite: Overwrite = False,
    config: ConfigPath = None,
    overrides: Overrides = None,
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
    data = settings(config, overrides, variable=variable, time_from=time_from).data
    options: Any = data.reader_options()
    site = Site(Catalog(Request(files, truth, lowres, scale, storm, time, data.time_tolerance, options)), history())
    if export is not None:
        with frame_progress("exporting") as advance:
            export_site(site, export, advance, overwrite=overwrite)
        print(f"{export}: {sum(1 for _ in site.frames())} frames; open it through any web server")
        return
    serve(site, listen(port), open_browser=browser, tell=lambda address: print(f"{address}  (Ctrl-C ends)", flush=True))
