"""The HTTP surface: routes, authentication, streams, problems."""
