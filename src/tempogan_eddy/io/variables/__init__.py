"""From a NetCDF, HDF5 or Zarr file to its image variable and the frames in it."""
