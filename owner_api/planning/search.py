"""Exact searches on whole numbers, for functions known to be convex or to change once."""

from collections.abc import Callable


def boundary(good: Callable[[int], bool], bad_at: int, good_at: int) -> int:
    """Return the good place next to the bad ones, `good` changing once in between."""
    while abs(good_at - bad_at) > 1:
        middle = (good_at + bad_at) // 2
        if good(middle):
            good_at = middle
        else:
            bad_at = middle
    return good_at


def fitting(room: Callable[[int], int], near: int, far: int) -> tuple[int, int] | None:
    """Return the ends of the stretch where a concave `room` is not negative."""
    near_fits, far_fits = room(near) >= 0, room(far) >= 0
    if near_fits and far_fits:
        return near, far
    inside = near if near_fits else far if far_fits else None
    if inside is None:
        inside = below_zero(lambda at: -room(at), near, far)
        if inside is None:
            return None
    if not near_fits:
        near = boundary(lambda at: room(at) >= 0, near, inside)
    if not far_fits:
        far = boundary(lambda at: room(at) >= 0, far, inside)
    return near, far


def below_zero(convex: Callable[[int], int], near: int, far: int) -> int | None:
    """Return a place where a convex function is not positive, given that it is at `near`."""
    step = 1 if far > near else -1
    if near == far or convex(near + step) >= convex(near):
        return None
    if convex(far) <= 0:
        return far
    if convex(far - step) >= convex(far):
        return None
    low, high = min(near, far), max(near, far)
    while low <= high:
        third = (high - low) // 3
        left, right = low + third, high - third
        at_left, at_right = convex(left), convex(right)
        if at_left <= 0:
            return left
        if at_right <= 0:
            return right
        if at_left < at_right:
            high = right - 1
        elif at_left > at_right:
            low = left + 1
        else:
            low, high = left + 1, right - 1
    return None
