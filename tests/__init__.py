"""Tests of V2G Owner."""
