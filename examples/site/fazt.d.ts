// What an app's code is given, for editors and `tsc`. This file stands beside the
// code, is never bundled, and is imported for its types alone:
//
//   import type { Handler, KV, SQL } from "fazt";
//
//   interface Env { CACHE: KV; DB: SQL; TITLE: string }
//
//   export default {
//     async fetch(request, env, ctx) {
//       return Response.json(await env.DB.prepare("select 1 as n").first());
//     },
//   } satisfies Handler<Env>;
//
// Request, Response, URL, crypto and the rest of the Web's interfaces come from
// TypeScript itself: "lib": ["ES2023", "WebWorker"] in tsconfig.json.

declare module "fazt" {
  type Awaitable<T> = T | Promise<T>;

  // --- handlers -------------------------------------------------------------------

  /** The default export of an app's main file. Env has a member for each binding and setting. */
  export interface Handler<Env = unknown> {
    /** Answers a request. */
    fetch?(request: Request, env: Env, ctx: Context): Awaitable<Response>;
    /** Runs at the times of the cron blocks. */
    scheduled?(event: Scheduled, env: Env, ctx: Context): Awaitable<unknown>;
    /** Takes messages of the queue blocks, each at least once. */
    queue?(batch: Batch, env: Env, ctx: Context): Awaitable<unknown>;
  }

  /** GET, POST and the like of a route.ts: `api/notes/[id]/route.ts` has `params.id`. */
  export type Route<Env = unknown, Params = Record<string, string | string[]>> = (
    request: Request,
    context: { params: Params; env: Env; ctx: Context },
  ) => Awaitable<Response>;

  export interface Context {
    /** Keeps the invocation alive until the promise settles, after the answer has gone. */
    waitUntil(work: Promise<unknown>): void;
    readonly auth: Auth;
    /** The visitor's address; empty for schedules and queues. */
    readonly ip: string;
    readonly requestId: string;
    /** The app's name. */
    readonly app: string;
    /** The release that answers. */
    readonly release: string;
    readonly log: Pick<Console, "debug" | "info" | "warn" | "error">;
    /** Aborts when the visitor leaves. */
    readonly signal: AbortSignal;
    /** The bounds of this invocation. */
    readonly limits: Readonly<Record<string, number>>;
  }

  export interface Auth {
    /** Who is signed in, or null. */
    user(): User | null;
    /** Who is signed in; otherwise a page is sent to sign in and back, and everything else is answered 401. Without the role it is 403. */
    require(role?: string): Promise<User>;
    /** Whether a grant lets them: on the app, on a path of it ("/admin"), on a part ("docs.PAGES") or on a whole address ("app.notes"). */
    can(action: string, resource?: string): boolean;
    /** Where to sign in, to come back to the page that is asked for. */
    signInUrl(): string;
  }

  export interface User {
    readonly id: string;
    readonly email?: string;
    readonly name?: string;
    readonly roles: readonly string[];
    readonly groups: readonly string[];
  }

  export interface Scheduled {
    readonly type: "scheduled";
    /** The name of the cron block. */
    readonly name: string;
    /** Its times: "0 7 * * 1-5". */
    readonly cron: string;
    /** Milliseconds of the epoch: the time that was set, not that of the run. */
    readonly scheduledTime: number;
  }

  // --- kv: keys and values --------------------------------------------------------

