// The page of the sandbox. It shows the snapshot that the server sends after each change, and keeps
// the elements of what did not change, so that focus, scrolling and typed text stay.
//
// Names, texts and numbers come from strangers. They reach the page as text only, never as markup.

const byId = (id) => document.getElementById(id);

/** The last snapshot, or null before the first. */
let snapshot = null;
/** When the last snapshot arrived, in milliseconds of `performance.now()`. */
let receivedAt = 0;
/** The number of the chosen phone, or null. */
let chosen = null;
/** For each phone, the time of the newest message that was shown. */
const seen = new Map();
/** For each phone, the text that is being written. */
const drafts = new Map();
/** Whether the person opened the setup section. */
let setupOpen = false;

// --- The connection --------------------------------------------------------------------------------------------------

/** Whether changes arrive. The first one arrives at once. */
let connected = false;

/** Listens for changes. EventSource reconnects by itself, unless it was refused. */
function connect() {
  const events = new EventSource("/sandbox/events");
  events.addEventListener("change", refresh);
  events.addEventListener("open", () => (connected = true));
  events.addEventListener("error", () => {
    connected = false;
    showConnection("reconnecting");
    if (events.readyState === EventSource.CLOSED) {
      setTimeout(connect, RECONNECT_MS);
    }
  });
}

function showConnection(state) {
  byId("connection").dataset.state = state;
  setText(byId("connection"), state === "live" ? "Live" : "Reconnecting");
}

let refreshing = false;
let changedMeanwhile = false;

/** Fetches and shows the snapshot: one fetch at a time, and one more if something changed during it. */
async function refresh() {
  changedMeanwhile = true;
  if (refreshing) return;
  refreshing = true;
  try {
    while (changedMeanwhile) {
      changedMeanwhile = false;
      const response = await fetch("/sandbox/snapshot", { cache: "no-store" });
      if (!response.ok) throw new Error(`the sandbox returned status ${response.status}`);
      const next = await response.json();
      receivedAt = performance.now();
      show(next);
      // Not before the page shows what the sandbox has.
      if (connected) showConnection("live");
    }
  } catch (error) {
    // The next event fetches again. A server that is gone is shown by the connection's state.
    if (!(error instanceof TypeError)) notify(`Cannot show the sandbox: ${error.message}`, true);
  } finally {
    refreshing = false;
  }
}

/** Posts to a control call. Returns its response, or null if it was refused, which is shown. */
async function post(path, body) {
  try {
    const response = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify(body),
    });
    const result = await response.json();
    if (response.ok) return result;
    notify(result.data?.error ?? `The sandbox returned status ${response.status}.`, true);
  } catch {
    notify("The sandbox cannot be reached.", true);
  }
  return null;
}

// --- Rendering -------------------------------------------------------------------------------------------------------

function show(next) {
  const previous = snapshot;
  snapshot = next;
  if (previous) {
    // After a reset or a restart, the clock may be behind what was seen.
    if (next.now < previous.now) seen.clear();
    announce(previous, next);
  }
  render();
}

function render() {
  const phones = phonesOf(snapshot);
  if (!phones.some((phone) => phone.number === chosen)) choose(phones[0]?.number ?? null);

  const focused = document.activeElement;
  renderPhones(phones);
  renderSessions();
  renderConversation(phones.find((phone) => phone.number === chosen));
  renderSetup(phones.length === 0);
  renderRequests();
  renderWebhooks();
  renderFaults();
  renderTimes();
  byId("loading").hidden = true;
  // An element that moved to another place has lost the focus.
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}

/** Returns the phones, newest first, each with its messages and texts in order. */
function phonesOf({ messages, texts, sessions }) {
  const phones = new Map();
  const phone = (number) => {
    if (!phones.has(number)) phones.set(number, { number, entries: [], newest: "" });
    return phones.get(number);
  };
  for (const message of messages) phone(message.to).entries.push({ ...message, sent: false });
  for (const text of texts) phone(text.from).entries.push({ ...text, text: text.body, sent: true });
  for (const session of sessions) phone(session.number).newest = startOf(session);
  for (const one of phones.values()) {
    one.entries.sort((a, b) => compare(a.at, b.at));
    const last = one.entries.at(-1)?.at ?? "";
    if (last > one.newest) one.newest = last;
  }
  return [...phones.values()].sort((a, b) => compare(b.newest, a.newest));
}

