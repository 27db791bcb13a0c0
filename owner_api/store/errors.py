"""Why a store cannot be opened or cannot answer."""


class StoreError(Exception):
    """The store cannot do what was asked; the message says what would help."""


class StoreLockedError(StoreError):
    """Another process holds this database."""


class StoreVersionError(StoreError):
    """The database's schema is newer than this program, or older and may not be changed."""


class StoreUnavailableError(StoreError):
    """The disk or the database refused; nothing of this command was kept."""


class StoreClosedError(StoreError):
    """The store is closed or closing."""
