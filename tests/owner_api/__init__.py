"""Tests of the owner's agent."""