const startOf = (session) => new Date(Date.parse(session.expires_at) - SESSION_MS).toISOString();

function renderPhones(phones) {
  const isShown = !document.hidden;
  let unreadTotal = 0;
  byId("no-phones").hidden = phones.length > 0;
  for (const phone of phones) {
    const received = phone.entries.filter((entry) => !entry.sent);
    if (phone.number === chosen && isShown) seen.set(phone.number, received.at(-1)?.at ?? "");
    phone.unread = received.filter((entry) => entry.at > (seen.get(phone.number) ?? "")).length;
    unreadTotal += phone.unread;
  }
  document.title = unreadTotal > 0 ? `(${unreadTotal}) Contiguity sandbox` : "Contiguity sandbox";

  const shown = phones.map(({ number, entries, unread }) => ({
    number,
    unread,
    preview: entries.at(-1)?.text ?? "Reverse session",
    isChosen: number === chosen,
  }));
  reconcile(
    byId("phones"),
    "phone-item",
    shown,
    (phone) => phone.number,
    (item, phone) => {
      fill(item, { number: phone.number, preview: phone.preview, unread: phone.unread ? `${phone.unread} new` : "" });
      const button = item.querySelector("button");
      button.dataset.number = phone.number;
      button.ariaCurrent = phone.isChosen ? "true" : null;
    },
  );
}

function renderSessions() {
  const sessions = snapshot.sessions.toReversed();
  byId("no-sessions").hidden = sessions.length > 0;
  byId("sessions").hidden = sessions.length === 0;
  reconcile(
    byId("sessions"),
    "session-item",
    sessions,
    (session) => session.otp_id,
    (item, session) => {
      const { number, to, factor, otp_id, success_url } = session;
      fill(item, { number, to, factor, otp_id, success_url: success_url && `posts to ${success_url}` });
      item.dataset.expiresAt = session.expires_at;
      item.dataset.status = session.status;
      item.dataset.number = number;
      const link = field(item, "link");
      link.textContent = `Text ${factor}`;
      if (session.link?.startsWith("sms:")) link.href = session.link;
    },
  );
}

function renderConversation(phone) {
  byId("phone").hidden = !phone || setupOpen;
  if (!phone) return;
  setText(byId("phone-title"), phone.number);

  const code = newestCode();
  byId("code").hidden = code === null;
  setText(byId("code").querySelector(".digits"), code ?? "");

  const messages = byId("messages");
  const isAtEnd = messages.scrollHeight - messages.scrollTop - messages.clientHeight < 8;
  const isOtherPhone = messages.dataset.number !== phone.number;
  messages.dataset.number = phone.number;
  keepScroll(messages, () => {
    reconcile(messages, "message-item", phone.entries, entryKey, (item, entry) => {
      item.classList.toggle("sent", entry.sent);
      fill(item, {
        sender: entry.sent ? "You: " : "Service: ",
        text: entry.text,
        at: entry.at,
        about: entry.sent ? `· to ${entry.to} · ${outcome(entry)}` : `· language ${entry.language} ·`,
        otp_id: entry.sent ? entry.verified.join(", ") : entry.otp_id,
      });
    });
  });
  if (isAtEnd || isOtherPhone) messages.scrollTop = messages.scrollHeight;
}

const entryKey = (entry) => [entry.sent, entry.at, entry.from ?? entry.to, entry.otp_id, entry.text].join(" ");

const outcome = (text) => (text.verified.length > 0 ? "verified" : "no session waits for this text");

