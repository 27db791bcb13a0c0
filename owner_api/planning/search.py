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


def crossing(value: Callable[[int], int], bad_at: int, good_at: int, *, bad: int, good: int) -> int:
    """Return the good place next to the bad ones, `value` crossing from `bad` < 0 to `good` >= 0.

    Interpolates, because what is searched here is nearly linear; halves when that is slow.
    """
    halve = False
    while abs(good_at - bad_at) > 1:
        width = good_at - bad_at
        step = width // 2 if halve else width * -bad // (good - bad)
        guess = bad_at + (
            max(1, min(step, width - 1)) if width > 0 else min(-1, max(step, width + 1))
        )
        found = value(guess)
        if found >= 0:
            good_at, good = guess, found
        else:
            bad_at, bad = guess, found
        halve = 2 * abs(good_at - bad_at) > abs(width) and not halve
    return good_at


def fitting(room: Callable[[int], int], near: int, far: int) -> tuple[int, int] | None:
    """Return the ends of the stretch where a concave `room` is not negative."""
    at_near, at_far = room(near), room(far)
    if at_near >= 0 and at_far >= 0:
        return near, far
    inside = near if at_near >= 0 else far if at_far >= 0 else None
    if inside is None:
        inside = below_zero(lambda at: -room(at), near, far)
        if inside is None:
            return None
    at_inside = max(at_near, at_far) if inside in (near, far) else room(inside)
    if at_near < 0:
        near = crossing(room, near, inside, bad=at_near, good=at_inside)
    if at_far < 0:
        far = crossing(room, far, inside, bad=at_far, good=at_inside)
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
