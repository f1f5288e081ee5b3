"""What places mean: roles of coordinates, layouts, spacing, and finer or coarser grids."""
