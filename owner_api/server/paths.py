"""Which operation a path names: fixed paths in a table, the others in a tree of words."""

from dataclasses import dataclass, field
import re
from typing import Final

from aiohttp import web
from aiohttp.web_urldispatcher import AbstractRoute, UrlMappingMatchInfo

_VARIABLE: Final = re.compile(r"\{(\w+)\}")


@dataclass(slots=True)
class _Node:
    """What may follow a word; ``ends`` has the route of each method whose path ends here."""

    words: dict[str, _Node] = field(default_factory=dict)
    variable: _Node | None = None
    ends: dict[str, tuple[AbstractRoute, tuple[str, ...]]] = field(default_factory=dict)


class Paths:
    """Finds an application's routes in as many steps as a path has words, not as it has routes."""

    def __init__(self, app: web.Application) -> None:
        self._app = app
        self._fixed: dict[tuple[str, str], UrlMappingMatchInfo] = {}
        self._root = _Node()
        for route in app.router.routes():
            assert route.resource is not None
            path = route.resource.canonical
            if "{" in path:
                self._plant(route, path)
            else:
                self._fixed[route.method, path] = self._match(route, {})

    def find(self, method: str, path: str) -> UrlMappingMatchInfo | None:
        """Return the match of a path as it was sent; None says nothing: then ask aiohttp.

        A word before a variable, as aiohttp has it. An escaped path is left to aiohttp.
        """
        fixed = self._fixed.get((method, path))
        if fixed is not None or "%" in path or "{" in path or "}" in path:
            return fixed
        node, values = self._root, []
        for word in path[1:].split("/"):
            following = node.words.get(word)
            if following is None:
                following = node.variable
                if following is None or not word:
                    return None
                values.append(word)
            node = following
        end = node.ends.get(method)
        if end is None:
            return None
        route, names = end
        return self._match(route, dict(zip(names, values, strict=True)))

    def _plant(self, route: AbstractRoute, path: str) -> None:
        node, names = self._root, list[str]()
        for word in path[1:].split("/"):
            variable = _VARIABLE.fullmatch(word)
            if variable is None:
                node = node.words.setdefault(word, _Node())
                continue
            names.append(variable[1])
            node.variable = node.variable or _Node()
            node = node.variable
        node.ends[route.method] = (route, tuple(names))

    def _match(self, route: AbstractRoute, values: dict[str, str]) -> UrlMappingMatchInfo:
        match = UrlMappingMatchInfo(values, route)
        match.add_app(self._app)
        match.freeze()
        return match
