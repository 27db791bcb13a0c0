"""Ask a server on this machine whether it is well, under TLS or not; exit 0 if it is."""  # noqa: INP001 - no package: copied into the container alone

from http.client import HTTPException
import ssl
import sys
from urllib.request import urlopen


def is_well(address: str, scheme: str) -> bool:
    """Tell whether it answers 200; its certificate is for another name than the one asked at."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    try:
        url = f"{scheme}://{address}/healthz"
        with urlopen(url, timeout=2, context=context) as answer:  # noqa: S310 - both are ours
            return bool(answer.status == 200)
    except OSError, HTTPException:
        return False


if __name__ == "__main__":
    sys.exit(0 if any(is_well(sys.argv[1], scheme) for scheme in ("https", "http")) else 1)
