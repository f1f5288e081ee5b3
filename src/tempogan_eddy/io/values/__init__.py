"""What stored numbers mean: units, packing, missing and impossible values, texture."""
