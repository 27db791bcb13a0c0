"""Pure numbers: quote, schedule, wear, dwell."""
