"use strict";

// The password is behind the # of the link. It stays in this tab, and reloading keeps it.
const KEPT = "skewbench-rate";
if (location.hash.length > 1) {
  sessionStorage.setItem(KEPT, btoa(decodeURIComponent(location.hash.slice(1))));
  history.replaceState(null, "", location.pathname);
}

const QUESTIONS = {
  quality: { image: "Which image is better?", audio: "Which sound is better?", video: "Which video is better?" },
  diversity: { image: "Which images differ more?", audio: "Which sounds differ more?", video: "Which videos differ more?" },
};
const NOUNS = { image: "Image", audio: "Sound", video: "Video" };
const KEYS = {
  ArrowLeft: () => vote("left"), ArrowRight: () => vote("right"), ArrowDown: () => vote("tie"), t: () => vote("tie"),
  Backspace: undo, u: undo, "?": help,
};
const element = (id) => document.getElementById(id);
const samples = new Map(); // the loaded samples of the current pair and the next, by position
let state = null;
let busy = true;

async function call(path, body) {
  const headers = { authorization: `Basic ${sessionStorage.getItem(KEPT) ?? ""}` };
  const options = body === undefined ? { headers } : { method: "POST", headers, body: JSON.stringify(body) };
  let answer;
  try {
    answer = await fetch(`/api/${path}`, options);
  } catch {
    throw new Error("The server does not answer. Start it again with the same command, then reload this page.");
  }
  if (answer.status === 401) throw new Error("This page needs the link that the command printed in the terminal.");
  return answer;
}

async function load({ position, samples: count }) {
  const one = async (side, index) => {
    const answer = await call(`media/${position}/${side}/${index}`);
    if (!answer.ok) throw new Error((await answer.json()).error);
    return URL.createObjectURL(await answer.blob());
  };
  const all = (side) => Promise.all(Array.from({ length: count }, (_, index) => one(side, index)));
  const [left, right] = await Promise.all([all("left"), all("right")]);
  return { left, right };
}

function loaded(comparison) {
  if (!samples.has(comparison.position)) {
    const loading = load(comparison);
    loading.catch(() => samples.delete(comparison.position)); // the next attempt loads it again
    samples.set(comparison.position, loading);
  }
  return samples.get(comparison.position);
}

function forget() {
  const kept = [state.current?.position, state.next?.position];
  for (const [position, loading] of samples) {
    if (kept.includes(position)) continue;
    samples.delete(position);
    loading.then(({ left, right }) => [...left, ...right].forEach((url) => URL.revokeObjectURL(url)), () => {});
  }
}

async function picture(url, label) {
  const image = document.createElement("img");
  image.alt = label;
  image.src = url;
  await image.decode();
  const button = document.createElement("button");
  button.type = "button";
  button.setAttribute("aria-label", `Enlarge: ${label}`);
  button.append(image);
  button.addEventListener("click", () => {
    const large = image.cloneNode();
    element("large-button").replaceChildren(large);
    element("large").showModal();
  });
  return button;
}

async function sound(url, label) {
  const audio = document.createElement("audio");
  audio.controls = true;
  audio.setAttribute("aria-label", label);
  audio.addEventListener("play", () => {
    for (const other of document.querySelectorAll("audio")) if (other !== audio) other.pause();
  });
  audio.src = url;
  return audio;
}

async function players(side, urls) {
  const noun = NOUNS[state.medium];
  const make = state.medium === "audio" ? sound : picture;
  const label = (index) => (urls.length > 1 ? `${noun} ${index + 1} of ${urls.length} on the ${side}` : `${noun} on the ${side}`);
  return Promise.all(urls.map((url, index) => make(url, label(index))));
}

function tell(message) {
  element("message").textContent = message;
  element("message").hidden = !message;
}

function enable() {
  for (const side of ["left", "tie", "right"]) element(`vote-${side}`).disabled = busy || !state?.current;
  element("undo").disabled = busy || !state?.done;
}

async function show() {
  const { current, next, done, total } = state;
  document.title = `${done} of ${total} rated`;
  element("question").textContent = QUESTIONS[state.question][state.medium];
  element("progress").textContent = current ? `${done + 1} of ${total}` : `${done} of ${total}`;
  element("bar").max = total;
  element("bar").value = done;
  if (current) {
    const urls = await loaded(current);
    const [left, right] = await Promise.all([players("left", urls.left), players("right", urls.right)]);
    element("prompt").textContent = current.prompt;
    element("left").replaceChildren(...left);
    element("right").replaceChildren(...right);
    for (const side of ["left", "right"]) {
      element(side).classList.toggle("set", current.samples > 1 && state.medium !== "audio");
      element(side).classList.toggle("few", current.samples <= 4);
    }
    if (next) loaded(next).catch(() => {});
  } else {
    const waits = state.committed === false ? " They appear there when the process that works on this run has ended." : "";
    element("thanks").textContent = `${done} of ${total} are rated, and all votes are saved.${waits}`;
  }
  element("pair").hidden = !current;
  element("end").hidden = Boolean(current);
  document.documentElement.dataset.position = current ? current.position : "end";
  forget();
}

// Does one thing at a time: a key that is pressed while a vote is being saved does nothing.
async function act(path, body) {
  busy = true;
  enable();
  try {
    const answer = await call(path, body);
    const content = await answer.json();
    if (content.current !== undefined) state = content;
    tell(content.error ?? "");
    if (content.current !== undefined) await show();
  } catch (error) {
    tell(error.message || "The sample cannot be shown.");
  }
  busy = false;
  enable();
}

function vote(side) {
  if (!busy && state?.current) act("vote", { position: state.current.position, side });
}

function undo() {
  if (!busy && state?.done) act("undo", {});
}

function help() {
  const dialog = element("help");
  if (dialog.open) dialog.close();
  else dialog.showModal();
}

// In the capture phase, since a focused player would take the arrows to move in its sound.
document.addEventListener("keydown", (event) => {
  const wanted = Object.hasOwn(KEYS, event.key) ? KEYS[event.key] : null;
  if (!wanted || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.querySelector("dialog[open]") && event.key !== "?") return;
  event.preventDefault();
  event.stopPropagation();
  if (!event.repeat) wanted();
}, true);

for (const side of ["left", "tie", "right"]) element(`vote-${side}`).addEventListener("click", () => vote(side));
element("undo").addEventListener("click", undo);
element("help-button").addEventListener("click", help);
enable();
act("state");
