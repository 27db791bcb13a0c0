"""The judge of the card's pictures finds what it should, and nothing where all is well."""

import io

from PIL import Image, ImageDraw
import pytest

from .card_picture import Spot, faults

BUTTON = Spot(name="button", left=20, top=20, width=100, height=44)
TITLE = Spot(name="title", left=20, top=80, width=200, height=20, text=True)


def picture(
    *,
    ground: str = "#fafafa",
    ink: str = "#212121",
    button: str | None = "#1565c0",
    width: int = 320,
) -> bytes:
    """Paint something like a card."""
    image = Image.new("RGB", (width, 120), ground)
    pen = ImageDraw.Draw(image)
    if button:
        pen.rectangle((30, 25, 110, 55), fill=button)
    for at in range(22, 200, 6):
        pen.line((at, 82, at, 96), fill=ink)
    file = io.BytesIO()
    image.save(file, "PNG")
    return file.getvalue()


def judged(png: bytes, *, dark: bool = False, spots: list[Spot] | None = None) -> list[str]:
    """Return the faults of a picture that should fit a phone."""
    return faults(png, [BUTTON, TITLE] if spots is None else spots, width=320, dark=dark)


def test_a_good_picture_has_no_fault_in_light_and_dark() -> None:
    assert judged(picture()) == []
    assert judged(picture(ground="#111111", ink="#e1e1e1"), dark=True) == []


@pytest.mark.parametrize(
    ("png", "fault"),
    [
        (picture(ink="#fafafa", button=None), "blank"),
        (picture(button=None), "button: nothing is painted there"),
        (picture(ink="#fafafa"), "title: nothing is painted there"),
        (picture(ink="#cccccc"), "title: contrast 1.5"),
        (picture(width=340), "340 px wide, 320 px are there"),
        (picture(ground="#111111", ink="#e1e1e1"), "not light"),
    ],
)
def test_each_fault_is_found(png: bytes, fault: str) -> None:
    assert fault in judged(png)


def test_a_part_beyond_the_edge_and_a_card_without_parts_are_faults() -> None:
    beyond = Spot(name="button", left=280, top=20, width=100, height=44)
    assert judged(picture(), spots=[beyond]) == ["button: outside of the picture"]
    assert judged(picture(), spots=[]) == ["no parts"]
