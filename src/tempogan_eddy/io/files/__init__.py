"""Files and URLs: what is there, of what kind it is, and whether it is safe to read."""
