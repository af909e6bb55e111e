// Preloaded into the real Zigbee2MQTT ("node -r"): in place of a radio stick it
// gets one that plays the devices of a JSON file. Only zigbee-herdsman's
// Adapter.create is replaced; controller, database, interview, converters and
// MQTT are the real ones.
//
// Environment: RADIO is the JSON file, RADIO_CONTROL a file that is followed:
// each line that is added to it is a command:
//
//	{"join": "0x…"}    a device of the file that is not paired yet joins
//	{"leave": "0x…"}   a device says that it leaves
//	{"report": "0x…"}  a device reports its state
"use strict";
const fs = require("node:fs");
const path = require("node:path");
const { createRequire } = require("node:module");

const own = createRequire(fs.realpathSync(process.argv[1])); // the program's own modules
const { Adapter } = own("zigbee-herdsman/dist/adapter/adapter");
const Zcl = own("zigbee-herdsman/dist/zspec/zcl");
const Zdo = own("zigbee-herdsman/dist/zspec/zdo");

const radio = JSON.parse(fs.readFileSync(process.env.RADIO, "utf8"));
const clusterID = (name) => (typeof name === "number" ? name : Zcl.Utils.getCluster(name, undefined, {}).ID);
const clusterIDs = (names) => (names ?? []).map(clusterID);

// basic are the attributes of the cluster genBasic that a device answers.
function basic(d) {
	return {
		zclVersion: 3, appVersion: 1, stackVersion: 2, hwVersion: 1, modelId: d.model, manufacturerName: d.maker,
		powerSource: d.type === "EndDevice" ? 3 : 1, swBuildId: d.build, dateCode: d.date,
	};
}

// writeDatabase writes the devices that are paired from the start.
function writeDatabase(file) {
	if (fs.existsSync(file)) return;
	const endpoint = (id, e) => ({
		profId: 260, epId: id, devId: e.device ?? 0, inClusterList: clusterIDs(e.in), outClusterList: clusterIDs(e.out),
		clusters: {}, binds: [], configuredReportings: [], meta: {},
	});
	const lines = [{
		id: 1, type: "Coordinator", ieeeAddr: radio.coordinator, nwkAddr: 0, manufId: 0, epList: [1],
		endpoints: { 1: endpoint(1, { in: ["genBasic", "genOta", "genTime"], out: ["ssIasZone"] }) },
		interviewCompleted: true, interviewState: "SUCCESSFUL", meta: {},
	}];
	for (const d of radio.devices.filter((d) => d.paired)) {
		const done = d.interview !== "FAILED";
		lines.push({
			id: lines.length + 1, type: done ? d.type : "Unknown", ieeeAddr: d.ieee, nwkAddr: d.nwk, manufId: done ? d.code : undefined,
			manufName: d.maker, powerSource: done ? (d.type === "EndDevice" ? "Battery" : "Mains (single phase)") : undefined,
			modelId: d.model, epList: Object.keys(d.endpoints).map(Number),
			endpoints: Object.fromEntries(Object.entries(d.endpoints).map(([n, e]) => [n, endpoint(Number(n), e)])),
			swBuildId: d.build, dateCode: d.date, zclVersion: 3, interviewCompleted: done, interviewState: d.interview ?? "SUCCESSFUL",
			meta: {}, lastSeen: d.silent ? Date.now() - 8 * 24 * 3600e3 : Date.now(),
		});
	}
	fs.writeFileSync(file, lines.map((l) => JSON.stringify(l)).join("\n"));
}

class Radio extends Adapter {
	constructor(...args) {
		super(...args);
		this.hasZdoMessageOverhead = false;
		this.manufacturerID = 0;
		this.waiting = [];
		this.number = 0;
	}