function renderSetup(isEmpty) {
  const { origin, protocol, hostname } = location;
  const variables = [`export CONTIGUITY_BASE_URL=${origin}`, `export CONTIGUITY_API_KEY=${snapshot.api_key}`];
  if (protocol === "http:" && !LOOPBACK.test(hostname)) variables.push("export CONTIGUITY_ALLOW_INSECURE_HTTP=1");
  setText(byId("variables"), variables.join("\n"));
  setText(
    byId("curl"),
    [
      `curl ${origin}/otp/new`,
      `-H 'Authorization: Token ${snapshot.api_key}'`,
      "-H 'Content-Type: application/json'",
      `-d '{"to":"+14155552671","language":"en","name":"MyApp"}'`,
    ].join(" \\\n  "),
  );
  byId("setup").hidden = !(isEmpty || setupOpen);
  byId("setup-toggle").hidden = isEmpty;
  byId("setup-toggle").ariaExpanded = String(setupOpen);
}

function renderRequests() {
  const list = byId("requests");
  const requests = snapshot.requests.toReversed();
  keepScroll(list, () => {
    reconcile(
      list,
      "request-item",
      requests,
      (r) => [r.at, r.method, r.path, r.body].join(" "),
      (item, request) => {
        const { method, path, at } = request;
        fill(item, { method, path, at, fault: request.fault && `fault: ${request.fault}` });
        showStatus(field(item, "status"), request.status, "dropped");
        const details = item.querySelector("details");
        const showBodies = () => {
          if (details.open) fill(item, { body: pretty(request.body), response: pretty(request.response) });
        };
        details.ontoggle = showBodies;
        showBodies();
      },
    );
    filterRequests(list, requests);
  });
  count("requests-tab", requests.length);
}

/** Hides what the filter does not select. Hidden requests keep their details open. */
function filterRequests(list, requests) {
  const text = byId("filter-text").value.trim().toLowerCase();
  const endpoint = byId("filter-endpoint").value;
  const status = byId("filter-status").value;
  let matching = 0;
  requests.forEach((request, index) => {
    const matches = hasText(request, text) && hasEndpoint(request, endpoint) && hasStatus(request, status);
    list.children[index].hidden = !matches;
    if (matches) matching += 1;
  });
  const isFiltered = text || endpoint || status;
  const summary = isFiltered ? `${matching} of ${requests.length} requests match.` : "";
  setText(byId("no-requests"), requests.length === 0 ? "No requests yet." : summary);
  list.hidden = matching === 0;
}

function hasText({ method, path, body, response, fault, status }, text) {
  const all = [`${method} ${path}`, body, response, fault, status];
  return all.join("\n").toLowerCase().includes(text);
}

function hasEndpoint({ method, path }, endpoint) {
  const line = `${method} ${path}`;
  const isOf = (one) => (one.endsWith("/") ? line.startsWith(one) : line === one);
  if (endpoint !== "other") return endpoint === "" || isOf(endpoint);
  const named = [...byId("filter-endpoint").options].map((option) => option.value).filter((one) => one.includes("/"));
  return !named.some(isOf);
}

function hasStatus({ status }, wanted) {
  if (wanted === "") return true;
  return wanted === "dropped" ? status === null : String(status).startsWith(wanted);
}

function renderWebhooks() {
  const webhooks = snapshot.webhooks.toReversed();
  byId("no-webhooks").hidden = webhooks.length > 0;
  const list = byId("webhooks");
  list.hidden = webhooks.length === 0;
  keepScroll(list, () => {
    reconcile(
      list,
      "webhook-item",
      webhooks,
      (one) => `${one.event_id} ${one.attempt}`,
      (item, webhook) => {
        const { url, at, error, event_id, otp_id } = webhook;
        fill(item, {
          url,
          at,
          attempt: `· attempt ${webhook.attempt}`,
          error: error && `· ${error}`,
          event_id,
          otp_id,
        });
        showStatus(field(item, "status"), webhook.status, error ? "failed" : "sending");
      },
    );
  });
  count("webhooks-tab", webhooks.length);
}

function renderFaults() {
  const { queued, standing } = snapshot.faults;
  const faults = [
    ...queued.map((fault) => ({ ...fault, when: fault.times > 1 ? `next ${fault.times}` : "next" })),
    ...standing.map((fault) => ({ ...fault, when: "always" })),
  ];
  byId("no-faults").hidden = faults.length > 0;
  byId("heal").hidden = faults.length === 0;
  reconcile(
    byId("faults"),
    "fault-item",
    faults,
    (fault) => JSON.stringify(fault),
    (item, fault) => {
      fill(item, { when: fault.when, what: describeFault(fault) });
    },
  );
  count("faults-tab", faults.length);
}

