"""What can be seen to be wrong on a picture of the card, whatever the fonts of the machine."""

from collections import Counter
from dataclasses import dataclass
import io
from typing import Final

from PIL import Image

# Of one colour only: nothing was painted there.
_BLANK: Final = 0.995
# A picture of a light theme is lighter than this on the whole, one of a dark theme darker.
_BETWEEN_LIGHT_AND_DARK: Final = 0.35
# Thin strokes never reach the full colour of a text; computed colours are judged beside.
READABLE: Final = 3.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Spot:
    """A place on the card where something must be seen; ``text`` must stand out from its ground."""

    name: str
    left: float
    top: float
    width: float
    height: float
    text: bool = False


def faults(
    png: bytes, spots: list[Spot], *, width: float, dark: bool, scale: float = 1.0
) -> list[str]:
    """Return what is wrong on a picture that should be ``width`` wide; nothing is as it should."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    found = []
    if picture.width > width * scale + 1:
        found.append(f"{picture.width / scale:g} px wide, {width:g} px are there")
    if _share_of_one_colour(picture) > _BLANK:
        found.append("blank")
    if (_lightness(picture) < _BETWEEN_LIGHT_AND_DARK) is not dark:
        found.append(f"not {'dark' if dark else 'light'}")
    if not spots:
        found.append("no parts")
    for spot in spots:
        box = (spot.left, spot.top, spot.left + spot.width, spot.top + spot.height)
        left, top, right, bottom = (round(edge * scale) for edge in box)
        if left < 0 or top < 0 or right > picture.width + 1 or bottom > picture.height + 1:
            found.append(f"{spot.name}: outside of the picture")
            continue
        part = picture.crop((left, top, right, bottom))
        if _share_of_one_colour(part) > _BLANK:
            found.append(f"{spot.name}: nothing is painted there")
        elif spot.text and (ratio := _contrast(part)) < READABLE:
            found.append(f"{spot.name}: contrast {ratio:.1f}")
    return found


def _share_of_one_colour(picture: Image.Image) -> float:
    """Return how much of a picture has its most frequent colour."""
    pixels = picture.tobytes()
    colours = Counter(zip(pixels[0::3], pixels[1::3], pixels[2::3], strict=True))
    return max(colours.values()) / colours.total() if colours else 1.0


def _lightness(picture: Image.Image) -> float:
    """Return how light a picture is on the whole, from 0 to 1."""
    (level,) = picture.convert("L").resize((1, 1), Image.Resampling.BOX).tobytes()
    return level / 255


def _contrast(picture: Image.Image) -> float:
    """Return the ratio between the lightest and the darkest pixel, 1 to 21."""
    pixels = set(picture.get_flattened_data())
    lights = [_luminance(pixel) for pixel in pixels]
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def _luminance(pixel: tuple[int, int, int]) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [
        channel / 12.92 if channel <= 0.03928 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (each / 255 for each in pixel)
    ]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]
