"""A page that shows sequences side by side, in kelvin: served on this machine, or written as static files."""
