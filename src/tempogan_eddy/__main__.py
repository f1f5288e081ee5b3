"""``python -m tempogan_eddy``."""

from tempogan_eddy.cli import main

main()
