"""From a sequence to its output: CF attributes, parts by workers, one writer, an exchange in one step."""
