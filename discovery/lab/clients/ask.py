"""Asks a device with a client library that others wrote, and prints what it made
of the answer as JSON: words of discovery/fact and their values."""

import asyncio
import json
import socket
import sys

import aiohttp


async def shelly(host):
    from aioshelly.common import get_info

    async with aiohttp.ClientSession() as session:
        info = await get_info(session, host)
    return {"control.open": not info["auth_en"], "device.firmware": info["ver"], "device.model": info["app"]}


async def wled(host):
    from wled import WLED

    async with WLED(host) as client:
        info = (await client.update()).info
    return {"device.firmware": str(info.version), "device.manufacturer": info.brand}


async def roku(host):
    from rokuecp import Roku

    async with Roku(host) as client:
        info = (await client.update()).info
    model = info.model_name + " " + info.model_number
    return {"device.firmware": info.version, "device.model": model, "device.class": "tv" if info.device_type == "tv" else "media"}


async def hue(host):
    from aiohue.discovery import discover_bridge

    bridge = await discover_bridge(host)
    return {"device.product": "hue-bridge"} if bridge.supports_v2 else {}


async def cast(host):
    from pychromecast.dial import get_device_info

    info = await asyncio.to_thread(get_device_info, host)
    return {"device.model": info.model_name, "device.manufacturer": info.manufacturer}


async def kasa_open(host):
    from kasa import DeviceConfig
    from kasa.protocols import IotProtocol
    from kasa.transports import XorTransport

    protocol = IotProtocol(transport=XorTransport(config=DeviceConfig(host)))
    info = (await protocol.query({"system": {"get_sysinfo": {}}}))["system"]["get_sysinfo"]
    await protocol.close()
    return {"device.model": info["model"], "device.firmware": info["sw_ver"], "control.open": True}


async def kasa_protected(host):
    from kasa import Discover

    found = await Discover.discover(target=host, discovery_timeout=1)
    device = found[host]
    await device.disconnect()
    result = device._discovery_info
    return {"device.model": result["device_model"], "device.set_up": not result["factory_default"]}


async def wiz(host):
    from pywizlight import wizlight

    bulb = wizlight(host)
    info = (await bulb.getBulbConfig())["result"]
    await bulb.async_close()
    return {"device.model": info["moduleName"], "device.firmware": info["fwVersion"]}


async def yeelight(host):
    from yeelight import Bulb

    properties = await asyncio.to_thread(Bulb(host).get_properties, ["power"], True)
    return {"control.open": properties["power"] == "on"}


async def elgato(host):
    from elgato import Elgato

    async with Elgato(host) as client:
        info = await client.info()
    return {"device.model": info.product_name, "device.firmware": info.firmware_version}


async def broadlink(host):
    import broadlink

    device = await asyncio.to_thread(broadlink.hello, host)
    return {"control.open": not device.is_locked}


async def lifx(host):
    from aiolifx.msgtypes import GetHostFirmware
    from aiolifx.unpack import unpack_lifx_message

    question = GetHostFirmware("d0:73:d5:00:00:01", 0x57544854, 0, {}, False, True)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.settimeout(5)
        s.sendto(question.generate_packed_message(), (host, 56700))
        answer = unpack_lifx_message(s.recv(4096))
    return {"device.firmware": f"{answer.version >> 16}.{answer.version & 0xffff}"}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(globals()[sys.argv[1]](sys.argv[2]))))
