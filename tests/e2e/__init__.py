"""End-to-end tests against a real Home Assistant and a real owner API."""