  export interface KV {
    get(key: string, type?: "text" | { type?: "text" }): Promise<string | null>;
    get<T = unknown>(key: string, type: "json" | { type: "json" }): Promise<T | null>;
    get(key: string, type: "arrayBuffer" | { type: "arrayBuffer" }): Promise<ArrayBuffer | null>;
    get(key: string, type: "stream" | { type: "stream" }): Promise<ReadableStream<Uint8Array> | null>;
    /** Many keys in one call; the order is that of asking. */
    get(keys: string[], type?: "text"): Promise<Map<string, string | null>>;
    get<T = unknown>(keys: string[], type: "json"): Promise<Map<string, T | null>>;
    getMany(keys: string[], type?: "text"): Promise<Map<string, string | null>>;
    getMany<T = unknown>(keys: string[], type: "json"): Promise<Map<string, T | null>>;
    getWithMetadata<M = unknown>(key: string, type?: "text"): Promise<KVEntry<string, M>>;
    getWithMetadata<T = unknown, M = unknown>(key: string, type: "json"): Promise<KVEntry<T, M>>;
    put(key: string, value: Content, options?: KVPut): Promise<void>;
    /**
     * Writes only if the key still has the version that was read, 0 for a key that is not there.
     * Resolves to the new version, or to null if somebody else was first.
     */
    putIfVersion(key: string, value: Content, version: number, options?: KVPut): Promise<number | null>;
    /** Adds to a whole number, in one step, and resolves to the sum, which is at most Number.MAX_SAFE_INTEGER. */
    incr(key: string, by?: number, options?: Omit<KVPut, "metadata">): Promise<number>;
    delete(key: string): Promise<void>;
    list<M = unknown>(options?: { prefix?: string; limit?: number; cursor?: string }): Promise<KVList<M>>;
    /** The same store for one user: nobody else's keys can be addressed through it. */
    user(user: UserLike): KV;
  }

  export interface KVPut {
    /** Seconds from now. */
    expirationTtl?: number;
    /** Seconds of the epoch. */
    expiration?: number | Date;
    metadata?: unknown;
  }

  export interface KVEntry<T, M> {
    value: T | null;
    metadata: M | null;
    /** For putIfVersion; 0 where there is nothing. */
    version: number;
  }

  export interface KVList<M> {
    keys: { name: string; version: number; expiration?: number; metadata?: M }[];
    list_complete: boolean;
    cursor?: string;
  }

  // --- sql: the app's database ----------------------------------------------------

  /** What a statement takes; what comes back is the same, bytes as an ArrayBuffer. */
  export type SQLValue = string | number | bigint | boolean | null | ArrayBuffer | ArrayBufferView;

  export interface SQL {
    prepare(query: string): Statement;
    /** All of the statements or none, in one call. */
    batch<T = Record<string, unknown>>(statements: Statement[]): Promise<SQLResult<T>[]>;
    /** Statements without parameters, as a migration has them. */
    exec(query: string): Promise<{ count: number; duration: number }>;
    /** Keeps what work did if it resolves, undoes it if it throws. Other writers wait meanwhile. */
    transaction<T>(work: (tx: Pick<SQL, "prepare" | "batch" | "exec">) => Promise<T>): Promise<T>;
  }

  export interface Statement {
    bind(...values: SQLValue[]): Statement;
    all<T = Record<string, unknown>>(): Promise<SQLResult<T>>;
    run<T = Record<string, unknown>>(): Promise<SQLResult<T>>;
    /** The first row, or null; with a column, its value. */
    first<T = Record<string, unknown>>(): Promise<T | null>;
    first<T = unknown>(column: string): Promise<T | null>;
    raw<T = unknown[]>(options?: { columnNames?: boolean }): Promise<T[]>;
  }

  export interface SQLResult<T> {
    success: true;
    results: T[];
    meta: { duration: number; changes: number; last_row_id: number; changed_db: boolean; rows_read: number; rows_written: number };
  }

  // --- docs: documents ------------------------------------------------------------

  export interface Docs {
    collection<T extends object = Record<string, any>>(name: string): Collection<T>;
    user(user: UserLike): Docs;
    /** The documents as whoever makes the request may have them, by the `rule` blocks: what they may not read is not there. Without a rule nothing is. */
    asCaller(): Docs;
  }

  /** What the store knows of a document. Times are milliseconds of the epoch. */
  export interface Meta {
    _id: string;
    _version: number;
    _created: number;
    _updated: number;
  }

  export type Doc<T> = T & Meta;

