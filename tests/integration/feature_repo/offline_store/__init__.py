"""Tests of historical retrieval through Feast and real stores."""
