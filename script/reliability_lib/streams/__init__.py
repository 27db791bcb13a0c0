"""Streams that are cut at any moment and go on from the last number they saw."""