	async start() { return "resumed"; }
	async stop() {}
	async reset() {}
	async getCoordinatorIEEE() { return radio.coordinator; }
	async getCoordinatorVersion() { return { type: radio.type, meta: radio.meta }; }
	async supportsBackup() { return true; }
	async backup() {
		const n = this.networkOptions;
		return {
			networkOptions: {
				panId: n.panID, extendedPanId: Buffer.from(n.extendedPanID), channelList: n.channelList,
				networkKey: Buffer.from(n.networkKey), networkKeyDistribute: false,
			},
			logicalChannel: n.channelList[0], networkKeyInfo: { sequenceNumber: 0, frameCounter: 1 }, securityLevel: 5, networkUpdateId: 0,
			coordinatorIeeeAddress: Buffer.from(radio.coordinator.slice(2), "hex"), devices: [],
		};
	}
	async getNetworkParameters() {
		const n = this.networkOptions;
		return { panID: n.panID, extendedPanID: `0x${Buffer.from(n.extendedPanID).toString("hex")}`, channel: n.channelList[0], nwkUpdateID: 0 };
	}
	async permitJoin() {}
	async addInstallCode() {}
	async sendZclFrameToGroup() {}
	async sendZclFrameToAll() {}
	async setChannelInterPAN() {}
	async restoreChannelInterPAN() {}
	async sendZclFrameInterPANToIeeeAddr() {}
	async sendZclFrameInterPANBroadcast() { throw new Error("nothing near"); }

	find(address) { return radio.devices.find((d) => d.ieee === address || d.nwk === address); }

	reachable(ieee, nwk) {
		const d = this.find(ieee) ?? this.find(nwk);
		if (!d || d.silent) throw new Error(`no acknowledgement from ${ieee}`);
		return d;
	}

	waitFor(address, endpoint, _type, _direction, transactionSequenceNumber, clusterId, commandId, defaultRspCommandId, timeout) {
		const w = { matcher: { address, endpoint, clusterId, commandId, defaultRspCommandId, transactionSequenceNumber } };
		const cancel = () => {
			clearTimeout(w.timer);
			this.waiting = this.waiting.filter((x) => x !== w);
		};
		const promise = new Promise((resolve, reject) => {
			w.resolve = (p) => { cancel(); resolve(p); };
			w.timer = setTimeout(() => { cancel(); reject(new Error(`no answer within ${timeout} ms`)); }, timeout);
		});
		this.waiting.push(w);
		return { promise, cancel };
	}

	// receive hands a frame from a device to the program.
	receive(d, endpoint, frame) {
		const data = frame.toBuffer();
		const payload = {
			clusterID: frame.cluster.ID, address: d.nwk, header: Zcl.Header.fromBuffer(data), data, endpoint,
			linkquality: 120, groupID: 0, wasBroadcast: false, destinationEndpoint: 1,
		};
		for (const w of [...this.waiting]) if (Adapter.zclWaitressValidator(payload, w.matcher)) w.resolve(payload);
		this.emit("zclPayload", payload);
	}

	async sendZdo(ieee, nwk, clusterId, payload, disableResponse) {
		const { ClusterId: C, Status } = Zdo;
		const ok = (r) => [Status.SUCCESS, { nwkAddress: nwk, ...r }];
		if (nwk >= 0xfff8) return disableResponse ? undefined : ok({});
		const self = nwk === 0 && { type: "Coordinator", code: 0, endpoints: { 1: { in: ["genBasic"], out: [] } } };
		const d = self || this.reachable(ieee, nwk);
		if (disableResponse) return undefined;
		switch (clusterId) {
			case C.NODE_DESCRIPTOR_REQUEST:
				return ok({ logicalType: ["Coordinator", "Router", "EndDevice"].indexOf(d.type), manufacturerCode: d.code, serverMask: { stackComplianceRevision: 22 } });
			case C.ACTIVE_ENDPOINTS_REQUEST:
				return ok({ endpointList: Object.keys(d.endpoints).map(Number) });
			case C.SIMPLE_DESCRIPTOR_REQUEST: {
				const endpoint = payload[payload.length - 1];
				const e = d.endpoints[endpoint] ?? {};
				return ok({ length: 0, endpoint, profileId: 260, deviceId: e.device ?? 0, deviceVersion: 0, inClusterList: clusterIDs(e.in), outClusterList: clusterIDs(e.out) });
			}
			case C.LQI_TABLE_REQUEST:
				return ok({ neighborTableEntries: 0, startIndex: 0, entryList: [] });
			case C.ROUTING_TABLE_REQUEST:
				return ok({ routingTableEntries: 0, startIndex: 0, entryList: [] });
			default:
				return ok({});
		}
	}

