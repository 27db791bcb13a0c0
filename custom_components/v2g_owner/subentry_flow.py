"""Add and change what an account links: what vehicles and chargers share.

The API is master of what a vehicle is; which of the owner's entities speak for it is ours alone.
"""

from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

from homeassistant.config_entries import ConfigSubentryFlow, SubentryFlowResult
from homeassistant.data_entry_flow import FlowResultType
from homeassistant.exceptions import ServiceValidationError
import probatio

from .api_errors import OwnerApiError, OwnerApiProblem
from .coordinator import V2GConfigEntry, V2GCoordinator
from .loading import async_loaded, is_connected
from .subentry_schemas import (
    CONF_DISPLAY_NAME,
    CONF_LINK,
    LINK_NEW,
    facts_form,
    link_schema,
)


class LinkedDeviceFlow(ConfigSubentryFlow):
    """Links a device of the API, made here or already there, to the owner's entities."""

    subject: ClassVar[str]
    resource: ClassVar[str]
    id_key: ClassVar[str]
    facts_schema: ClassVar[probatio.Schema]
    entities_schema: ClassVar[probatio.Schema]
    known_schema: ClassVar[probatio.Schema | None] = None
    """What can be said of a device besides, once it is there."""
    first_schema: ClassVar[probatio.Schema | None] = None
    """The form of entities of a new device where it asks for more than ``entities_schema``."""
    known_steps: ClassVar[tuple[str, ...]] = ("refacts",)
    """What can be changed of a device that the API knows."""
    kept: ClassVar[tuple[str, ...]] = ()
    """What choosing other entities leaves alone: it is chosen in a step of its own."""

    def __init__(self) -> None:
        """Start with nothing chosen."""
        self._device_id: str | None = None
        self._facts: dict[str, Any] = {}
        self._shown: Any = None
        """What the open form showed of the API's values: what is sent rests on it."""

    def _overtaken(self, now: Any) -> bool:  # noqa: ANN401 - facts, a tariff
        """Tell whether somebody changed what the form showed; from now on it shows the newest."""
        shown, self._shown = self._shown, now
        return bool(shown != now)

    @staticmethod
    @abstractmethod
    def body(form: dict[str, Any]) -> dict[str, Any]:
        """Return the API's form of the facts."""

    @staticmethod
    def wrong(form: dict[str, Any]) -> dict[str, str]:  # noqa: ARG004 - every fact may be true
        """Return the fields of the facts that cannot be as they are, and why."""
        return {}

    @property
    def _coordinator(self) -> V2GCoordinator:
        """The account's coordinator."""
        entry: V2GConfigEntry = self._get_entry()
        return entry.runtime_data.coordinator

    def _known(self, coordinator: V2GCoordinator | None = None) -> Mapping[str, Any]:
        """Return the API's devices of this kind by id."""
        data = (coordinator or self._coordinator).data
        devices: Mapping[str, Any] = getattr(data, self.resource)
        return devices

    async def _async_loaded(self) -> bool:
        """Tell whether the account can be asked, once a load that is under way has ended.

        About a device that was deleted since the dialog was opened it cannot.
        """
        return await async_loaded(self._get_entry()) and not self._is_gone

    @property
    def _is_gone(self) -> bool:
        """Tell whether the API no longer knows the device; only of a connected account."""
        return self._device_id is not None and self._device_id not in self._known()

    def _later(self, user_input: dict[str, Any] | None) -> SubentryFlowResult:
        """Say that nobody can be asked now; a form that was sent stays open as it was filled in."""
        sent = self.cur_step
        if is_connected(self._get_entry()) and self._is_gone:
            return self.async_abort(reason="device_gone")
        if user_input is None or sent is None or sent["type"] is not FlowResultType.FORM:
            return self.async_abort(reason="not_loaded")
        schema = sent["data_schema"] or probatio.Schema({})
        return self.async_show_form(
            step_id=sent["step_id"],
            data_schema=self.add_suggested_values_to_schema(schema, user_input),
            errors={"base": "cannot_connect"},
            description_placeholders=sent["description_placeholders"],
        )

    async def async_step_user(self, user_input: dict[str, Any] | None = None) -> SubentryFlowResult:
        """Ask whether the device is new or known to the API already."""
        if not await self._async_loaded():
            return self._later(user_input)
        linked = {subentry.unique_id for subentry in self._get_entry().subentries.values()}
        unlinked = {
            key: device.display_name for key, device in self._known().items() if key not in linked
        }
        if user_input is not None and user_input[CONF_LINK] != LINK_NEW:
            self._device_id = user_input[CONF_LINK]
            return await self.async_step_entities()
        if not unlinked or user_input is not None:
            return await self.async_step_facts()
        return self.async_show_form(step_id="user", data_schema=link_schema(unlinked))

    async def async_step_facts(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask what the device is."""
        errors = self.wrong(user_input) if user_input else {}
        if user_input is not None and not errors:
            self._facts = user_input
            return await self.async_step_entities()
        return self.async_show_form(
            step_id="facts",
            data_schema=self.add_suggested_values_to_schema(self.facts_schema, user_input),
            errors=errors,
        )

    async def async_step_entities(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Ask which entities speak for the device, then make or link it."""
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        if user_input is not None:
            if not await self._async_loaded():
                return self._later(user_input)
            coordinator = self._coordinator
            device_id = self._device_id or await self._async_write(
                self._async_create, errors, placeholders
            )
            if device_id:
                known = self._known(coordinator).get(device_id)
                return self.async_create_entry(
                    title=known.display_name if known else self._facts[CONF_DISPLAY_NAME],
                    data={
                        self.id_key: device_id,
                        **self._remembered(device_id),
                        **user_input,
                    },
                    unique_id=device_id,
                )
        return self.async_show_form(
            step_id="entities",
            data_schema=self.add_suggested_values_to_schema(
                self.first_schema or self.entities_schema, user_input
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    def _remembered(self, device_id: str) -> Mapping[str, Any]:  # noqa: ARG002
        """Return what this home still knows of a device that was linked here before."""
        return {}

    async def async_step_reconfigure(
        self,
        user_input: dict[str, Any] | None = None,  # noqa: ARG002 - a menu asks for none
    ) -> SubentryFlowResult:
        """Ask what to change."""
        if not await self._async_loaded():
            return self._later(None)
        self._device_id = self._get_reconfigure_subentry().data[self.id_key]
        options = ["remap"]
        # The API no longer knows a device that was deleted there: only the mapping is left.
        if self._device_id in self._known():
            options += self.known_steps
        return self.async_show_menu(step_id="reconfigure", menu_options=options)

    async def async_step_remap(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change which entities speak for the device; its history stays."""
        subentry = self._get_reconfigure_subentry()
        if user_input is not None:
            kept = {key: subentry.data[key] for key in self.kept if key in subentry.data}
            return self.async_update_and_abort(
                self._get_entry(),
                subentry,
                data={self.id_key: self._device_id, **kept, **user_input},
            )
        return self.async_show_form(
            step_id="remap",
            data_schema=self.add_suggested_values_to_schema(self.entities_schema, subentry.data),
        )

    async def async_step_refacts(
        self, user_input: dict[str, Any] | None = None
    ) -> SubentryFlowResult:
        """Change what the device is, at the API."""
        if not await self._async_loaded():
            return self._later(user_input)
        coordinator = self._coordinator
        errors: dict[str, str] = {}
        placeholders: dict[str, str] = {}
        current = facts_form(self._known(coordinator)[self._device_id or ""])
        if user_input is None:
            self._shown = current
        elif self._overtaken(current):
            errors["base"], user_input = "changed_meanwhile", current
        elif not (errors := self.wrong(user_input)):
            self._facts = user_input
            if await self._async_write(self._async_change, errors, placeholders):
                return self.async_update_and_abort(
                    self._get_entry(),
                    self._get_reconfigure_subentry(),
                    title=user_input[CONF_DISPLAY_NAME],
                )
            current = facts_form(self._known(coordinator)[self._device_id or ""])
            if self._overtaken(current):
                user_input = current
        return self.async_show_form(
            step_id="refacts",
            data_schema=self.add_suggested_values_to_schema(
                self.known_schema or self.facts_schema, user_input or current
            ),
            errors=errors,
            description_placeholders=placeholders,
        )

    async def _async_create(self) -> str:
        """Make the device at the API and return its id."""
        coordinator = self._coordinator
        view = await coordinator.api.post(f"/v1/{self.resource}", self.body(self._facts))
        coordinator.async_apply(f"{self.subject}.updated", view)
        return str(view[self.id_key])

    async def _async_change(self) -> str:
        """Change the device at the API and return its id."""
        coordinator = self._coordinator
        known = self._known()[self._device_id or ""]
        view = await coordinator.api.patch(
            f"/v1/{self.resource}/{self._device_id}", self.body(self._facts), known.revision
        )
        coordinator.async_apply(f"{self.subject}.updated", view)
        return str(view[self.id_key])

    async def _async_write(
        self,
        write: Callable[[], Any],
        errors: dict[str, str],
        placeholders: dict[str, str],
        *,
        subject: str | None = None,
    ) -> str | None:
        """Write to the API; on a no, show why and the newest values of what was written."""
        # The account may load anew while the API is asked; what was asked is shown all the same.
        coordinator = self._coordinator
        try:
            return str(await write())
        except OwnerApiProblem as error:
            if error.current is not None:
                coordinator.async_apply(f"{subject or self.subject}.updated", error.current)
                errors["base"] = "changed_meanwhile"
            else:
                errors["base"] = "refused"
                placeholders["detail"] = error.placeholders["limits"]
        except OwnerApiError:
            errors["base"] = "cannot_connect"
        except ServiceValidationError as error:
            errors["base"] = error.translation_key or "refused"
            placeholders |= error.translation_placeholders or {}
        return None
