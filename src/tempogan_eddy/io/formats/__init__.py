"""The formats of this package, one a module."""
