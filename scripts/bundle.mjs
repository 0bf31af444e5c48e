// How the commands are bundled, for the build and for the tests that read the module graph.
import { createRequire } from "node:module";
import { basename, join, resolve } from "node:path";

const require = createRequire(import.meta.url);

/** Loaded from node_modules at run time: native code, and oclif, which reads its own package. */
const external = ["@napi-rs/keyring", "@node-rs/argon2", "@photostructure/sqlite", "@oclif/core", "@lydell/node-pty", "playwright-core"];

const packages = {
  tsh: { entries: ["packages/tsh/src/main.ts", "packages/tsh/src/login-on-terminal.ts"], start: "packages/tsh/src/start.ts", lean: "packages/tsh/src/lean.ts", out: "packages/tsh/dist" },
  tctl: { entries: ["packages/tctl/src/main.ts"], start: "packages/tctl/src/start.ts", out: "packages/tctl/dist" },
};

/** The commands: what they are bundled from, and where to. */
export const commands = Object.keys(packages);

const common = {
  bundle: true,
  platform: "node",
  target: "node20.18",
  conditions: ["gatehouse-source"],
  minifySyntax: true,
  minifyWhitespace: true,
  legalComments: "none",
  metafile: true,
  logLevel: "warning",
  external,
};

/** ssh2 looks for these and does without: a bundle must not pick up a stranger's file of that name at run time. */
const withoutNative = {
  name: "ssh2-without-native",
  setup(build) {
    build.onResolve({ filter: /(?:^cpu-features|\/sshcrypto\.node)$/ }, ({ path }) => ({ path, namespace: "absent" }));
    build.onLoad({ filter: /.*/, namespace: "absent" }, () => ({ contents: 'throw new Error("not built")', loader: "js" }));
  },
};

/** Modules that Node has loaded before it runs anything. */
const loadedAnyway = new Set(["node:fs", "node:path"]);

/** The other modules of Node, each loaded when something of it is first used: `node:crypto` and `node:net` cost kubectl 2 ms a call each. */
const lazyBuiltins = {
  name: "lazy-builtins",
  setup(build) {
    build.onResolve({ filter: /^node:/ }, ({ path }) => (loadedAnyway.has(path) ? undefined : { path, namespace: "lazy-builtin" }));
    build.onLoad({ filter: /.*/, namespace: "lazy-builtin" }, ({ path }) => ({
      contents: `let m;const get=n=>({enumerable:true,get:()=>(m??=process.getBuiltinModule(${JSON.stringify(path)}))[n]});
for(const n of ${JSON.stringify(Object.keys(require(path)))})Object.defineProperty(exports,n,get(n));`,
      loader: "js",
    }));
  },
};

/** What `import()` of a source in `entries` loads is not part of the bundle, but the file that is made of it, whose name ends in `extension`. */
const elsewhere = (root, entries, extension = ".js") => ({
  name: `elsewhere${extension}`,
  setup(build) {
    const known = new Set(entries.map((entry) => join(root, entry)));
    build.onResolve({ filter: /^\.\.?\/.*\.ts$/ }, ({ kind, path, resolveDir }) =>
      kind === "dynamic-import" && known.has(resolve(resolveDir, path)) ? { path: `./${basename(path, ".ts")}${extension}`, external: true } : undefined,
    );
  },
});

/** The bundle of these sources, in as many files as they share code, for esbuild. */
export const splitOptions = (root, entryPoints, outdir) => ({
  ...common,
  absWorkingDir: root,
  entryPoints,
  outdir,
  splitting: true,
  format: "esm",
  chunkNames: "[name]-[hash]",
  plugins: [withoutNative],
  define: { __dirname: "import.meta.dirname" },
  // Bundled CommonJS still asks for Node's own modules by require().
  banner: { js: 'import{createRequire as gatehouseRequire}from"node:module";const require=gatehouseRequire(import.meta.url);' },
});

/** What most commands of this name are, for esbuild. */
export const mainOptions = (root, name, outdir = packages[name].out) => splitOptions(root, packages[name].entries, outdir);

/** One file of CommonJS, since Node takes 4 ms to load the first ES module. */
const oneFile = (root, entry, outdir) => ({
  ...common,
  absWorkingDir: root,
  entryPoints: [entry],
  outdir,
  outExtension: { ".js": ".cjs" },
  format: "cjs",
  // createRequire takes a path as well.
  define: { "import.meta.url": "__filename" },
});

/** What every command of this name begins in, for esbuild. */
export const startOptions = (root, name, outdir = packages[name].out) => {
  const { entries, start, lean } = packages[name];
  const options = oneFile(root, start, outdir);
  if (lean === undefined) return { ...options, plugins: [elsewhere(root, entries), lazyBuiltins] };
  // All that it imports in turn is another such file, which require() loads without the loader of ES modules.
  return { ...options, supported: { "dynamic-import": false }, plugins: [elsewhere(root, [lean], ".cjs"), lazyBuiltins] };
};

/** What the command that kubectl and scripts wait for goes on in, for esbuild; undefined for one that has none. */
export const leanOptions = (root, name, outdir = packages[name].out) => {
  const { entries, lean } = packages[name];
  return lean === undefined ? undefined : { ...oneFile(root, lean, outdir), plugins: [elsewhere(root, entries), lazyBuiltins] };
};

/** Where the bundles of this command go. */
export const outFolder = (name) => packages[name].out;
