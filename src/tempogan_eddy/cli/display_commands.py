"""Commands that show sequences: view, in a browser; animate, as a moving picture."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import typer

from tempogan_eddy.cli import options
from tempogan_eddy.cli.files import history, read_one_of
from tempogan_eddy.cli.progress import frame_progress
from tempogan_eddy.errors import InputError
from tempogan_eddy.wording import count

__all__ = ["animate", "view"]


def animate(
    sources: Annotated[
        list[Path],
        typer.Argument(
            metavar="IN...", callback=options.existing, help="One a panel: NetCDF, Zarr, PNG or Digital Typhoon."
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            help="NAME.webp (best: small, or exact with --quality 100), .gif (plays everywhere, exact colours, large), "
            ".png (animated, exact, largest) or .mp4 (for players; its colours are the least exact).",
        ),
    ],
    labels: Annotated[str | None, typer.Option(help="A word or two over each panel, with commas between.")] = None,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
    time_from: options.TimeFrom = None,
    colours: options.Colours = "infrared",
    width: Annotated[
        int, typer.Option(min=160, max=8000, help="Pixels at most; enlarged only by whole numbers.")
    ] = 1200,
    fps: Annotated[float, typer.Option(min=0.1, max=60, help="Frames a second.")] = 6.0,
    crop: Annotated[
        str | None,
        typer.Option(
            help="TOP,LEFT,HEIGHT,WIDTH in pixels of the finest panel, or whole. By default a frame that is too wide "
            "for its panel is cropped to the coldest and most changing square."
        ),
    ] = None,
    every: Annotated[int, typer.Option(min=1, help="Show each n-th frame only.")] = 1,
    members: Annotated[
        str | None,
        typer.Option(
            "--members",
            "--member",
            help="Of an ensemble: names of members, mean, spread, a panel each, with commas between; else the first.",
        ),
    ] = None,
    lines: Annotated[
        bool, typer.Option("--map/--no-map", help="Draw coastlines and a graticule where places are known.")
    ] = True,
    quality: Annotated[int, typer.Option(min=1, max=100, help="Of WebP; 100 keeps every colour exactly.")] = 80,
    credit: options.Credit = "",
    input_format: options.InputFormat = None,
    overwrite: options.Overwrite = False,
    config: options.ConfigPath = None,
    overrides: options.Overrides = None,
) -> None:
    """Animate sequences side by side, with a legend in kelvin."""
    from tempogan_eddy.display.animation import Animation
    from tempogan_eddy.display.film import busiest_window, film_of
    from tempogan_eddy.display.movie import check_name, save_animation
    from tempogan_eddy.display.palettes import PALETTES
    from tempogan_eddy.io.variables.selection import require_selection

    check_name(output, overwrite=overwrite, sources=sources)
    window = None if crop == "whole" else _window(crop)
    names = _labels(labels, sources)
    data = options.reading(config, overrides, variable=variable, select=select, time_from=time_from)
    sequences = [read_one_of(source, storm, time, input_format, data) for source in sources]
    require_selection(sequences, data.select)
    film = film_of(sequences, names, every, [name.strip() for name in members.split(",")] if members else ())
    film = film if lines else replace(film, places=None)
    look: Any = {"palette": PALETTES[colours], "width": width, "credit": credit}
    animation = Animation(film, crop=window, **look)
    if crop is None and animation.shown[1] < film.size[1]:
        window = busiest_window(film, max(animation.shown[1], min(film.size) // 2))
        animation = Animation(film, crop=window, **look)
        print(f"cropped to --crop {','.join(map(str, window))}, the coldest and most changing part (--crop whole: all)")
    with frame_progress("animating", len(animation)) as advance:
        save_animation(animation, output, fps=fps, quality=quality, overwrite=overwrite, on_frame=advance)
    size = output.stat().st_size / 1e6
    print(f"{output}: {count(len(animation), 'frame')} of {animation.size[0]}x{animation.size[1]}, {size:.1f} MB")


def _labels(text: str | None, sources: list[Path]) -> list[str]:
    if text is None:
        return [source.resolve().stem for source in sources]
    names = [name.strip() for name in text.split(",")]
    if len(names) != len(sources):
        raise InputError(
            f"There are {len(sources)} inputs and {len(names)} labels; give one label for each (--labels)."
        )
    return names


def _window(text: str | None) -> tuple[int, int, int, int] | None:
    if text is None:
        return None
    try:
        top, left, height, width = (int(part) for part in text.split(","))
    except ValueError:
        raise InputError(
            f"The crop {text!r} is neither whole nor TOP,LEFT,HEIGHT,WIDTH in pixels, such as 128,128,256,256."
        ) from None
    return top, left, height, width


def view(
    files: Annotated[
        list[Path],
        typer.Argument(
            callback=options.existing, help="Reconstructions, or any sequences; of one storm, side by side."
        ),
    ],
    truth: Annotated[Path | None, typer.Option(callback=options.existing, help="The true highres sequence.")] = None,
    lowres: Annotated[
        Path | None,
        typer.Option(
            "--lowres",
            "--low-res",
            callback=options.existing,
            help="The lowres input; made by the sensor model where left out.",
        ),
    ] = None,
    scale: options.Scale = None,
    storm: options.Storm = None,
    time: options.Time = None,
    variable: options.Variable = None,
    select: options.Select = None,
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
    """Look at sequences side by side in a browser."""
    from tempogan_eddy.io.ownership import check_place
    from tempogan_eddy.viewer.catalog import Catalog, Request
    from tempogan_eddy.viewer.export import SITE, export_site
    from tempogan_eddy.viewer.site import Site

    if export is None:  # imported before files are read, because the extra may be missing
        from tempogan_eddy.viewer.server import listen, serve
    else:
        sources = [path for path in (*files, truth, lowres) if path is not None]
        check_place(export, SITE, overwrite=overwrite, sources=sources)
    data = options.reading(config, overrides, variable=variable, select=select, time_from=time_from)
    reading: Any = data.reader_options()
    request = Request(files, truth, lowres, scale, storm, time, data.time_tolerance, reading)
    site = Site(Catalog(request), history(), live=export is None)
    if export is not None:
        with frame_progress("exporting") as advance:
            export_site(site, export, advance, overwrite=overwrite)
        print(f"{export}: {count(sum(1 for _ in site.frames()), 'frame')}; open it through any web server")
        return
    serve(site, listen(port), open_browser=browser, tell=lambda address: print(f"{address}  (Ctrl-C ends)", flush=True))
