"""Files to sequences (``xarray.DataArray``: time, y, x; kelvin; NaN = missing) and back.

The way of a file; every step imports only those below it, which ``lint-imports`` checks:

1. `finding` walks the paths that a user names and asks each of the `formats` what a file or folder is; `joining` finds
   the files that continue each other, and reads them as one. `open` chooses among the sequences that were found.
2. `formats` opens one. NetCDF, HDF5 and Zarr lead through `variables`: open the container, choose the variable, its
   dimensions, times and coordinates. PNG and Digital Typhoon frames have folders of their own there.
3. `values`, `times` and `grids` say what numbers mean; `files` tells what a path or URL is, and whether it is safe.
4. `frames` leaves the frames in their file until they are computed; `sequence` checks and states the one data type.
5. `save`, `summary` and `archive` write: `writing` computes and writes parts, `aside` puts the whole in place.

`in_memory` makes sequences of arrays, and gives results the form of their source. `align` pairs several sequences.
"""

from tempogan_eddy.io.grids.refining import coarsen_grid, refine_grid
from tempogan_eddy.io.in_memory.adapting import Adapted, adapt
from tempogan_eddy.io.open import open_sequence, open_sequences
from tempogan_eddy.io.save import check_output, save_sequence
from tempogan_eddy.io.sequence import as_sequence, select_time
from tempogan_eddy.io.summary import save_summary

__all__ = [
    "Adapted",
    "adapt",
    "as_sequence",
    "check_output",
    "coarsen_grid",
    "open_sequence",
    "open_sequences",
    "refine_grid",
    "save_sequence",
    "save_summary",
    "select_time",
]
