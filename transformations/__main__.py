"""`python -m transformations`."""

from transformations.cli import main

main()
