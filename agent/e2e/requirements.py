"""Prints the requirements of the integrations that the tests use.

Home Assistant installs an integration's requirements at its first start; the
tests start it without a network, so they are installed before.
"""

import json
import pathlib

import homeassistant.components as components

WANTED = """
mqtt frontend config api history logbook recorder automation script dhcp zeroconf ssdp onboarding person backup
diagnostics hassio analytics mobile_app image event device_automation blueprint lovelace search system_log network camera
conversation stream tts stt image_processing ai_task assist_pipeline assist_satellite ffmpeg go2rtc infrared
radio_frequency zwave_js matter
""".split()
LEFT_OUT = ("openai", "universal-silabs-flasher", "ha-silabs-firmware-client", "zha")

root = pathlib.Path(components.__path__[0])
todo, seen, found = list(WANTED), set(), {"pyotp==2.10.0", "PyQRCode==1.2.1"}
while todo:
    name = todo.pop()
    manifest = root / name / "manifest.json"
    if name in seen or not manifest.exists():
        continue
    seen.add(name)
    data = json.loads(manifest.read_text())
    found.update(data.get("requirements", []))
    todo += data.get("dependencies", [])
for requirement in sorted(found):
    if not requirement.startswith(LEFT_OUT):
        print(requirement)
