// Preloaded into zwave-js's mock server ("node -r"): hands it one Serial API
// frame at a time. Without it the mock breaks when an acknowledgement and a
// frame arrive in one TCP segment.
"use strict";
const net = require("node:net");

// next returns the length of the first frame: a data frame (0x01) says its own,
// everything else is one byte. 0 means that it is not complete yet.
function next(b) {
	if (b.length === 0) return 0;
	if (b[0] !== 0x01) return 1;
	return b.length < 2 || b.length < b[1] + 2 ? 0 : b[1] + 2;
}

const createServer = net.createServer;
net.createServer = (onSocket) =>
	createServer((socket) => {
		const on = socket.on.bind(socket);
		socket.on = (event, listener) => {
			if (event !== "data") return on(event, listener);
			let rest = Buffer.alloc(0);
			let last = Promise.resolve();
			return on("data", (chunk) => {
				rest = Buffer.concat([rest, chunk]);
				for (let n = next(rest); n > 0; n = next(rest)) {
					const frame = rest.subarray(0, n);
					rest = rest.subarray(n);
					last = last.then(() => listener(frame));
				}
			});
		};
		onSocket(socket);
	});
