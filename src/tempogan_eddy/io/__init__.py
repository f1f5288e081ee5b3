"""Files to sequences (``xarray.DataArray``: time, y, x; kelvin; NaN = missing) and back."""

from tempogan_eddy.io.arrays import Adapted, adapt
from tempogan_eddy.io.grid import coarsen_grid, refine_grid
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
