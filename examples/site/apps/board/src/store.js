// The boards, kept in localStorage. Every change goes through change(), which
// stores them and tells the page; other tabs learn of it by the storage event.

const key = "boards.v1";
const listeners = new Set();
let boards = read();

export const lanes = [
  { id: "next", name: "Next" },
  { id: "now", name: "Now" },
  { id: "done", name: "Done" },
];

function read() {
  try {
    const stored = JSON.parse(localStorage.getItem(key));
    if (Array.isArray(stored)) return stored;
  } catch {
    // Unreadable or forbidden: begin with the example.
  }
  return [{
    id: "workshop",
    name: "Workshop",
    cards: [
      { id: "a", lane: "next", text: "Order 200 springs for joint 14" },
      { id: "b", lane: "next", text: "Photograph the new Wren" },
      { id: "c", lane: "now", text: "Rewire lamp no. 88" },
      { id: "d", lane: "done", text: "Oil the lathe" },
    ],
  }];
}

function change(next) {
  boards = next;
  try {
    localStorage.setItem(key, JSON.stringify(boards));
  } catch {
    // Private windows may refuse: the boards then last as long as the tab.
  }
  for (const tell of listeners) tell();
}

addEventListener("storage", (event) => {
  if (event.key !== key) return;
  boards = read();
  for (const tell of listeners) tell();
});

const fresh = () => Math.random().toString(36).slice(2, 10);
const edit = (id, f) => change(boards.map((b) => (b.id === id ? { ...b, cards: f(b.cards) } : b)));

export const subscribe = (tell) => listeners.add(tell);
export const all = () => boards;
export const find = (id) => boards.find((b) => b.id === id);

export function addBoard(name) {
  const plain = name.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase();
  const slug = plain.replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") || "board";
  const id = find(slug) ? `${slug}-${fresh()}` : slug;
  change([...boards, { id, name, cards: [] }]);
  return id;
}

export const removeBoard = (id) => change(boards.filter((b) => b.id !== id));
export const addCard = (id, lane, text) => edit(id, (cards) => [...cards, { id: fresh(), lane, text }]);
export const removeCard = (id, card) => edit(id, (cards) => cards.filter((c) => c.id !== card));

// moveCard puts a card into a lane, before another card or at the end.
export function moveCard(id, card, lane, before) {
  edit(id, (cards) => {
    const moved = { ...cards.find((c) => c.id === card), lane };
    const rest = cards.filter((c) => c.id !== card);
    const at = before ? rest.findIndex((c) => c.id === before) : rest.length;
    return rest.toSpliced(at < 0 ? rest.length : at, 0, moved);
  });
}