function describeFault(fault) {
  const { options } = byId("fault").elements.fault;
  const name = [...options].find((option) => option.value === fault.fault)?.text ?? fault.fault;
  const parts = [fault.fault === "status" ? `Status ${fault.status}` : name];
  if (fault.fault === "delay") parts.push(`${fault.seconds} s`);
  if (fault.after_acting) parts.push("after acting");
  if (fault.retry_after != null) parts.push(`Retry-After ${fault.retry_after} s`);
  if (fault.endpoint) parts.push(`on ${fault.endpoint}`);
  if (fault.number) parts.push(`for ${fault.number}`);
  return parts.join(" · ");
}

/** Shows the clock, and the time left of each session. Runs every second. */
function renderTimes() {
  if (!snapshot) return;
  const now = Date.parse(snapshot.now) + performance.now() - receivedAt;
  setText(byId("now"), DATE_AND_TIME.format(now));
  for (const item of byId("sessions").children) {
    const left = Date.parse(item.dataset.expiresAt) - now;
    const state = item.dataset.status === "pending" && left <= 0 ? "expired" : item.dataset.status;
    const isPending = state === "pending";
    setText(field(item, "state"), state);
    field(item, "state").dataset.state = state;
    setText(field(item, "left"), isPending ? `${timeLeft(left)} left` : "");
    field(item, "link").hidden = !isPending;
  }
}

function timeLeft(milliseconds) {
  const seconds = Math.ceil(milliseconds / 1000);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Reads new messages to people who do not see them. */
function announce(previous, next) {
  const known = new Set(previous.messages.map(entryKey));
  const news = next.messages.filter((message) => !known.has(entryKey(message)));
  if (news.length > 0) setText(byId("announcer"), news.map((one) => `Message to ${one.to}: ${one.text}`).join(" "));
}

// --- Elements --------------------------------------------------------------------------------------------------------

/**
 * Makes the children of `list` those of `items`, in order. An item that is known keeps its element,
 * and `update` runs only for items that are new or have changed.
 */
function reconcile(list, template, items, keyOf, update) {
  const known = new Map([...list.children].map((child) => [child.key, child]));
  const wanted = new Map();
  for (const item of items) {
    let key = keyOf(item);
    while (wanted.has(key)) key += "+"; // equal items
    wanted.set(key, item);
  }
  for (const [key, child] of known) if (!wanted.has(key)) child.remove();

  let place = list.firstElementChild;
  for (const [key, item] of wanted) {
    const child = known.get(key) ?? byId(template).content.firstElementChild.cloneNode(true);
    const content = JSON.stringify(item);
    if (child.content !== content) update(child, item);
    Object.assign(child, { key, content });
    if (child === place) place = place.nextElementSibling;
    else list.insertBefore(child, place);
  }
}

const field = (item, name) => item.querySelector(`[data-field="${name}"]`);

/** Sets the text of the named fields, and hides the empty ones. */
function fill(item, fields) {
  for (const [name, value] of Object.entries(fields)) {
    const target = field(item, name);
    if (target instanceof HTMLTimeElement) {
      target.dateTime = value;
      target.title = value;
      setText(target, TIME.format(Date.parse(value)));
    } else {
      setText(target, value ?? "");
      target.hidden = !value;
    }
  }
}

/** Sets an element's text, unless it has it already, which keeps a selection. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

function showStatus(badge, status, none) {
  setText(badge, status === null ? none : String(status));
  badge.dataset.state = status === null ? none : `${String(status)[0]}xx`;
}

function count(tab, number) {
  setText(byId(tab).querySelector(".count"), number > 0 ? String(number) : "");
}

/** Keeps the first visible child of a scrolled list where it is, whatever comes above it. */
function keepScroll(list, change) {
  const anchor =
    list.scrollTop > 0
      ? [...list.children].find((child) => child.offsetTop + child.offsetHeight > list.scrollTop)
      : null;
  const before = anchor?.offsetTop;
  change();
  if (anchor?.isConnected) list.scrollTop += anchor.offsetTop - before;
}

/** Indents a body that is JSON. Bodies are text, since clients may send anything. */
function pretty(body) {
  if (body === "") return "(empty)";
  try {
    return JSON.stringify(JSON.parse(body), null, 2);
  } catch {
    return body;
  }
}

const compare = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

// --- What the person does --------------------------------------------------------------------------------------------

function choose(number) {
  setupOpen = false;
  if (number === chosen) return;
  const [to, body] = [byId("text-to"), byId("text-body")];
  const typed = [to.value, body.value];
  // What was typed before there was a phone is for the first one.
  const draft = drafts.get(number) ?? (chosen === null ? typed : ["", ""]);
  drafts.set(chosen, typed);
  chosen = number;
  [to.value, body.value] = draft;
}

function newestCode() {
  return snapshot?.messages.findLast((message) => message.to === chosen)?.code ?? null;
}

async function copy(text, what) {
  if (await writeClipboard(text)) notify(`Copied ${what}.`);
  else notify(`The browser refused to copy ${what}. Select it and copy it yourself.`, true);
}

/** Plain http hosts other than loopback have no `navigator.clipboard`. */
async function writeClipboard(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    const focused = document.activeElement;
    const area = document.createElement("textarea");
    area.className = "hidden";
    area.value = text;
    document.body.append(area);
    area.select();
    const copied = document.execCommand("copy");
    area.remove();
    focused?.focus({ preventScroll: true });
    return copied;
  }
}

