"""Tests of the pure numbers: quote, schedule, wear, dwell."""
