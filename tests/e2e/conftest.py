"""What the end-to-end tests share."""

from playwright.async_api import expect

# A busy machine gets its time: what a page should show is awaited, never slept for.
expect.set_options(timeout=90_000)
