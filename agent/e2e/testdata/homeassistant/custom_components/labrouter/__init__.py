"""An integration of the tests that knows a device of the lab by its MAC address.

The address is in labrouter.txt in the configuration folder.
"""

from pathlib import Path

from homeassistant.helpers import device_registry


async def async_setup_entry(hass, entry):
    """Register the device."""
    file = Path(hass.config.path("labrouter.txt"))
    mac = await hass.async_add_executor_job(file.read_text)
    device_registry.async_get(hass).async_get_or_create(
        config_entry_id=entry.entry_id,
        identifiers={("labrouter", mac)},
        connections={(device_registry.CONNECTION_NETWORK_MAC, mac)},
        name="Camera as the router knows it",
    )
    return True


async def async_unload_entry(hass, entry):
    """Have nothing to undo."""
    return True
