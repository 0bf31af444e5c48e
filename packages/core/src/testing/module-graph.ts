import type { Metafile } from "esbuild";

/** Every source, package and module of Node that is loaded with the files that hold these sources, lazy imports left out. */
export function loadedWith(metafile: Metafile, sources: readonly string[]): readonly string[] {
  const found = new Set<string>();
  const seen = new Set<string>();
  const visit = (path: string): void => {
    const file = metafile.outputs[path];
    if (!file || seen.has(path)) return;
    seen.add(path);
    for (const [input, { bytesInOutput }] of Object.entries(file.inputs)) if (bytesInOutput > 0) found.add(input);
    for (const { path: next, kind, external } of file.imports) {
      if (kind === "dynamic-import") continue;
      if (external === true) found.add(next);
      else visit(next);
    }
  };
  for (const [path, file] of Object.entries(metafile.outputs)) if (sources.some((source) => source in file.inputs)) visit(path);
  return [...found];
}

/** The modules that these are not among: each as it is, or a folder's names as `folder/{a,b}`. */
export function notAmong(modules: readonly string[], allowed: readonly string[]): readonly string[] {
  const known = new Set(
    allowed.flatMap((entry) => {
      const [, folder, names] = /^(.*)\{(.*)\}$/.exec(entry) ?? [];
      return folder === undefined || names === undefined ? [entry] : names.split(",").map((name) => `${folder}${name}.ts`);
    }),
  );
  return modules.filter((module) => !known.has(module.replace(/^node_modules\/\.pnpm\/.*\/node_modules\//, "")));
}
