"""From the files of an archive to those that continue each other, and so are one sequence."""
