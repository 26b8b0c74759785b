// The rules of the game as plain data: no page, no clock, no randomness of its
// own. step() returns the next state and never changes the one it is given.

export const size = 18;
export const headings = { up: [0, -1], down: [0, 1], left: [-1, 0], right: [1, 0] };

export function begin(random) {
  const body = [[5, 9], [4, 9], [3, 9]];
  return { body, heading: "right", berry: place(body, random), score: 0, over: false };
}

// step moves the snake by one cell, after a turn if there is one.
export function step(state, turn, random) {
  const heading = turn && !opposite(turn, state.heading) ? turn : state.heading;
  const [dx, dy] = headings[heading];
  const [x, y] = state.body[0];
  const head = [x + dx, y + dy];
  const eats = same(head, state.berry);
  const rest = eats ? state.body : state.body.slice(0, -1);
  const outside = head.some((n) => n < 0 || n >= size);
  if (outside || rest.some((cell) => same(cell, head))) return { ...state, heading, over: true };
  const body = [head, ...rest];
  if (!eats) return { ...state, heading, body };
  const berry = place(body, random);
  return { heading, body, berry, score: state.score + 1, over: berry === null };
}

// pace is the time between two steps in milliseconds: each berry makes the
// snake faster, down to a pace that hands can follow.
export const pace = (score) => Math.max(70, 150 - 3 * score);

export const opposite = (a, b) => headings[a][0] === -headings[b][0] && headings[a][1] === -headings[b][1];

const same = (a, b) => a !== null && b !== null && a[0] === b[0] && a[1] === b[1];

// place finds a free cell for a berry, or null when the snake fills the field.
function place(body, random) {
  const free = [];
  for (let x = 0; x < size; x++) {
    for (let y = 0; y < size; y++) {
      if (!body.some((cell) => same(cell, [x, y]))) free.push([x, y]);
    }
  }
  return free.length ? free[Math.floor(random() * free.length)] : null;
}