  /** A Date is its text, as JSON has it: "2026-01-31T09:00:00.000Z". */
  type Scalar = string | number | boolean | null | Date;
  type Condition =
    | Scalar
    | unknown[]
    | {
        $eq?: unknown; $ne?: unknown; $in?: Scalar[]; $nin?: Scalar[]; $exists?: boolean; $contains?: unknown;
        $gt?: Scalar; $gte?: Scalar; $lt?: Scalar; $lte?: Scalar; $not?: Condition;
      };

  /** Fields and what they must be; a dot leads into a field: `{ "author.mail": "a@example.com" }`. */
  export type Filter = { $and?: Filter[]; $or?: Filter[]; $not?: Filter } & { [field: string]: Condition | Filter | Filter[] };

  /** A whole document, or what to do with fields of it. */
  export type Change<T> =
    | T
    | { $set?: Record<string, unknown>; $unset?: Record<string, true>; $inc?: Record<string, number>; $push?: Record<string, unknown>; $pull?: Record<string, unknown> };

  export interface FindOptions {
    /** "field", "-field" for downwards, or a list of these. */
    sort?: string | string[] | Record<string, 1 | -1>;
    limit?: number;
    skip?: number;
    cursor?: string;
    /** Only these; without what the store knows. */
    fields?: string[];
    /** Lets a filter that no index serves look at every document. */
    scan?: boolean;
  }

  export interface Collection<T extends object> {
    insert(document: T & { _id?: string }): Promise<Meta>;
    /** All of them or none. */
    insertMany(documents: (T & { _id?: string })[]): Promise<Meta[]>;
    get(id: string): Promise<Doc<T> | null>;
    /** `for await`, `toArray()`, or a page at a time. */
    find(filter?: Filter | null, options?: FindOptions): Found<Doc<T>>;
    findOne(filter?: Filter | null, options?: FindOptions): Promise<Doc<T> | null>;
    /** One document by its id: what is known of it now, or null where nothing differs. */
    update(id: string, change: Change<T>, options?: { ifVersion?: number }): Promise<Meta | null>;
    /** Many by a filter: how many differ. */
    update(filter: Filter, change: Change<T>, options?: { scan?: boolean }): Promise<number>;
    /** One document by its id: 1, or 0 where there is none, which is not_found with ifVersion or asCaller(). */
    remove(id: string, options?: { ifVersion?: number }): Promise<number>;
    /** All that a filter matches: how many there were. */
    remove(filter: Filter, options?: { scan?: boolean }): Promise<number>;
    count(filter?: Filter | null, options?: { scan?: boolean }): Promise<number>;
    /** `{ group: "team", values: { n: { count: true }, total: { sum: "size" } } }` */
    aggregate<R = Record<string, any>>(what: {
      filter?: Filter;
      group?: string | string[];
      values?: Record<string, { count: true | string } | { sum: string } | { avg: string } | { min: string } | { max: string }>;
      scan?: boolean;
    }): Promise<R[]>;
  }

  export interface Found<T> extends AsyncIterable<T> {
    toArray(): Promise<T[]>;
    /** With a cursor for the next page, if there is one. */
    page(): Promise<{ docs: T[]; cursor?: string }>;
  }

  // --- blobs: files ---------------------------------------------------------------

  export interface Blobs {
    head(key: string): Promise<BlobInfo | null>;
    /** Without a body where onlyIf is not met. */
    get(key: string): Promise<BlobBody | null>;
    get(key: string, options: { range?: BlobRange | Headers; onlyIf?: BlobCondition | Headers }): Promise<BlobBody | BlobInfo | null>;
    put(key: string, value: Content | null): Promise<BlobInfo>;
    /** Null where onlyIf is not met. */
    put(key: string, value: Content | null, options: BlobPut): Promise<BlobInfo | null>;
    delete(keys: string | string[]): Promise<void>;
    /** startAfter is a key, which is not in the list. */
    list(options?: { prefix?: string; limit?: number; cursor?: string; delimiter?: string; startAfter?: string }): Promise<BlobList>;
    createMultipartUpload(key: string, options?: Pick<BlobPut, "httpMetadata" | "customMetadata">): Promise<Upload>;
    resumeMultipartUpload(key: string, uploadId: string): Upload;
    /** An address that works for whoever has it, for one method, until it expires: seconds from now (3,600), or a time. */
    signedUrl(key: string, options?: { method?: "GET" | "PUT"; expires?: number | Date }): Promise<string>;
    user(user: UserLike): Blobs;
  }

