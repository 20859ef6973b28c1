"""`python -m serving_gateway`."""

from serving_gateway.cli import main

main()
