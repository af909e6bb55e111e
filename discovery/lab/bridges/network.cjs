// The simulated Z-Wave homes, for zwave-js's mock server. Environment: NETWORK is
// weak or hardened. Which security class was granted to a node is not told here
// but in the cache of the driver (cache-weak.jsonl, cache-hardened.jsonl): the
// mock has every key.
"use strict";
const keys = require("./driver.json").securityKeys;

const S0 = 7, S2Unauthenticated = 0, S2Authenticated = 1, S2AccessControl = 2; // zwave-js, SecurityClass

// Command classes by number.
const cc = {
	BinarySwitch: 37, BinarySensor: 48, ZWavePlusInfo: 94, DoorLock: 98, ManufacturerSpecific: 114, SoundSwitch: 121,
	FirmwareUpdate: 122, Battery: 128, WakeUp: 132, Version: 134, Security: 152, Security2: 159,
};

const products = {
	lock: { maker: [59, 25409, 20548], firmware: "3.3", generic: 64, specific: 3, sleeps: "1000ms", has: [cc.DoorLock, cc.Battery] },
	deadbolt: { maker: [297, 32770, 18133], firmware: "7.12", generic: 64, specific: 3, sleeps: "1000ms", has: [cc.DoorLock, cc.FirmwareUpdate] },
	sensor: { maker: [134, 258, 100], firmware: "1.13", generic: 33, specific: 1, has: [cc.BinarySensor] },
	plug: { maker: [634, 257, 13], firmware: "1.2", generic: 16, specific: 1, has: [cc.BinarySwitch] },
	siren: { maker: [881, 3, 162], firmware: "1.5", generic: 16, specific: 5, has: [cc.BinarySwitch, cc.SoundSwitch] },
	silent: { maker: [0, 0, 0], firmware: "1.0", generic: 6, specific: 1, has: [] },
	asleep: { maker: [0, 0, 0], firmware: "1.0", generic: 7, specific: 1, has: [cc.WakeUp], sleeps: true },
};

// node makes a node of a product: capable of S0 and S2 as the list says.
function node(id, product, classes = []) {
	const p = products[product];
	const s2 = classes.some((c) => c !== S0);
	const list = [cc.ManufacturerSpecific, cc.Version, cc.ZWavePlusInfo];
	if (s2) list.push(cc.Security2);
	if (classes.includes(S0)) list.push(cc.Security);
	list.push(...p.has);
	return {
		id,
		capabilities: {
			manufacturerId: p.maker[0], productType: p.maker[1], productId: p.maker[2], firmwareVersion: p.firmware,
			basicDeviceClass: 4, genericDeviceClass: p.generic, specificDeviceClass: p.specific,
			isListening: !p.sleeps, isFrequentListening: typeof p.sleeps === "string" ? p.sleeps : false,
			supportsSecurity: classes.length > 0, securityClasses: new Set(classes),
			commandClasses: list.map((ccId) => ({ ccId, isSupported: true, secure: classes.length > 0 && p.has.includes(ccId), version: ccId === cc.Version ? 2 : 1 })),
		},
	};
}

const homes = {
	weak: {
		homeId: 0xcafe0001,
		nodes: [
			node(2, "lock"), // no security at all
			node(3, "deadbolt", [S2AccessControl]),
			node(4, "sensor", [S2Unauthenticated]),
			node(5, "plug", [S0]),
			node(6, "plug"),
			node(7, "silent"), // dead
			node(8, "asleep"), // never interviewed
			node(10, "deadbolt", [S0, S2AccessControl]), // a door with S0 only
			node(11, "plug", [S0, S2Authenticated]), // S0 though it can do S2
			node(12, "siren"),
		],
		unreachable: [7, 8],
	},
	hardened: {
		homeId: 0xcafe0002,
		nodes: [
			node(3, "deadbolt", [S2AccessControl]),
			node(4, "sensor", [S2Authenticated]),
			node(5, "plug", [S2Authenticated]),
			node(6, "siren", [S2Authenticated]),
		],
		unreachable: [],
	},
};

const home = homes[process.env.NETWORK];

module.exports.default = () => ({
	controller: {
		homeId: home.homeId, ownNodeId: 1,
		capabilities: { manufacturerId: 134, productType: 257, productId: 90, firmwareVersion: "1.15", libraryVersion: "Z-Wave 6.81.6" },
		securityKeys: Object.fromEntries(Object.entries(keys).map(([name, hex]) => [name, Uint8Array.from(Buffer.from(hex, "hex"))])),
	},
	nodes: home.nodes.map((n) => ({ ...n, behaviors: [] })),
	onInit(controller, nodes) {
		for (const n of nodes) if (home.unreachable.includes(n.id)) n.autoAckControllerFrames = false;
		// Joins, without security, when inclusion is started.
		controller.nodePendingInclusion = node(9, "plug", [S2Authenticated]);
	},
});