  export interface BlobPut {
    httpMetadata?: BlobHeaders | Headers;
    customMetadata?: Record<string, string>;
    onlyIf?: BlobCondition | Headers;
    md5?: string | ArrayBuffer;
    sha256?: string | ArrayBuffer;
  }

  export interface BlobHeaders {
    contentType?: string;
    contentLanguage?: string;
    contentDisposition?: string;
    contentEncoding?: string;
    cacheControl?: string;
    cacheExpiry?: Date;
  }

  export interface BlobCondition {
    etagMatches?: string;
    etagDoesNotMatch?: string;
    uploadedBefore?: Date;
    uploadedAfter?: Date;
  }

  export type BlobRange = { offset?: number; length?: number } | { suffix: number };

  export interface BlobInfo {
    readonly key: string;
    readonly version: number;
    readonly size: number;
    readonly etag: string;
    /** The etag in quotes, as a header has it. */
    readonly httpEtag: string;
    readonly uploaded: Date;
    readonly httpMetadata: BlobHeaders;
    readonly customMetadata: Record<string, string>;
    /** In hexadecimal digits, as the etag. */
    readonly checksums: { sha256: string };
    readonly range?: { offset: number; length: number };
    /** Sets what was stored with the blob; what would run as a page of the app becomes a download. */
    writeHttpMetadata(headers: Headers): void;
  }

  export interface BlobBody extends BlobInfo {
    readonly body: ReadableStream<Uint8Array>;
    readonly bodyUsed: boolean;
    bytes(): Promise<Uint8Array>;
    arrayBuffer(): Promise<ArrayBuffer>;
    text(): Promise<string>;
    json<T = unknown>(): Promise<T>;
    blob(): Promise<Blob>;
  }

  export interface BlobList {
    objects: BlobInfo[];
    delimitedPrefixes: string[];
    truncated: boolean;
    cursor?: string;
  }

  export interface Upload {
    readonly key: string;
    readonly uploadId: string;
    uploadPart(partNumber: number, value: Content): Promise<{ partNumber: number; etag: string }>;
    complete(parts: { partNumber: number; etag: string }[]): Promise<BlobInfo>;
    abort(): Promise<void>;
  }

  // --- queue: work for later ------------------------------------------------------

  export interface Queue<T = unknown> {
    /** Resolves to the message's id, once it is stored. */
    send(body: T, options?: QueueSend): Promise<string>;
    sendBatch(messages: Iterable<{ body: T } & QueueSend>, options?: { delaySeconds?: number }): Promise<string[]>;
  }

  export interface QueueSend {
    delaySeconds?: number;
    /** A second message with the same key is not stored while the first waits. */
    uniqueKey?: string;
    /** From -100 to 100; higher ones come first. */
    priority?: number;
    contentType?: "json" | "text";
  }

  export interface Batch<T = any> {
    /** The queue's name. */
    readonly queue: string;
    readonly messages: readonly Message<T>[];
    ackAll(): void;
    retryAll(options?: { delaySeconds?: number }): void;
  }

  /** A message of which nothing is said is done if the handler returns, and comes again if it throws. */
  export interface Message<T = any> {
    readonly id: string;
    readonly timestamp: Date;
    /** This one is the first, second and so on. */
    readonly attempts: number;
    readonly body: T;
    ack(): void;
    retry(options?: { delaySeconds?: number }): void;
  }

