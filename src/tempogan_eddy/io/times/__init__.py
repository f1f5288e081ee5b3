"""What times mean: in coordinates, attributes and names of files; steps between frames."""
