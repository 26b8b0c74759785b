// SQL: the shape of Cloudflare's D1, and transactions.

// Numbers that JSON would change travel as objects of one member.
function toSQL(what, v) {
  switch (typeof v) {
    case "string":
      return v;
    case "boolean":
      return v ? 1 : 0;
    case "number":
      if (!Number.isFinite(v)) refuse(what, `${v} is no value of SQL`);
      return v;
    case "bigint":
      if (BigInt.asIntN(64, v) !== v) refuse(what, "does not fit 64 bits");
      return { $i: String(v) };
    case "object": {
      if (v === null) return null;
      const bytes = asBytes(v);
      if (bytes) return { $b: toBase64(bytes) };
    }
  }
  refuse(what, `must be null, a number, a string, a boolean, a bigint or bytes, not ${show(v)}`);
}

function fromSQL(v) {
  if (typeof v !== "object" || v === null) return v;
  if (v.$b !== undefined) return bufferOf(fromBase64(v.$b));
  if (v.$i !== undefined) return BigInt(v.$i);
  return Number(v.$n);
}

function record(columns, row) {
  const o = {};
  for (let i = 0; i < row.length; i++) o[columns[i]] = fromSQL(row[i]);
  return o;
}

// recordOf does it for a column "__proto__" too, which is no member where it is assigned.
const recordOf = (columns, row) => Object.fromEntries(row.map((v, i) => [columns[i], fromSQL(v)]));

function sqlResult(v) {
  const make = v.columns.includes("__proto__") ? recordOf : record;
  const results = v.rows.map((row) => make(v.columns, row));
  const meta = { duration: v.duration, changes: v.changes, last_row_id: v.last, changed_db: v.written > 0, rows_read: results.length, rows_written: v.written };
  return { success: true, results, meta };
}

let statementOf; // the text and parameters of a statement that an app hands back

class Statement {
  #port;
  #sql;
  #params;
  constructor(port, sql, params) {
    this.#port = port;
    this.#sql = sql;
    this.#params = params;
    Object.freeze(this);
  }
  static {
    statementOf = (s) => (typeof s === "object" && s !== null && #sql in s ? { sql: s.#sql, params: s.#params } : null);
  }
  bind(...values) {
    return new Statement(this.#port, this.#sql, values.map((v, i) => toSQL(`bind: parameter ${i + 1}`, v)));
  }
  async #query(first) {
    return (await this.#port.send("query", { sql: this.#sql, params: this.#params, first })).value;
  }
  async all() {
    return sqlResult(await this.#query());
  }
  async run() {
    return sqlResult(await this.#query());
  }
  async first(column) {
    const v = await this.#query(true);
    if (v.rows.length === 0) return null;
    if (column === undefined) return sqlResult(v).results[0];
    const at = v.columns.indexOf(text("first: column", column));
    if (at < 0) refuse("first: column", `there is no column ${JSON.stringify(column)}`);
    return fromSQL(v.rows[0][at]);
  }
  async raw(o) {
    const set = options("raw", o, ["columnNames"]);
    const v = await this.#query();
    const rows = v.rows.map((row) => row.map(fromSQL));
    return set.columnNames ? [v.columns, ...rows] : rows;
  }
}

class SQL {
  #port;
  constructor(port) {
    this.#port = port;
    Object.freeze(this);
  }
  prepare(sql) {
    return new Statement(this.#port, text(`${this.#port.name}.prepare: query`, sql), []);
  }
  // batch runs statements as one: all of them or none.
  async batch(statements) {
    const what = `${this.#port.name}.batch: statements`;
    if (!Array.isArray(statements)) refuse(what, `must be an array, not ${show(statements)}`);
    const list = statements.map((s, i) => statementOf(s) ?? refuse(`${what}[${i}]`, "must come from prepare"));
    return (await this.#port.send("batch", { statements: list })).value.results.map(sqlResult);
  }
  async exec(sql) {
    return (await this.#port.send("exec", { sql: text(`${this.#port.name}.exec: query`, sql) })).value;
  }
  // transaction calls work(tx), and keeps what it did if that resolves.
  async transaction(work) {
    const port = this.#port;
    if (typeof work !== "function") refuse(`${port.name}.transaction`, `must get a function, not ${show(work)}`);
    if (port.more?.tx) refuse(`${port.name}.transaction`, "is within a transaction already");
    const kept = globalThis[Symbol.for("fazt.async")]?.keep(work) ?? work; // with what AsyncLocalStorage holds now
    const { tx } = (await port.send("begin", {})).value;
    const inside = new Port(port.name, port.call, { ...port.more, tx });
    let result;
    try {
      result = await kept(new SQL(inside));
    } catch (e) {
      await inside.send("rollback", {}).catch(() => {}); // the first error is the one to know
      throw e;
    }
    await inside.send("commit", {});
    return result;
  }
  user() {
    refuse(`${this.#port.name}.user`, "tables of SQL have no view of one user; keep the id in a column and compare it");
  }
}

fix(Statement, SQL);

export const sql = factory(SQL);