function copyCode() {
  const code = newestCode();
  if (code === null) notify("No code to copy yet.");
  else copy(code, `code ${code}`);
}

let noticeTimer;

function notify(message, isError = false) {
  const notice = byId("notice");
  notice.classList.toggle("error", isError);
  // The same message twice is read twice only if the text changes.
  notice.textContent = notice.textContent === message ? `${message}\u00a0` : message;
  clearTimeout(noticeTimer);
  noticeTimer = setTimeout(() => (notice.textContent = ""), isError ? 2 * NOTICE_MS : NOTICE_MS);
}

/** The tap on the link on the phone: the text is written, and waits to be sent. */
function followSmsLink(link) {
  const { pathname, searchParams } = new URL(link.href);
  choose(link.closest("li").dataset.number);
  byId("text-to").value = pathname;
  byId("text-body").value = searchParams.get("body") ?? "";
  render();
  byId("text-send").focus();
}

async function sendText(event) {
  event.preventDefault();
  const [from, to, body] = [chosen, byId("text-to").value.trim(), byId("text-body").value];
  const result = await post("/sandbox/text", { from, to, body });
  if (!result) return;
  if (chosen === from) byId("text-body").value = "";
  notify(result.verified.length > 0 ? "Sent. The session is verified." : "Sent. No session waits for this text.");
}

