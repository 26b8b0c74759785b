// The page around the rules: keys, buttons and swipes in, pictures out.

import { begin, headings, opposite, pace, size, step } from "./rules.js";

const byId = (id) => document.getElementById(id);
const canvas = byId("canvas");
const context = canvas.getContext("2d");
const keys = {
  ArrowUp: "up", ArrowDown: "down", ArrowLeft: "left", ArrowRight: "right",
  w: "up", s: "down", a: "left", d: "right",
};

let state = begin(Math.random);
let turns = []; // asked for and not yet taken, so that two quick keys both count
let timer = 0; // 0 while nothing moves
let best = readBest();

function readBest() {
  try {
    return Number(localStorage.getItem("snake.best")) || 0;
  } catch {
    return 0; // storage is switched off
  }
}

function keepBest() {
  if (state.score <= best) return false;
  best = state.score;
  try {
    localStorage.setItem("snake.best", String(best));
  } catch {
    // Then it lasts as long as the tab.
  }
  return true;
}

function tick() {
  state = step(state, turns.shift(), Math.random);
  draw();
  if (state.over) return end();
  timer = setTimeout(tick, pace(state.score));
}

function play() {
  if (state.over) state = begin(Math.random);
  turns = [];
  cover(null);
  canvas.focus({ preventScroll: true });
  clearTimeout(timer);
  timer = setTimeout(tick, pace(state.score));
}

function pause() {
  if (!timer) return;
  clearTimeout(timer);
  timer = 0;
  cover("Paused.", "Go on");
}

function end() {
  timer = 0;
  const berries = state.score === 1 ? "1 berry" : `${state.score} berries`;
  const record = keepBest();
  if (state.berry === null) cover(`The field is full: ${berries}. Nobody does that.`, "Play again");
  else cover(record ? `${berries}, your best so far.` : `${berries}.`, "Play again");
  draw();
}

// cover shows a message over the field; null takes it away.
function cover(message, action) {
  byId("cover").hidden = message === null;
  byId("pause").setAttribute("aria-pressed", String(message === "Paused."));
  if (message === null) return;
  byId("message").textContent = message;
  byId("start").textContent = action;
  byId("start").focus({ preventScroll: true });
}

function turn(to) {
  if (!timer) return;
  const last = turns.at(-1) ?? state.heading;
  if (to !== last && !opposite(to, last) && turns.length < 3) turns.push(to);
}

function draw() {
  byId("score").textContent = state.score;
  byId("best").textContent = Math.max(best, state.score);
  const side = Math.round(canvas.clientWidth * devicePixelRatio);
  if (canvas.width !== side) canvas.width = canvas.height = side;
  const color = (name) => getComputedStyle(canvas).getPropertyValue(`--${name}`);
  const cell = side / size;
  context.clearRect(0, 0, side, side);
  context.fillStyle = color("grid");
  for (let x = 0; x < size; x++) {
    for (let y = x % 2; y < size; y += 2) context.fillRect(x * cell, y * cell, cell, cell);
  }
  state.body.toReversed().forEach(([x, y], i) => {
    context.fillStyle = color(i === state.body.length - 1 ? "head" : "snake");
    context.beginPath();
    context.roundRect(x * cell + cell * 0.06, y * cell + cell * 0.06, cell * 0.88, cell * 0.88, cell * 0.3);
    context.fill();
  });
  eyes(cell);
  if (!state.berry) return;
  const [x, y] = state.berry;
  context.fillStyle = color("berry");
  context.beginPath();
  context.arc((x + 0.5) * cell, (y + 0.5) * cell, cell * 0.34, 0, 2 * Math.PI);
  context.fill();
}

// eyes look where the snake goes, so that its head is known without colour.
function eyes(cell) {
  const [x, y] = state.body[0];
  const [dx, dy] = headings[state.heading];
  context.fillStyle = getComputedStyle(canvas).getPropertyValue("--field");
  for (const side of [-1, 1]) {
    context.beginPath();
    context.arc((x + 0.5 + dx * 0.18 + dy * side * 0.2) * cell, (y + 0.5 + dy * 0.18 + dx * side * 0.2) * cell, cell * 0.09, 0, 2 * Math.PI);
    context.fill();
  }
}

addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const to = keys[event.key] ?? keys[event.key.toLowerCase()];
  if (to && (timer || !state.over)) {
    event.preventDefault();
    if (!timer) play(); // a lost game is begun anew by the button alone
    turn(to);
  } else if (timer && (event.key === " " || event.key === "Escape") && !event.target.closest("button")) {
    event.preventDefault();
    pause();
  }
});

for (const button of document.querySelectorAll("[data-turn]")) {
  button.addEventListener("pointerdown", () => turn(button.dataset.turn));
  button.addEventListener("click", (event) => event.detail === 0 && turn(button.dataset.turn)); // by key
}
byId("start").addEventListener("click", play);
byId("pause").addEventListener("click", () => (timer ? pause() : play()));

let touch = null;
canvas.addEventListener("pointerdown", (event) => { touch = [event.clientX, event.clientY]; });
canvas.addEventListener("pointermove", (event) => {
  if (!touch) return;
  const [dx, dy] = [event.clientX - touch[0], event.clientY - touch[1]];
  if (Math.max(Math.abs(dx), Math.abs(dy)) < 24) return;
  turn(Math.abs(dx) > Math.abs(dy) ? (dx > 0 ? "right" : "left") : (dy > 0 ? "down" : "up"));
  touch = [event.clientX, event.clientY];
});
addEventListener("pointerup", () => { touch = null; });
addEventListener("blur", pause);
document.addEventListener("visibilitychange", () => document.hidden && pause());
addEventListener("resize", draw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
draw();
