// Keeps the page current and saves loading it anew. Everything works without it.
"use strict";
(() => {
	const root = document.body.dataset.root || "./";
	const toast = document.getElementById("toast");
	let busy = false, stream = null, timer = 0;

	// How long ago something was, as in text.go.
	function ago(then) {
		const s = (Date.now() - then) / 1000;
		if (s < 60) return "just now";
		if (s < 3600) return Math.floor(s / 60) + " min ago";
		if (s < 172800) return Math.floor(s / 3600) + " h ago";
		return Math.floor(s / 86400) + " days ago";
	}
	function times() {
		for (const t of document.querySelectorAll("time[datetime]")) {
			if (t.textContent === "now") continue;
			const text = ago(Date.parse(t.dateTime));
			if (t.textContent !== text) t.textContent = text;
		}
	}

	function say(text) {
		toast.textContent = text;
		toast.classList.toggle("show", text !== "");
		clearTimeout(timer);
		if (text) timer = setTimeout(() => say(""), 6000);
	}

	// Whether the owner is in the middle of something that a new page would undo.
	function occupied() {
		const at = document.activeElement;
		if (at && at.closest("main form") && /^(INPUT|SELECT|TEXTAREA)$/.test(at.tagName) && at.type !== "checkbox") return true;
		return document.querySelector("main details.menu[open]") !== null || String(getSelection()) !== "";
	}

	// Puts a page that was fetched in the place of this one. What is unfolded and
	// chosen stays so.
	function show(html, part) {
		const next = new DOMParser().parseFromString(html, "text/html");
		const open = new Map();
		for (const d of document.querySelectorAll("main details[id]")) open.set(d.id, d.open);
		const chosen = new Set();
		for (const c of document.querySelectorAll("main input[type=checkbox]:checked")) chosen.add(c.value);
		const focus = document.activeElement && document.activeElement.closest("main [href], main summary");
		const where = focus && (focus.getAttribute("href") || focus.parentElement.id);
		for (const [id, is] of open) {
			const d = next.getElementById(id);
			if (d) d.open = is;
		}
		for (const c of next.querySelectorAll("main input[type=checkbox]")) c.checked = chosen.has(c.value);
		for (const select of part ? [part] : ["main", "header nav", "#live"]) {
			const from = next.querySelector(select), to = document.querySelector(select);
			if (from && to) to.replaceWith(document.importNode(from, true));
		}
		if (where) {
			const again = document.querySelector('main [href="' + CSS.escape(where) + '"]') || (document.getElementById(where) || {}).firstElementChild;
			if (again) again.focus({preventScroll: true});
		}
		const notice = document.querySelector("main .notice.done");
		if (notice) { say(notice.textContent); notice.remove(); }
		times();
	}

	async function refresh() {
		if (busy || occupied() || document.hidden) return;
		busy = true;
		try {
			const r = await fetch(clean(location.href), {credentials: "same-origin"});
			if (r.ok) show(await r.text());
			else if (r.status === 401) location.reload();
		} catch { /* the stream says that the agent is away */ }
		busy = false;
	}

	function clean(href) {
		const u = new URL(href);
		u.searchParams.delete("done");
		u.hash = "";
		return u.href;
	}

	function follow() {
		if (stream || !("live" in document.body.dataset) || !window.EventSource) return;
		stream = new EventSource(root + "events");
		let mark = "";
		const state = on => {
			const at = document.querySelector(".live");
			if (at) { at.classList.toggle("on", on); at.title = on ? "This page keeps itself current" : "Not connected; trying again"; }
		};
		stream.addEventListener("hello", e => { state(true); if (mark && mark !== e.data) refresh(); mark = e.data; });
		stream.addEventListener("change", e => { mark = e.data; refresh(); });
		stream.onerror = () => state(false);
	}
	function leave() {
		if (stream) stream.close();
		stream = null;
	}

	document.addEventListener("visibilitychange", () => {
		if (document.hidden) leave();
		else { follow(); refresh(); }
	});

	// form.action would be a button of that name.
	function target(form) { return new URL(form.getAttribute("action"), document.baseURI).href; }

	document.addEventListener("submit", async e => {
		const form = e.target;
		if (form.method === "get" && form.classList.contains("filter")) {
			e.preventDefault();
			filter(form);
			return;
		}
		if (!target(form).endsWith("/do")) return;
		e.preventDefault();
		const data = new URLSearchParams(new FormData(form, e.submitter));
		if (!data.has("device")) { say("Choose a device first."); return; }
		busy = true;
		try {
			const r = await fetch(target(form), {method: "POST", body: data, credentials: "same-origin"});
			if (r.status === 401) { location.href = root + "login?back=" + encodeURIComponent(data.get("back")); return; }
			if (!r.ok) {
				const p = new DOMParser().parseFromString(await r.text(), "text/html").querySelector("main p");
				say(p ? p.textContent : "This was not done.");
			} else {
				document.querySelectorAll("main details.menu[open]").forEach(d => { d.open = false; });
				document.querySelectorAll("main input[type=checkbox]:checked").forEach(c => { c.checked = false; });
				show(await r.text());
			}
		} catch { say("Thingwarden does not answer. Nothing was changed."); }
		busy = false;
	});

	async function filter(form) {
		const u = new URL(target(form));
		for (const [k, v] of new FormData(form)) if (v) u.searchParams.set(k, v);
		try {
			const r = await fetch(u.href, {credentials: "same-origin"});
			if (r.ok) { show(await r.text(), "#list"); history.replaceState(null, "", u.href); }
		} catch { /* as before */ }
	}
	let typing = 0;
	document.addEventListener("input", e => {
		const form = e.target.closest("form.filter");
		if (!form) return;
		clearTimeout(typing);
		typing = setTimeout(() => filter(form), e.target.type === "search" ? 200 : 0);
	});

	document.addEventListener("click", e => {
		const all = e.target.closest("[data-all]");
		if (!all) return;
		const boxes = [...all.form.querySelectorAll("input[type=checkbox]")];
		const on = boxes.some(b => !b.checked);
		for (const b of boxes) b.checked = on;
	});

	// A link to a finding unfolds it.
	function unfold() {
		const d = location.hash && document.getElementById(location.hash.slice(1));
		if (d && d.tagName === "DETAILS") d.open = true;
	}
	addEventListener("hashchange", unfold);

	document.documentElement.classList.add("script");
	if (location.search.includes("done=")) history.replaceState(null, "", clean(location.href) + location.hash);
	unfold();
	times();
	setInterval(() => { if (!document.hidden) times(); }, 30000);
	setInterval(refresh, 60000);
	if (!document.hidden) follow();
})();