	async sendZclFrameToEndpoint(ieee, nwk, endpoint, frame, timeout, disableResponse) {
		const d = this.reachable(ieee, nwk);
		const { header, cluster, command, payload } = frame;
		const wait = command.response !== undefined && !disableResponse &&
			this.waitFor(nwk, endpoint, 0, 1, header.transactionSequenceNumber, cluster.ID, command.response, command.ID, timeout);
		const answer = this.answer(d, header, cluster, command, payload);
		if (answer) setImmediate(() => this.receive(d, endpoint, answer));
		return wait ? wait.promise : undefined;
	}

	answer(d, header, cluster, command, payload) {
		const reply = (name, body) => Zcl.Frame.create(Zcl.FrameType.GLOBAL, Zcl.Direction.SERVER_TO_CLIENT, true, header.manufacturerCode,
			header.transactionSequenceNumber, name, cluster.ID, body, {});
		if (header.isGlobal && command.name === "read") return reply("readRsp", payload.map((r) => this.attribute(d, cluster, r.attrId)));
		if (header.isGlobal && command.name === "write") return reply("writeRsp", [{ status: 0 }]);
		if (header.isGlobal && command.name === "configReport") return reply("configReportRsp", [{ status: 0 }]);
		if (header.frameControl.disableDefaultResponse) return undefined;
		return reply("defaultRsp", { cmdId: command.ID, statusCode: 0 });
	}

	attribute(d, cluster, attrId) {
		const a = Object.values(cluster.attributes).find((x) => x.ID === attrId);
		const values = cluster.name === "genBasic" ? basic(d) : d.values ?? {};
		if (!a || values[a.name] === undefined) return { attrId, status: Zcl.Status.UNSUPPORTED_ATTRIBUTE };
		return { attrId, status: 0, dataType: a.type, attrData: values[a.name] };
	}

	// report makes a device say its state, and ask for newer firmware if it can.
	report(d) {
		for (const [n, e] of Object.entries(d.endpoints)) {
			if (e.in?.includes("genOnOff")) {
				this.receive(d, Number(n), Zcl.Frame.create(Zcl.FrameType.GLOBAL, Zcl.Direction.SERVER_TO_CLIENT, true, undefined, this.number++ & 0xff,
					"report", "genOnOff", [{ attrId: 0, dataType: 0x10, attrData: 1 }], {}));
			}
			if (d.image) {
				this.receive(d, Number(n), Zcl.Frame.create(Zcl.FrameType.SPECIFIC, Zcl.Direction.CLIENT_TO_SERVER, true, undefined, this.number++ & 0xff,
					"queryNextImageRequest", "genOta", { fieldControl: 0, manufacturerCode: d.code, imageType: d.image.type, fileVersion: d.image.version }, {}));
			}
		}
	}

	command(line) {
		const c = JSON.parse(line);
		const d = this.find(c.join ?? c.leave ?? c.report);
		if (c.join) this.emit("deviceJoined", { networkAddress: d.nwk, ieeeAddr: d.ieee });
		if (c.leave) this.emit("deviceLeave", { networkAddress: d.nwk, ieeeAddr: d.ieee });
		if (c.report) this.report(d);
	}

	// follow carries out the lines that are added to a file from now on.
	follow(file) {
		fs.closeSync(fs.openSync(file, "a"));
		let done = fs.statSync(file).size;
		setInterval(() => {
			const text = fs.readFileSync(file, "utf8").slice(done);
			const end = text.lastIndexOf("\n") + 1;
			done += end;
			for (const line of text.slice(0, end).split("\n").filter(Boolean)) this.command(line);
		}, 20);
	}
}

writeDatabase(path.join(process.env.ZIGBEE2MQTT_DATA, "database.db"));

Adapter.create = async (...args) => {
	const r = new Radio(...args);
	r.follow(process.env.RADIO_CONTROL);
	return r;
};