async function advance(seconds) {
  const by = seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`;
  if (await post("/sandbox/advance", { seconds })) notify(`The clock moved forward by ${by}.`);
}

/** Shows the options of the chosen fault. */
function showFaultOptions() {
  const { fault, always, times } = byId("fault").elements;
  setText(byId("fault-meaning"), fault.selectedOptions[0].dataset.meaning);
  for (const options of byId("fault").querySelectorAll("fieldset")) {
    options.hidden = options.disabled = options.dataset.of !== fault.value;
  }
  times.disabled = always.checked;
}

async function addFault(event) {
  event.preventDefault();
  // Disabled fields, those of other faults, are not part of it.
  const typed = Object.fromEntries([...new FormData(byId("fault"))].filter(([, value]) => value !== ""));
  for (const name of ["status", "retry_after", "seconds", "times"])
    if (name in typed) typed[name] = Number(typed[name]);
  for (const name of ["after_acting", "always"]) if (name in typed) typed[name] = true;
  if (await post("/sandbox/fail", typed)) notify("Fault added.");
}

async function heal() {
  if (await post("/sandbox/heal", {})) notify("All faults are removed.");
  // Its button is hidden now.
  byId("fault").elements.fault.focus();
}

async function reset() {
  byId("reset-dialog").close();
  if (await post("/sandbox/reset", {})) notify("The sandbox is reset.");
}

function selectTab(tab) {
  for (const one of document.querySelectorAll("[role=tab]")) {
    const isSelected = one === tab;
    one.ariaSelected = String(isSelected);
    one.tabIndex = isSelected ? 0 : -1;
    byId(one.getAttribute("aria-controls")).hidden = !isSelected;
  }
}

function moveTab(event) {
  const tabs = [...document.querySelectorAll("[role=tab]")];
  const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
  if (!step || !tabs.includes(event.target)) return;
  const next = tabs[(tabs.indexOf(event.target) + step + tabs.length) % tabs.length];
  selectTab(next);
  next.focus();
}

/** Single keys act only where no text is typed, and can be turned off. */
function pressKey(event) {
  const isTyping = event.target.closest("input:not([type=checkbox]), select, textarea, dialog");
  if (isTyping || event.ctrlKey || event.metaKey || event.altKey || !byId("shortcuts").checked) return;
  const key = event.key.toLowerCase();
  if (key === "c") copyCode();
  else if (key === "t" && chosen !== null) byId("text-body").focus();
  else if (key === "/") {
    selectTab(byId("requests-tab"));
    byId("filter-text").focus();
  } else return;
  event.preventDefault();
}

/** How long a session waits for its text. */
const SESSION_MS = 10 * 60 * 1000;
const RECONNECT_MS = 1000;
const NOTICE_MS = 4000;
const LOOPBACK = /^(localhost|.+\.localhost|127(\.\d+){3}|\[::1\])$/;
const TIME = new Intl.DateTimeFormat("en-US", { timeStyle: "medium", hourCycle: "h23" });
const DATE_AND_TIME = new Intl.DateTimeFormat("en-US", { dateStyle: "medium", timeStyle: "medium", hourCycle: "h23" });

byId("phones").addEventListener("click", ({ target }) => {
  const button = target.closest("button");
  if (!button) return;
  choose(button.dataset.number);
  render();
});
byId("sessions").addEventListener("click", (event) => {
  const link = event.target.closest("a");
  if (!link) return;
  event.preventDefault();
  followSmsLink(link);
});
byId("code").addEventListener("click", copyCode);
byId("text").addEventListener("submit", sendText);
for (const button of document.querySelectorAll("[data-copies]")) {
  button.addEventListener("click", () => copy(byId(button.dataset.copies).textContent, button.dataset.what));
}
byId("setup-toggle").addEventListener("click", () => {
  setupOpen = !setupOpen;
  render();
});
for (const button of document.querySelectorAll("[data-seconds]")) {
  button.addEventListener("click", () => advance(Number(button.dataset.seconds)));
}
byId("clock").addEventListener("submit", (event) => {
  event.preventDefault();
  advance(Number(byId("seconds").value));
});
byId("filter").addEventListener("input", () => snapshot && renderRequests());
byId("filter").addEventListener("submit", (event) => event.preventDefault());
byId("fault").addEventListener("change", showFaultOptions);
byId("fault").addEventListener("submit", addFault);
byId("heal").addEventListener("click", heal);
byId("reset").addEventListener("click", () => byId("reset-dialog").showModal());
byId("reset-cancel").addEventListener("click", () => byId("reset-dialog").close());
byId("reset-confirm").addEventListener("click", reset);
for (const tab of document.querySelectorAll("[role=tab]")) {
  tab.addEventListener("click", () => selectTab(tab));
  tab.addEventListener("keydown", moveTab);
}
document.addEventListener("keydown", pressKey);
document.addEventListener("visibilitychange", () => snapshot && render());

byId("shortcuts").checked = localStorage.getItem("shortcuts") !== "off";
byId("shortcuts").addEventListener("change", ({ target }) => {
  localStorage.setItem("shortcuts", target.checked ? "on" : "off");
});

showFaultOptions();
setInterval(renderTimes, 1000);
connect();
