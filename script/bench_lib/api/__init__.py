"""The owner API against bare aiohttp, the disk and a loop of C, in the same run."""
