"""Who may call: signing keys, access tokens, refresh tokens and pairing codes, free of HTTP."""
