"""`python -m feature_repo`."""

from feature_repo.cli import main

main()
