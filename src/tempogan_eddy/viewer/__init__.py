"""A page that shows sequences side by side, in kelvin: served on this machine, or exported as static files."""
