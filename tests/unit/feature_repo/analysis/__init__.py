"""Tests of feature analysis."""