  // --- service and assets ---------------------------------------------------------

  /** Another app, or the files of this release. */
  export interface Fetcher {
    fetch(input: Request | URL | string, init?: RequestInit): Promise<Response>;
  }
  export type Service = Fetcher;
  export type Assets = Fetcher;

  // --- what several of them take --------------------------------------------------

  export type Content = string | ArrayBuffer | ArrayBufferView | ReadableStream | Blob;
  /** A user with an id, or the id. */
  export type UserLike = { id: string | number } | string | number;
}

// What a file of tests, NAME.test.ts, imports; `fazt test` runs it.
declare module "fazt:test" {
  type Work = () => unknown;
  type Body = (t: { readonly name: string; after(work: Work): void }) => unknown;
  interface Options {
    /** Milliseconds until it has failed; 5,000. */
    timeout?: number;
  }
  interface Test {
    (name: string, body: Body): void;
    (name: string, options: Options, body: Body): void;
  }

  export const test: Test & { skip: Test; only: Test };
  export const it: typeof test;
  /** Tests that share a name and what is done before and after. */
  export function describe(name: string, body: () => void): void;
  export function beforeAll(work: Work): void;
  export function beforeEach(work: Work): void;
  export function afterEach(work: Work): void;
  export function afterAll(work: Work): void;

  /** Who is signed in: an address, or more than that. Groups, roles and access are those of the configuration. */
  interface Persona {
    email: string;
    /** The address, if nothing else is said. */
    id?: string;
    name?: string;
    /** Roles besides those that the configuration gives to the address. */
    roles?: string[];
  }

  /** What the app's code has in env: the same stores and settings. */
  export const env: any;

  export const app: {
    /** Asks the app as a visitor would: its files, its redirects, its code. Redirects are not followed. */
    fetch(input: Request | URL | string, init?: RequestInit & { as?: string | Persona }): Promise<Response>;
    /** Delivers what is ready in a queue; with `delayed`, also what waits for its moment. */
    deliver(queue: string, options?: { delayed?: boolean }): Promise<{ id: string; state: "done" | "delayed" | "dead"; error?: string }[]>;
    /** Runs a schedule as if it were due, now or at another time. */
    cron(name: string, options?: { at?: Date | number | string }): Promise<void>;
  };

  /**
   * Answers what the app asks of another host, at an address and below it, until the test ends; outside
   * of a test, for the whole file. What a function returns is sent as JSON, unless it is a Response.
   */
  export function fake(address: string | URL, answer?: Response | ((request: Request) => unknown)): { readonly requests: Request[] };

  interface Matchers<R> {
    toBe(want: unknown): R;
    /** Equal in all of its parts. */
    toEqual(want: unknown): R;
    /** Equal in the fields that are named. */
    toMatchObject(want: object): R;
    toBeNull(): R;
    toBeUndefined(): R;
    toBeDefined(): R;
    toBeTruthy(): R;
    toBeFalsy(): R;
    toBeInstanceOf(kind: abstract new (...args: any[]) => unknown): R;
    toBeGreaterThan(least: number | bigint): R;
    toBeGreaterThanOrEqual(least: number | bigint): R;
    toBeLessThan(most: number | bigint): R;
    toBeLessThanOrEqual(most: number | bigint): R;
    toBeCloseTo(want: number, digits?: number): R;
    toHaveLength(want: number): R;
    /** A part of a text, or an item of a list. */
    toContain(part: unknown): R;
    toMatch(form: RegExp | string): R;
    /** What is thrown has this text, fits this expression, or is of this kind. */
    toThrow(want?: string | RegExp | (abstract new (...args: any[]) => Error)): R;
  }
  type Both<R> = Matchers<R> & { not: Matchers<R> };
  export function expect(got: unknown): Both<void> & { resolves: Both<Promise<void>>; rejects: Both<Promise<void>> };
}
