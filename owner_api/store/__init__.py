"""The durable store: tables, one writer, reads, migrations."""
