"""What the end-to-end tests share."""

from typing import Final

from playwright.async_api import expect

# A busy machine gets its time: what a page should show is awaited, never slept for.
expect.set_options(timeout=90_000)

# A walk of minutes with a command of its own: script/newcomer names it, which collects it still.
collect_ignore: Final = ["test_newcomer.py"]
