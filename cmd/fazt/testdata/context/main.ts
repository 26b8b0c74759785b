// A handler that does what a list of steps says and answers what AsyncLocalStorage held
// at each place that looked. context_test.go knows what it must have held.
import { AsyncLocalStorage, AsyncResource } from "node:async_hooks";

interface Step {
  do: string;
  at: number;
  store: number;
  value: number;
  times: number;
  body?: Step[];
  more?: Step[];
}

const stores = [new AsyncLocalStorage<number>(), new AsyncLocalStorage<number>()];
const failed = () => Promise.reject(new Error("as asked"));

function chunks(times: number): ReadableStream {
  let left = times;
  return new ReadableStream({ pull: (c) => (left-- > 0 ? c.enqueue(new Uint8Array(1)) : c.close()) });
}

class Run {
  seen: Record<number, number[][]> = {};
  live = 0;

  look(at: number) {
    (this.seen[at] ??= []).push(stores.map((s) => s.getStore() ?? 0));
  }

  // go has the answer wait for f.
  go(f: () => Promise<unknown>) {
    this.live++;
    const done = f();
    done.finally(() => this.live--);
    return done;
  }

  // now does the steps that wait for nothing.
  now(steps: Step[] = []) {
    for (const s of steps) {
      const body = () => this.now(s.body);
      const later = () => this.steps(s.body);
      switch (s.do) {
        case "look": this.look(s.at); break;
        case "enter": stores[s.store].enterWith(s.value); break;
        case "run": stores[s.store].run(s.value, body); break;
        case "exit": stores[s.store].exit(body); break;
        case "throw": try { stores[s.store].run(s.value, () => { body(); throw new Error("as asked"); }); } catch {} break;
        case "bind": stores[s.store].run(s.value, AsyncLocalStorage.bind(body)); break;
        case "snapshot": stores[s.store].run(s.value, AsyncLocalStorage.snapshot(), body); break;
        case "resource": { const r = new AsyncResource("test"); stores[s.store].run(s.value, () => r.runInAsyncScope(body)); break; }
        case "spawn": this.go(later); break;
        case "then": this.go(() => Promise.resolve().then(later)); break;
        case "catch": this.go(() => failed().catch(later)); break;
        case "finally": this.go(() => Promise.resolve().finally(later)); break;
        case "timer": this.live++; setTimeout(() => { this.go(later); this.live--; }, s.times); break;
        case "interval": { this.live++; const i = setInterval(() => { clearInterval(i); this.go(later); this.live--; }, s.times); break; }
        case "microtask": this.live++; queueMicrotask(() => { this.go(later); this.live--; }); break;
        default: throw new Error(`no step ${s.do}`);
      }
    }
  }

  async steps(steps: Step[] = []): Promise<void> {
    for (const s of steps) {
      const body = () => this.steps(s.body);
      switch (s.do) {
        case "await": await null; break;
        case "sleep": await new Promise((r) => setTimeout(r, s.times)); break;
        case "rejected": try { await failed(); } catch { this.look(s.at); } finally { this.look(s.at); } break;
        case "thenable": await { then: (resolve: () => void) => { this.look(s.at); resolve(); } }; break;
        case "chained": await Promise.resolve().then(() => ({ then: (resolve: () => void) => { this.look(s.at); resolve(); } })); break;
        case "call": await body(); break;
        case "all": await Promise.all([body(), this.steps(s.more)]); break;
        case "race": await Promise.race([this.go(body), this.go(() => this.steps(s.more))]); break;
        case "within": await stores[s.store].run(s.value, body); break;
        case "without": await stores[s.store].exit(body); break;
        case "stream": for await (const _ of chunks(s.times)) await body(); break;
        case "read": { const r = chunks(s.times).getReader(); while (!(await r.read()).done) await body(); break; }
        case "piped": for await (const _ of chunks(s.times).pipeThrough(new TransformStream())) await body(); break;
        case "text": await new Response(chunks(s.times)).text(); break;
        case "generator": for await (const _ of this.yields(s)) await body(); break;
        default: this.now([s]);
      }
    }
  }

  async *yields(s: Step) {
    for (let i = 0; i < s.times; i++) {
      await this.steps(s.more);
      this.look(s.at);
      yield i;
    }
  }
}

export default {
  async fetch(request: Request): Promise<Response> {
    const run = new Run();
    const steps = await request.json();
    run.go(() => run.steps(steps));
    while (run.live > 0) await new Promise((r) => setTimeout(r, 1));
    return Response.json(run.seen);
  },
};
