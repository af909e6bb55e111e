"""Sets the integration up without asking for anything."""

from homeassistant.config_entries import ConfigFlow


class LabRouterFlow(ConfigFlow, domain="labrouter"):
    """The dialogue of a user who adds the integration."""

    async def async_step_user(self, user_input=None):
        """Make the entry at once."""
        return self.async_create_entry(title="Lab router", data={})
