// The pages. Each function returns an element that is drawn anew after every
// change.

import { h, say } from "./dom.js";
import { go } from "./main.js";
import { addBoard, addCard, all, lanes, moveCard, removeBoard, removeCard } from "./store.js";

export function boards() {
  const list = all().map((b) => h("li", {},
    h("a", { href: `/board/${b.id}` }, b.name),
    h("span", {}, b.cards.length === 1 ? "1 card" : `${b.cards.length} cards`),
    h("button", {
      class: "danger", "aria-label": `Delete board ${b.name}`,
      onclick: () => confirm(`Delete the board "${b.name}" with all its cards?`) && removeBoard(b.id),
    }, "Delete")));
  return h("div", { class: "narrow" },
    h("h1", {}, "Boards"),
    list.length ? h("ul", { class: "boards" }, ...list) : h("p", {}, "No boards yet. Name the first one:"),
    entry("New board", "Name of the board", (name) => go(`/board/${addBoard(name)}`)));
}

export function board(b) {
  const open = b.cards.filter((c) => c.lane !== "done").length;
  return h("div", {},
    h("div", { class: "title" }, h("h1", {}, b.name), h("p", {}, open === 1 ? "1 open card" : `${open} open cards`)),
    h("div", { class: "lanes" }, ...lanes.map((l) => lane(b, l))));
}

export function about() {
  return h("div", { class: "narrow" },
    h("h1", {}, "About"),
    h("p", {}, "These boards live in this browser and nowhere else: there is no account, and nothing is sent."),
    h("p", {}, "Drag a card with the mouse, or use the arrow buttons on it. Clearing the data of this site deletes the boards."));
}

export function missing() {
  return h("div", { class: "narrow" },
    h("h1", {}, "No such board"),
    h("p", {}, "It may have been deleted, or it lives in another browser."),
    h("p", {}, h("a", { href: "/" }, "All boards")));
}

function entry(label, placeholder, submit) {
  const input = h("input", { "aria-label": placeholder, placeholder, maxlength: 200, required: true, autocomplete: "off" });
  return h("form", {
    class: "inline",
    onsubmit: (event) => {
      event.preventDefault();
      const text = input.value.trim();
      if (text) submit(text);
    },
  }, input, h("button", { class: "primary" }, label));
}

function lane(b, l) {
  const cards = b.cards.filter((c) => c.lane === l.id);
  const section = h("section", { class: `lane ${l.id}`, "aria-labelledby": `lane-${l.id}` },
    h("header", {}, h("h2", { id: `lane-${l.id}` }, l.name), h("span", {}, String(cards.length))),
    h("ul", {}, ...cards.map((c) => card(b, c))),
    entry("Add", `New card in ${l.name}`, (text) => {
      addCard(b.id, l.id, text);
      say(`Added to ${l.name}`);
      document.querySelector(`.lane.${l.id} input`)?.focus();
    }));
  section.addEventListener("dragover", (event) => {
    event.preventDefault();
    section.classList.add("over");
  });
  section.addEventListener("dragleave", (event) => {
    if (!section.contains(event.relatedTarget)) section.classList.remove("over");
  });
  section.addEventListener("drop", (event) => {
    event.preventDefault();
    const before = event.target.closest(".card")?.dataset.id;
    const id = event.dataTransfer.getData("text/plain");
    if (id !== before && b.cards.some((c) => c.id === id)) moveCard(b.id, id, l.id, before);
    else section.classList.remove("over");
  });
  return section;
}

function card(b, c) {
  const at = lanes.findIndex((l) => l.id === c.lane);
  const shift = (by) => () => {
    const to = lanes[at + by];
    moveCard(b.id, c.id, to.id);
    say(`Moved to ${to.name}`);
    const buttons = document.querySelectorAll(`.card[data-id="${c.id}"] .moves button:not([disabled])`);
    (by < 0 ? buttons[0] : [...buttons].at(-2))?.focus();
  };
  return h("li", {
    class: "card", draggable: "true", "data-id": c.id,
    ondragstart: (event) => {
      event.dataTransfer.setData("text/plain", c.id);
      event.currentTarget.classList.add("dragged");
    },
    ondragend: (event) => event.currentTarget.classList.remove("dragged"),
  },
    h("p", {}, c.text),
    h("div", { class: "moves" },
      h("button", { disabled: at === 0, "aria-label": `Move "${c.text}" back`, onclick: shift(-1) }, "←"),
      h("button", { disabled: at === lanes.length - 1, "aria-label": `Move "${c.text}" on`, onclick: shift(1) }, "→"),
      h("button", { "aria-label": `Delete "${c.text}"`, onclick: () => { removeCard(b.id, c.id); say("Card deleted"); } }, "×")));
}
