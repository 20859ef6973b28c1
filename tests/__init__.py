"""Tests, by what they need: unit, property, integration, contract, e2e."""
