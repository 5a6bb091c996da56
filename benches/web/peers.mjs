#!/usr/bin/env node
// hnet's web bundles beside TensorFlow.js on WebGPU, in turn, in one page of one browser. README.md says how to run it.
//
// The page posts its results to this server, so the browser needs no remote control.

import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer } from "node:http";
import { cpus, loadavg, tmpdir } from "node:os";
import { delimiter, dirname, extname, join, resolve, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = dirname(fileURLToPath(import.meta.url));
const ROOT = resolve(HERE, "../..");
const OUT = join(HERE, "out");

const { values: args } = parseArgs({
  options: {
    hnet: { type: "string" }, // a built binary; otherwise cargo builds one
    browser: { type: "string" }, // otherwise the first Chromium or Chrome in PATH
    gpu: { type: "boolean", default: false }, // the machine's GPU; otherwise the browser's software adapter
    rounds: { type: "string", default: "15" },
    only: { type: "string" }, // product,moe,inr
    json: { type: "string", default: join(OUT, "peers.json") },
  },
});
if (!(Number(args.rounds) >= 1)) throw new Error(`--rounds wants a number, not ${args.rounds}`);

const BUNDLES = {
  product: { file: join(HERE, "product.hnet"), sizes: {} },
  moe: { file: join(ROOT, "models/moe.hnet"), sizes: { d: 128, h: 256 } },
  inr: { file: join(ROOT, "models/inr.hnet"), sizes: { width: 64, code: 128 } },
};
const names = args.only?.split(",") ?? Object.keys(BUNDLES);
for (const name of names) {
  if (!Object.hasOwn(BUNDLES, name)) throw new Error(`no workload is called ${name}: ${Object.keys(BUNDLES).join(", ")}`);
}

const median = (values) => {
  const s = values.toSorted((a, b) => a - b), half = s.length >> 1;
  return s.length % 2 ? s[half] : (s[half - 1] + s[half]) / 2;
};

function build(name) {
  const { file, sizes } = BUNDLES[name];
  // A copy with no weights beside it: those in models/ are for the small sizes, so hnet is to draw new ones.
  const source = join(OUT, "source");
  mkdirSync(source, { recursive: true });
  const copy = join(source, `${name}.hnet`);
  copyFileSync(file, copy);
  rmSync(join(OUT, name), { recursive: true, force: true });
  const [program, ...first] = args.hnet ? [resolve(args.hnet)] : ["cargo", "run", "--release", "--quiet", "--"];
  const set = Object.entries(sizes).flatMap(([k, v]) => ["--set", `${k}=${v}`]);
  const done = spawnSync(program, [...first, "build", copy, "--target", "web", "-o", join(OUT, name), ...set],
    { cwd: ROOT, stdio: ["ignore", "ignore", "pipe"], encoding: "utf8" });
  if (done.status !== 0) throw new Error(`hnet build ${name}: ${done.error ?? done.stderr}`);
}

function browser() {
  if (args.browser) return args.browser;
  const known = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
  const folders = (process.env.PATH ?? "").split(delimiter);
  const found = known.flatMap((n) => folders.map((f) => join(f, n))).find(existsSync);
  if (!found) throw new Error("no Chromium in PATH; say where it is with --browser");
  return found;
}

const TYPES = { ".html": "text/html", ".js": "text/javascript", ".mjs": "text/javascript", ".json": "application/json" };

/** Serves this folder, and gives what the page posts to `take(path, value)`. */
function serve(take) {
  const server = createServer(async (request, response) => {
    // With these two the page's clock ticks in 5 µs, not in 100.
    response.setHeader("Cross-Origin-Opener-Policy", "same-origin");
    response.setHeader("Cross-Origin-Embedder-Policy", "require-corp");
    const { pathname } = new URL(request.url, "http://localhost");
    if (request.method === "POST") {
      let body = "";
      for await (const chunk of request) body += chunk;
      response.end();
      take(pathname, JSON.parse(body));
      return;
    }
    const file = resolve(HERE, `.${pathname}`);
    const bytes = file.startsWith(HERE + sep) ? await readFile(file).catch(() => null) : null;
    if (bytes) response.setHeader("Content-Type", TYPES[extname(file)] ?? "application/octet-stream");
    response.writeHead(bytes ? 200 : 404).end(bytes);
  });
  return new Promise((done) => server.listen(0, "127.0.0.1", () => done(server)));
}

/** Opens the page and waits until it has posted its report. */
async function run() {
  let take;
  const report = new Promise((done, failed) => {
    take = (path, value) => {
      if (path === "/progress") console.error(`running ${value} …`);
      else if (value.error) failed(new Error(value.error));
      else done(value);
    };
    setTimeout(() => failed(new Error("the page took longer than 15 minutes")), 15 * 60e3).unref();
  });
  const server = await serve((path, value) => take(path, value));
  const profile = mkdtempSync(join(tmpdir(), "hnet-peers-"));
  const query = new URLSearchParams({ rounds: args.rounds, only: names.join(",") });
  const child = spawn(browser(), [
    "--headless=new", "--no-sandbox", "--no-first-run", "--enable-unsafe-webgpu",
    ...(args.gpu ? ["--enable-features=Vulkan"] : ["--use-webgpu-adapter=swiftshader"]),
    `--user-data-dir=${profile}`,
    // Without a debugging port, a browser without a window would load the page and end.
    "--remote-debugging-port=0",
    `http://localhost:${server.address().port}/page.html?${query}`,
  ], { stdio: "ignore" });
  const ended = new Promise((_, failed) => {
    child.on("error", failed);
    child.on("exit", (code) => failed(new Error(`the browser ended with ${code}`)));
  });
  ended.catch(() => {}); // it also ends when it is told to
  try {
    return await Promise.race([report, ended]);
  } finally {
    if (child.exitCode === null && child.pid) {
      const gone = new Promise((done) => child.once("exit", done));
      child.kill();
      await gone;
    }
    server.closeAllConnections();
    server.close();
    rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

function print({ adapter, browser, peer, results, load }) {
  const ms = (v) => v.toFixed(2);
  const rows = [["workload", "hnet ms", "peer", "peer ms", "peer / hnet", "apart"]];
  for (const { name, times, apart } of results) {
    const own = median(times.hnet);
    for (const side of Object.keys(apart)) {
      const other = median(times[side]);
      rows.push([name, ms(own), side, ms(other), (other / own).toFixed(2), apart[side].toExponential(1)]);
    }
  }
  console.log(`${peer}\n${browser}\nadapter: ${adapter}; ${cpus().length} CPUs, load ${load.map((v) => v.toFixed(1)).join(" to ")}\n`);
  const widths = rows[0].map((_, c) => Math.max(...rows.map((r) => r[c].length)));
  const words = [0, 2]; // these columns begin at the left
  for (const r of rows) console.log(r.map((cell, c) => (words.includes(c) ? cell.padEnd(widths[c]) : cell.padStart(widths[c]))).join("  "));
}

for (const name of names) {
  console.error(`building ${name} …`);
  build(name);
}
const before = loadavg()[0];
const report = { ...(await run()), rounds: Number(args.rounds), node: process.version };
report.load = [before, loadavg()[0]];
for (const r of report.results) r.medians = Object.fromEntries(Object.entries(r.times).map(([side, t]) => [side, median(t)]));
mkdirSync(dirname(resolve(args.json)), { recursive: true });
writeFileSync(args.json, JSON.stringify(report, null, 2) + "\n");
print(report);
